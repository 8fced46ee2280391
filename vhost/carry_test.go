package vhost

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/queue"
)

// seen lists the bodies of what a browse shows that a filter means.
func (f *fixture) seen(name string, filter Filter) (bodies []string) {
	f.t.Helper()
	q, err := f.Queue(name, me)
	f.must(err)
	now := time.Now()
	_, _, err = q.Browse(queue.Look{Pick: func(b *queue.Browsed) bool { return filter.Pick(b, now) }}, func(b *queue.Browsed) bool {
		if filter.Match(b.Message) {
			bodies = append(bodies, string(b.Message.Body))
		}
		return true
	})
	f.must(err)
	return bodies
}

func ptr[T any](v T) *T { return &v }

func TestFilter(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.queue("q")
		f.exchange("x", "fanout")
		f.bind("q", "x", "")
		f.send("x", "eu.de", "1")
		<-time.After(10 * time.Second)
		m := message("", "q", "22", args("n", int32(7), "s", "text", "b", []byte("raw"), "d", amqp.Decimal{Scale: 1, Value: 25}, "f", 2.5))
		m.Priority = 5
		f.publish("", m)
		p := amqp.BasicProperties{Type: "order", MessageID: "m1", DeliveryMode: 2, Present: amqp.HasDeliveryMode}
		wire, err := p.Append(nil)
		f.must(err)
		m = message("", "q", "333", nil)
		m.Properties = wire
		f.publish("", m)
		q, _ := f.Queue("q", me)
		d, _, _ := q.Get(false, &f.fx)
		f.apply()
		if got := f.seen("q", Filter{States: []queue.State{queue.StateUnacked}}); !slices.Equal(got, []string{"1"}) {
			t.Errorf("unacked: %v", got)
		}
		q.Requeue([]queue.ID{d.ID}, queue.CauseLost, &f.fx)
		f.apply()
		for name, c := range map[string]struct {
			filter Filter
			want   string
		}{
			"all":             {Filter{}, "1 22 333"},
			"exchange":        {Filter{Exchange: ptr("x")}, "1"},
			"default":         {Filter{Exchange: ptr("")}, "22 333"},
			"key":             {Filter{RoutingKey: ptr("q")}, "22 333"},
			"pattern":         {Filter{KeyPattern: regexp.MustCompile(`^eu\.`)}, "1"},
			"header is there": {Filter{Headers: []HeaderFilter{{Name: "n"}}}, "22"},
			"no such header":  {Filter{Headers: []HeaderFilter{{Name: "other"}}}, ""},
			"integer":         {Filter{Headers: []HeaderFilter{{Name: "n", Value: int64(7)}}}, "22"},
			"float integer":   {Filter{Headers: []HeaderFilter{{Name: "n", Value: 7.0}}}, "22"},
			"other integer":   {Filter{Headers: []HeaderFilter{{Name: "n", Value: int64(8)}}}, ""},
			"bytes":           {Filter{Headers: []HeaderFilter{{Name: "b", Value: "raw"}}}, "22"},
			"decimal":         {Filter{Headers: []HeaderFilter{{Name: "d", Value: 2.5}}}, "22"},
			"both":            {Filter{Headers: []HeaderFilter{{Name: "s", Value: "text"}, {Name: "f", Value: 2.5}}}, "22"},
			"not a text":      {Filter{Headers: []HeaderFilter{{Name: "n", Value: "7"}}}, ""},
			"as text":         {Filter{Headers: []HeaderFilter{{Name: "n", Text: ptr("7")}, {Name: "f", Text: ptr("2.5")}, {Name: "b", Text: ptr("raw")}}}, "22"},
			"priority":        {Filter{MinPriority: ptr(uint8(1))}, "22"},
			"no priority":     {Filter{MaxPriority: ptr(uint8(4))}, "1 333"},
			"size":            {Filter{MinSize: ptr(2), MaxSize: ptr(2)}, "22"},
			"redelivered":     {Filter{Redelivered: ptr(true)}, "1"},
			"not redelivered": {Filter{Redelivered: ptr(false)}, "22 333"},
			"old":             {Filter{MinAge: ptr(9 * time.Second)}, "1"},
			"young":           {Filter{MaxAge: ptr(5 * time.Second)}, "22 333"},
			"property":        {Filter{Properties: []PropertyFilter{{"type", "order"}, {"delivery_mode", "2"}}}, "333"},
			"other property":  {Filter{Properties: []PropertyFilter{{"type", "order"}, {"app_id", ""}}}, ""},
			"ids":             {Filter{IDs: map[uint64]struct{}{2: {}}}, "22"},
		} {
			if got := strings.Join(f.seen("q", c.filter), " "); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	})
}

