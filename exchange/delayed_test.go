package exchange

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

const never = math.MaxInt64

// after is 0 for what is not delayed.
func TestDue(t *testing.T) {
	const year = 365 * 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		now := time.Now() // a whole second
		at := func(d time.Duration) int64 { return now.Add(d).Unix() }
		for _, c := range []struct {
			headers []any
			after   time.Duration
		}{
			{nil, 0},
			{[]any{"other", int32(1)}, 0},
			{[]any{"x-delay", int32(1)}, time.Millisecond},
			{[]any{"x-delay", int8(100)}, 100 * time.Millisecond},
			{[]any{"x-delay", uint16(40000)}, 40 * time.Second},
			{[]any{"x-delay", int64(5000)}, 5 * time.Second},
			{[]any{"x-delay", "5000"}, 5 * time.Second},
			{[]any{"x-delay", []byte("+5000")}, 5 * time.Second},
			{[]any{"x-delay", 1500.9}, 1500 * time.Millisecond},
			{[]any{"x-delay", float32(1.5)}, time.Millisecond},
			{[]any{"x-delay", amqp.Decimal{Scale: 1, Value: 15009}}, 1500 * time.Millisecond},
			// The plugin goes up to 2^32-1 ms and does not delay beyond.
			{[]any{"x-delay", int64(math.MaxUint32)}, math.MaxUint32 * time.Millisecond},
			{[]any{"x-delay", int64(math.MaxUint32) + 1}, (math.MaxUint32 + 1) * time.Millisecond},
			{[]any{"x-delay", int64(10 * year / time.Millisecond)}, 10 * year},
			{[]any{"x-delay", int32(0)}, 0}, {[]any{"x-delay", int32(-5000)}, 0}, {[]any{"x-delay", "-1"}, 0},
			{[]any{"x-delay", 0.9}, 0}, {[]any{"x-delay", math.NaN()}, 0}, {[]any{"x-delay", math.Inf(-1)}, 0},
			{[]any{"x-delay", "soon"}, 0}, {[]any{"x-delay", "1.5"}, 0}, {[]any{"x-delay", ""}, 0},
			{[]any{"x-delay", "99999999999999999999s"}, 0},
			{[]any{"x-delay", true}, 0}, {[]any{"x-delay", nil}, 0}, {[]any{"x-delay", amqp.Table{}}, 0},
			{[]any{"x-delay", amqp.Timestamp(5000)}, 0},
			{[]any{"x-deliver-at", amqp.Timestamp(at(time.Minute))}, time.Minute},
			{[]any{"x-deliver-at", at(time.Minute)}, time.Minute},
			{[]any{"x-deliver-at", fmt.Sprint(at(time.Minute))}, time.Minute},
			{[]any{"x-deliver-at", at(50 * year)}, 50 * year},
			{[]any{"x-deliver-at", at(0)}, 0}, {[]any{"x-deliver-at", at(-time.Second)}, 0},
			{[]any{"x-deliver-at", int64(-1)}, 0}, {[]any{"x-deliver-at", "tomorrow"}, 0},
			{[]any{"x-deliver-at", at(time.Minute), "x-delay", int32(1000)}, time.Minute},
			{[]any{"x-deliver-at", at(time.Minute), "x-delay", int32(61_000)}, 61 * time.Second},
			{[]any{"x-deliver-at", at(-time.Minute), "x-delay", int32(1000)}, time.Second},
			{[]any{"x-deliver-at", at(time.Minute), "x-delay", "soon"}, time.Minute},
			{[]any{"x-delay", int32(1000), "x-delay", int32(5000)}, time.Second}, // the first counts
		} {
			want := now.Add(c.after).UnixNano()
			if c.after == 0 {
				want = 0
			}
			if got := due(table(c.headers...)); got != want {
				t.Errorf("%v: due %d, want %d", c.headers, got, want)
			}
		}
		for _, headers := range []amqp.Table{
			table("x-delay", int64(math.MaxInt64)), table("x-delay", "99999999999999999999"), table("x-delay", math.Inf(1)),
			table("x-delay", int64(math.MaxInt64/1_000_000)), table("x-deliver-at", int64(math.MaxInt64)),
			table("x-deliver-at", amqp.Timestamp(math.MaxUint64)), table("x-deliver-at", 1e300),
		} {
			if got := due(headers); got != never {
				t.Errorf("%v: due %d, want never", headers, got)
			}
		}
	})
}

func wantHeld(t *testing.T, r *Result, want ...*Exchange) {
	t.Helper()
	var got []*Exchange
	for _, h := range r.Held() {
		got = append(got, h.Exchange)
	}
	if !slices.Equal(got, want) {
		t.Errorf("held by %v, want %v", got, want)
	}
}

func TestDelayedHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		top, r := newTopology(), &Result{}
		x := top.typed(t, "x", "x-delayed-message", "x-delayed-type", "topic", "alternate-exchange", "amq.fanout")
		bind(t, top.Exchange("amq.fanout"), top.queue("alternate"), "", nil)
		bind(t, x, top.queue("q"), "a.*", nil)

		for range 2 {
			wantRoute(t, r, top, x, headed(t, "a.b", "x-delay", int32(1000)))
			wantHeld(t, r, x)
			if due := r.Held()[0].Due; due != time.Now().Add(time.Second).UnixNano() {
				t.Errorf("due at %d", due)
			}
			if r.ByKey() {
				t.Error("it depends on headers")
			}
		}
		wantRoute(t, r, top, x, headed(t, "b", "x-delay", int32(1000))) // matches nothing, but is held
		wantHeld(t, r, x)
		for _, m := range []*amqp.Message{message("a.b"), headed(t, "a.b", "x-delay", int32(0))} {
			wantRoute(t, r, top, x, m, "q")
			wantHeld(t, r)
			if r.ByKey() {
				t.Error("the next message may be delayed")
			}
		}
		wantRoute(t, r, top, x, message("b"), "alternate")
		broken := headed(t, "a.b", "x-delay", int32(1000))
		broken.Properties = broken.Properties[:len(broken.Properties)-1]
		wantRoute(t, r, top, x, broken, "q")
	})
}