// fill publishes messages 0 to n-1, persistent.
func (f *fixture) fill(name string, n int) {
	f.t.Helper()
	for i := range n {
		m := message("", name, fmt.Sprint(i), args("third", i%3 == 0))
		m.Persistent = true
		f.publish("", m)
	}
}

var thirds = Filter{Headers: []HeaderFilter{{Name: "third", Value: true}}}

func TestMoveCopyDelete(t *testing.T) {
	ctx := context.Background()
	inBubble(t, func(f *fixture) {
		f.queue("q")
		f.queue("other")
		f.exchange("x", "direct")
		f.bind("other", "x", "k")
		f.fill("q", 9)
		got, err := f.MoveMessages(ctx, Selection{Queue: "q", Filter: thirds, DryRun: true}, Target{ToQueue: true, Queue: "other"})
		if want := (Carried{Scanned: 9, Matched: 3, Done: 3}); err != nil || got != want {
			t.Errorf("dry run: %+v, %v; want %+v", got, err, want)
		}
		f.wantReady("q", 9)
		got, err = f.MoveMessages(ctx, Selection{Queue: "q", Filter: thirds}, Target{ToQueue: true, Queue: "other"})
		if want := (Carried{Scanned: 9, Matched: 3, Done: 3}); err != nil || got != want {
			t.Errorf("move: %+v, %v; want %+v", got, err, want)
		}
		if all := f.seen("other", Filter{RoutingKey: ptr("q")}); !slices.Equal(all, []string{"0", "3", "6"}) {
			t.Errorf("moved with their keys: %v", all)
		}
		got, err = f.CopyMessages(ctx, Selection{Queue: "q", Limit: 2}, Target{Exchange: "x", Key: "k", HasKey: true})
		if err != nil || got.Done != 2 || got.Matched != 2 {
			t.Errorf("copy: %+v, %v", got, err)
		}
		got, err = f.CopyMessages(ctx, Selection{Queue: "q", Limit: 2}, Target{Exchange: "x"})
		if err != nil || got.Done != 0 || got.Unroutable != 2 {
			t.Errorf("copy with a key that is not bound: %+v, %v", got, err)
		}
		if all := f.seen("other", Filter{Exchange: ptr("x")}); !slices.Equal(all, []string{"1", "2"}) {
			t.Errorf("copied: %v", all)
		}
		got, err = f.DeleteMessages(ctx, Selection{Queue: "q", Filter: Filter{IDs: map[uint64]struct{}{2: {}, 6: {}}}})
		if err != nil || got.Done != 2 {
			t.Errorf("delete: %+v, %v", got, err)
		}
		if all := f.bodies("q"); !slices.Equal(all, []string{"2", "4", "7", "8"}) {
			t.Errorf("left: %v", all)
		}
		// Into the same queue: each once.
		f.fill("q", 5)
		got, err = f.MoveMessages(ctx, Selection{Queue: "q"}, Target{ToQueue: true, Queue: "q"})
		if err != nil || got.Done != 5 {
			t.Errorf("to the same queue: %+v, %v", got, err)
		}
		f.wantReady("q", 5)
	})
}

// TestMoveStays: what is refused, seen before or not routed stays in its place.
func TestMoveStays(t *testing.T) {
	ctx := context.Background()
	inBubble(t, func(f *fixture) {
		f.queue("q")
		f.queue("full", "x-max-length", int32(2), "x-overflow", "reject-publish")
		f.queue("seen", "x-message-deduplication", true)
		f.exchange("nowhere", "fanout")
		for i := range 5 {
			f.publish("", message("", "q", fmt.Sprint(i), args("x-deduplication-header", fmt.Sprint(i/2))))
		}
		for _, c := range []struct {
			to   Target
			want Carried
			left []string
		}{
			{Target{Exchange: "nowhere"}, Carried{Scanned: 5, Matched: 5, Unroutable: 5}, []string{"0", "1", "2", "3", "4"}},
			{Target{ToQueue: true, Queue: "seen"}, Carried{Scanned: 5, Matched: 5, Done: 3, Duplicates: 2}, []string{"1", "3"}},
			{Target{ToQueue: true, Queue: "full"}, Carried{Scanned: 2, Matched: 2, Done: 2}, nil},
		} {
			got, err := f.MoveMessages(ctx, Selection{Queue: "q"}, c.to)
			if err != nil || got != c.want {
				t.Errorf("to %+v: %+v, %v; want %+v", c.to, got, err, c.want)
			}
			if left := f.seen("q", Filter{}); !slices.Equal(left, c.left) {
				t.Errorf("to %+v: left is %v, want %v", c.to, left, c.left)
			}
		}
		f.fill("q", 3)
		got, err := f.MoveMessages(ctx, Selection{Queue: "q"}, Target{ToQueue: true, Queue: "full"})
		if err != nil || got.Refused != 3 || got.Done != 0 {
			t.Errorf("to a full queue: %+v, %v", got, err)
		}
		if left := f.bodies("q"); !slices.Equal(left, []string{"0", "1", "2"}) {
			t.Errorf("left is %v", left)
		}
	})
}

func TestMoveRefused(t *testing.T) {
	f := newFixture(t)
	f.queue("q")
	ctx := context.Background()
	_, err := f.MoveMessages(ctx, Selection{Queue: "none"}, Target{ToQueue: true, Queue: "q"})
	f.wantError("from", err, amqp.CodeNotFound, "no queue 'none' in vhost '/'")
	_, err = f.MoveMessages(ctx, Selection{Queue: "q"}, Target{ToQueue: true, Queue: "none"})
	f.wantError("to", err, amqp.CodeNotFound, "no queue 'none' in vhost '/'")
	_, err = f.MoveMessages(ctx, Selection{Queue: "q"}, Target{Exchange: "none"})
	f.wantError("to", err, amqp.CodeNotFound, "no exchange 'none' in vhost '/'")
	f.fill("q", 3)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if got, err := f.DeleteMessages(cancelled, Selection{Queue: "q"}); !errors.Is(err, context.Canceled) || got.Done != 0 {
		t.Errorf("cancelled: %+v, %v", got, err)
	}
}

// splitStore writes down the batches that reach a store.
type splitStore struct {
	persistence.Store
	mixed, others int // batches with as many appends as settles, and others of either
}

func (s *splitStore) Write(b *persistence.Batch) {
	switch {
	case len(b.Appends)+len(b.Settles) == 0:
	case len(b.Appends) == len(b.Settles):
		s.mixed++
	default:
		s.others++
	}
	s.Store.Write(b)
}

// TestMoveIsOneBatch: the end of the old places and the new messages are handed to the
// store together, paged out or not, and are there after a restart.
func TestMoveIsOneBatch(t *testing.T) {
	f := openStored(t)
	for _, name := range []string{"q", "other"} {
		_, err := f.DeclareQueue(QueueDeclare{Name: name, Durable: true}, me)
		f.must(err)
	}
	f.fill("q", 200)
	f.restart() // now they are in the store only
	f.fill("q", 100)
	f.close()
	split := &splitStore{Store: f.store.Reopen()}
	f.pager = queue.NewPager(split, 0, 0)
	r, err := New(Options{Store: split, Pager: f.pager})
	f.must(err)
	f.VHost, err = r.VHost("/")
	f.must(err)
	f.registry, f.router = r, f.VHost.NewRouter()
	got, err := f.MoveMessages(context.Background(), Selection{Queue: "q", Filter: thirds}, Target{ToQueue: true, Queue: "other"})
	if err != nil || got.Done != 101 || split.others != 0 || split.mixed < 2 {
		t.Errorf("%+v, %v; %d batches had both, %d not", got, err, split.mixed, split.others)
	}
	f.wantReady("q", 199)
	f.wantReady("other", 101)
	left, moved := f.seen("q", thirds), f.seen("other", thirds)
	if len(left) != 0 || len(moved) != 101 || !reflect.DeepEqual(f.seen("other", Filter{}), moved) {
		t.Errorf("%d are left, %d moved", len(left), len(moved))
	}
}