// Each delayed exchange that is reached holds the message once, and what does not
// go by one is not held.
func TestDelayedByExchanges(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := top.exchange(t, "x", "fanout", "-")
	d1 := top.typed(t, "d1", "x-delayed-message", "x-delayed-type", "fanout")
	d2 := top.typed(t, "d2", "x-delayed-message", "x-delayed-type", "fanout")
	y := top.exchange(t, "y", "fanout", "-")
	for _, to := range []Destination{d1, d2, y, top.queue("now")} {
		bind(t, x, to, "", nil)
	}
	bind(t, y, d1, "", nil)
	bind(t, d1, d2, "", nil)
	bind(t, d1, top.queue("1"), "", nil)
	bind(t, d2, top.queue("2"), "", nil)
	m := headed(t, "", "x-delay", int32(1000))
	wantRoute(t, r, top, x, m, "now")
	wantHeld(t, r, d1, d2)
	if r.Held()[0].Due != r.Held()[1].Due {
		t.Error("one message is due at two times")
	}
	wantRoute(t, r, top, x, message(""), "1", "2", "now")
	wantHeld(t, r)

	wantRelease(t, r, top, d1, Released(m), "1", "2") // d2 does not delay it again
	wantHeld(t, r)
	wantRelease(t, r, top, d1, m, "1") // d2 would
	wantHeld(t, r, d2)
	wantRoute(t, r, top, d1, m)
	wantHeld(t, r, d1)
	r.Reset()
	wantHeld(t, r)
	if held := r.held[:cap(r.held)]; slices.ContainsFunc(held, func(h Held) bool { return h.Exchange != nil }) {
		t.Error("an exchange is still referenced")
	}
}

func wantRelease(t *testing.T, r *Result, top Topology, x *Exchange, m *amqp.Message, want ...string) {
	t.Helper()
	if got := names(r.Release(top, x, m)); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%q released to %v, want %v", x.Name(), got, want)
	}
}

// The clock may say that it is too early, when it was set back meanwhile.
func TestReleaseWhateverTheClock(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := top.typed(t, "x", "x-delayed-message", "x-delayed-type", "fanout")
	back := top.exchange(t, "back", "fanout", "-")
	bind(t, x, top.queue("q"), "", nil)
	bind(t, x, back, "", nil)
	bind(t, back, x, "", nil) // a circle
	m := headed(t, "", "x-deliver-at", amqp.Timestamp(time.Now().Add(time.Hour).Unix()), "x-delay", int64(1)<<40)
	wantRelease(t, r, top, x, Released(m), "q")
	wantHeld(t, r)
	wantRoute(t, r, top, x, Released(m)) // anew it is delayed
	wantHeld(t, r, x)
}

func TestReleased(t *testing.T) {
	for _, c := range []struct {
		headers amqp.Table
		want    amqp.Table
	}{
		{table("a", "b", "x-delay", int32(5000), "c", true), table("a", "b", "x-delay", int32(-5000), "c", true)},
		{table("x-delay", "5000"), table("x-delay", int32(-5000))},
		{table("x-delay", 1.5), table("x-delay", int32(-1))},
		{table("x-delay", int64(math.MaxUint32)), table("x-delay", int64(-math.MaxUint32))},
		{table("x-delay", int64(math.MaxInt64)), table("x-delay", int64(-math.MaxInt64))},
		{table("x-delay", int32(-5000), "x-deliver-at", int64(1)), table("x-delay", int32(-5000), "x-deliver-at", int64(1))},
		{table("x-delay", int32(0)), table("x-delay", int32(0))},
		{table("x-delay", "soon"), table("x-delay", "soon")},
		{table("x-deliver-at", amqp.Timestamp(7)), table("x-deliver-at", amqp.Timestamp(7))},
	} {
		m := headed(t, "key", pairs(c.headers)...)
		m.Body, m.Persistent, m.Priority, m.Expiration, m.ExtraKeys = []byte("body"), true, 3, 100, []string{"cc"}
		before := slices.Clone(m.Properties)
		got := Released(m)
		if !slices.Equal(m.Properties, before) || got == m {
			t.Errorf("%v: the message itself was changed, or returned", c.headers)
		}
		headers, err := got.Headers()
		if err != nil || fmt.Sprintf("%#v", headers) != fmt.Sprintf("%#v", c.want) {
			t.Errorf("%v: %v, %v, want %v", c.headers, headers, err, c.want)
		}
		if got.RoutingKey != "key" || string(got.Body) != "body" || !got.Persistent || got.Priority != 3 ||
			got.Expiration != 100 || len(got.ExtraKeys) != 1 {
			t.Errorf("something was lost: %+v", got)
		}
	}
	for _, m := range []*amqp.Message{message("k"), {HasHeaders: true, Properties: amqp.Properties{0xff}}} {
		if got := Released(m); got == m || !slices.Equal(got.Properties, m.Properties) {
			t.Errorf("%+v became %+v", m, got)
		}
	}
}

func pairs(t amqp.Table) (out []any) {
	for _, f := range t {
		out = append(out, f.Name, f.Value)
	}
	return out
}
