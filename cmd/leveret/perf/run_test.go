package perf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server/servertest"
)

// workload is a preset cut down to a moment.
func workload(t *testing.T, name, uri string) config {
	t.Helper()
	for _, conf := range presets() {
		if conf.preset == name {
			conf.uri = uri
			conf.messages, conf.warmup = 300, 0
			conf.bindings = min(conf.bindings, 200)
			conf.queues = min(conf.queues, 20)
			return conf
		}
	}
	t.Fatalf("there is no preset %s", name)
	return config{}
}

// do runs a workload. silence is how soon it gives up on what is missing: short
// if something will be.
func do(t *testing.T, conf config, silence time.Duration) (*result, error) {
	t.Helper()
	r := newRun(nil, conf, nil)
	r.silence = silence
	return r.execute(t.Context())
}

const (
	soon  = 200 * time.Millisecond
	never = time.Minute
)

func TestPresetsLeaveNothingBehind(t *testing.T) {
	for _, preset := range presets() {
		t.Run(preset.preset, func(t *testing.T) {
			b := startFake(t, nil)
			conf := workload(t, preset.preset, b.uri())
			res, err := do(t, conf, never)
			if err != nil {
				t.Fatal(err)
			}
			published := uint64(conf.messages * conf.producers)
			if res.Published != published || uint64(b.published) != published {
				t.Errorf("published %d, the broker saw %d, want %d", res.Published, b.published, published)
			}
			if res.Delivered != uint64(b.n) || res.Delivered < published {
				t.Errorf("delivered %d, the broker routed %d", res.Delivered, b.n)
			}
			if res.PublishRate <= 0 || res.DeliverRate <= 0 {
				t.Errorf("rates %g and %g", res.PublishRate, res.DeliverRate)
			}
			if got := res.Latency != nil; got == conf.backlog {
				t.Errorf("latency was measured: %v", got)
			}
			if got := res.ConfirmLatency != nil; got != (conf.confirm > 0) {
				t.Errorf("confirm latency was measured: %v", got)
			}
			if want := published / uint64(conf.ackEvery) * uint64(conf.ackEvery); !conf.autoAck && b.acked != want {
				t.Errorf("acknowledged %d, want %d", b.acked, want)
			}
			b.listener.Close()
			b.conns.Wait()
			if len(b.queues) > 0 || len(b.exchanges) > 0 {
				t.Errorf("left behind: %d queues, %d exchanges", len(b.queues), len(b.exchanges))
			}
		})
	}
}

func TestPresetsAgainstLeveret(t *testing.T) {
	b := servertest.Start(t)
	for _, preset := range presets() {
		t.Run(preset.preset, func(t *testing.T) {
			conf := workload(t, preset.preset, b.URL)
			conf.messages = 3000
			if conf.confirm == 1 {
				conf.messages = 100
			}
			if _, err := do(t, conf, never); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFaultsAreFound(t *testing.T) {
	at := func(do misdeed, numbers ...int) func(int) misdeed {
		return func(n int) misdeed {
			for _, m := range numbers {
				if n == m {
					return do
				}
			}
			return none
		}
	}
	confirm := func(do misdeed) func(uint64) misdeed {
		return func(tag uint64) misdeed {
			if tag == 7 {
				return do
			}
			return none
		}
	}
	for _, c := range []struct {
		name    string
		preset  string
		message func(int) misdeed
		confirm func(uint64) misdeed
		want    faults
		text    string
	}{
		{"lost", "transient", at(lose, 5), nil, faults{Lost: 1}, "the check failed: 1 lost"},
		{"lost first and last", "ack", at(lose, 0, 299), nil, faults{Lost: 2}, "2 lost"},
		{"lost of one queue", "fanout", at(lose, 33), nil, faults{Lost: 1}, "1 lost"},
		{"lost by topic", "topic", at(lose, 100, 200, 201), nil, faults{Lost: 3}, "3 lost"},
		{"doubled", "transient", at(double, 0, 299), nil, faults{Duplicates: 2}, "2 duplicate"},
		{"doubled by topic", "topic", at(double, 3), nil, faults{Duplicates: 1}, "1 duplicate"},
		{"swapped", "confirm", at(swap, 10, 20), nil, faults{OutOfOrder: 2}, "2 out of order"},
		{"damaged", "transient", at(cut, 4), nil, faults{Lost: 1, Damaged: 1}, "1 lost, 1 damaged"},
		{"misrouted", "many", at(misfile, 0), nil, faults{Lost: 1, Misrouted: 1}, "1 lost, 1 misrouted"},
		{"refused", "confirm", nil, confirm(nack), faults{Refused: 1}, "1 refused (basic.nack)"},
		{"not confirmed", "confirm", nil, confirm(lose), faults{Unconfirmed: 1}, "1 not confirmed"},
		{"confirmed twice", "confirm1", nil, confirm(double), faults{BadConfirms: 1}, "1 confirmed without need"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startFake(t, func(b *fakeBroker) {
				if c.message != nil {
					b.message = c.message
				}
				if c.confirm != nil {
					b.confirm = c.confirm
				}
			})
			res, err := do(t, workload(t, c.preset, b.uri()), soon)
			if res == nil {
				t.Fatal(err)
			}
			if res.Faults != c.want {
				t.Errorf("found %+v, want %+v", res.Faults, c.want)
			}
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q in it", err, c.text)
			}
		})
	}
}

// Whether what a queue loses is found must not depend on who else consumes.
func TestFaultsAmongCompetingConsumers(t *testing.T) {
	b := startFake(t, func(b *fakeBroker) {
		b.message = func(n int) misdeed {
			switch n {
			case 11:
				return lose
			case 22:
				return double
			}
			return none
		}
	})
	conf := workload(t, "ack", b.uri())
	conf.producers, conf.consumers, conf.queues = 2, 5, 2
	res, err := do(t, conf, soon)
	if res == nil {
		t.Fatal(err)
	}
	if want := (faults{Lost: 1, Duplicates: 1}); res.Faults != want {
		t.Errorf("found %+v, want %+v", res.Faults, want)
	}
}

func TestMultipleConfirms(t *testing.T) {
	b := startFake(t, func(b *fakeBroker) { b.multiple = 10 })
	conf := workload(t, "confirm", b.uri())
	conf.confirm = 20
	if _, err := do(t, conf, never); err != nil {
		t.Error(err)
	}
}

func TestBrokersErrorsAreTold(t *testing.T) {
	on := func(do misdeed) func(*fakeBroker) {
		return func(b *fakeBroker) {
			b.message = func(n int) misdeed {
				if n == 3 {
					return do
				}
				return none
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*fakeBroker)
		uri    func(string) string
		want   string
	}{
		{"connection", on(closeConnection), nil, "the broker sent connection.close 320: CONNECTION_FORCED - enough"},
		{"channel", on(closeChannel), nil, "the broker sent channel.close 404: NOT_FOUND - no exchange (after basic.publish)"},
		{"declare", func(b *fakeBroker) { b.refuse = "queue.declare" }, nil,
			"queue.declare: the broker sent channel.close 403: ACCESS_REFUSED - not you (after queue.declare)"},
		{"consume", func(b *fakeBroker) { b.refuse = "basic.consume" }, nil, "ACCESS_REFUSED - not you (after basic.consume)"},
		{"password", nil, func(s string) string { return strings.Replace(s, ":guest@", ":x@", 1) }, "403: ACCESS_REFUSED - Login was refused"},
		{"frame-max", func(b *fakeBroker) { b.frameMax = 100 }, nil, "frames of at most 100 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startFake(t, c.change)
			conf := workload(t, "transient", b.uri())
			if c.uri != nil {
				conf.uri = c.uri(conf.uri)
			}
			res, err := do(t, conf, never)
			if res != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q in it", err, c.want)
			}
		})
	}
}

func TestTooManyChannels(t *testing.T) {
	b := startFake(t, nil)
	conf := workload(t, "many", b.uri())
	conf.queues, conf.producers, conf.consumers, conf.channels = 101, 1, 1, 200
	if _, err := do(t, conf, never); err == nil || !strings.Contains(err.Error(), "allows 100 channels, and 101 are needed") {
		t.Error(err)
	}
}

func TestBlockedIsTold(t *testing.T) {
	b := startFake(t, func(b *fakeBroker) {
		b.message = func(n int) misdeed {
			if n == 50 {
				return block
			}
			return none
		}
	})
	res, err := do(t, workload(t, "confirm1", b.uri()), never)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Blocked {
		t.Error("the result does not say that the broker blocked")
	}
}

// A body of many frames, both ways, and a heartbeat on the way.
func TestLargeBodiesAndHeartbeats(t *testing.T) {
	b := startFake(t, func(b *fakeBroker) { b.frameMax, b.heartbeat = 4096, 1 })
	conf := workload(t, "confirm", b.uri())
	conf.size, conf.messages, conf.rate = 50_000, 120, 100
	if _, err := do(t, conf, never); err != nil {
		t.Fatal(err)
	}
	if b.beats < 3 { // one of each connection at least
		t.Errorf("%d heartbeats", b.beats)
	}
}

func TestByTimeAndRate(t *testing.T) {
	b := startFake(t, nil)
	conf := workload(t, "transient", b.uri())
	conf.messages, conf.warmup, conf.time, conf.rate = 0, 50*time.Millisecond, 200*time.Millisecond, 1000
	var progress bytes.Buffer
	r := newRun(nil, conf, &progress)
	r.shown, r.shownWith = time.Now().Add(-time.Second), sample{at: 1}
	res, err := r.execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res.PublishSeconds < 0.2 || res.DeliverSeconds < 0.2 {
		t.Errorf("%g and %g s were measured", res.PublishSeconds, res.DeliverSeconds)
	}
	if most := uint64(r.clock.now()/1e6) + 1; res.Published == 0 || res.Published > most {
		t.Errorf("published %d, and no more than %d were due", res.Published, most)
	}
	if !strings.Contains(progress.String(), "msg/s") {
		t.Errorf("progress is %q", progress.String())
	}
}

func TestWarmUpMustEndFirst(t *testing.T) {
	b := startFake(t, nil)
	conf := workload(t, "transient", b.uri())
	conf.warmup = time.Hour
	if _, err := do(t, conf, never); err == nil || !strings.Contains(err.Error(), "warm-up") {
		t.Error(err)
	}
}

func TestStopEndsProperly(t *testing.T) {
	stop := make(chan struct{})
	b := startFake(t, func(b *fakeBroker) {
		b.message = func(n int) misdeed {
			if n == 20 {
				close(stop)
			}
			return none
		}
	})
	conf := workload(t, "confirm", b.uri())
	conf.messages, conf.time, conf.rate = 0, time.Hour, 500
	res, err := newRun(stop, conf, nil).execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res.Published < 21 || res.Published != res.Delivered {
		t.Errorf("published %d, delivered %d", res.Published, res.Delivered)
	}
}

func TestInterruptCleansUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := startFake(t, func(b *fakeBroker) {
		b.message = func(n int) misdeed {
			if n == 20 {
				cancel()
			}
			return none
		}
	})
	conf := workload(t, "confirm", b.uri())
	conf.messages, conf.time = 0, time.Hour
	if _, err := newRun(nil, conf, nil).execute(ctx); !errors.Is(err, errInterrupted) {
		t.Error(err)
	}
	b.listener.Close()
	b.conns.Wait()
	if len(b.queues) > 0 {
		t.Errorf("%d queues left behind", len(b.queues))
	}
}

func TestPlanDealsOut(t *testing.T) {
	for _, c := range []struct {
		queues, producers, consumers, channels int
		persistent                             bool
		want                                   string
	}{
		{1, 1, 1, 1, false, "P[0/1] C[0/1] x"},
		{1, 2, 1, 9, false, "P[0/1] P[0/1] C[0/1] x"},
		{1, 1, 2, 9, false, "P[0/1] C[0/1] C[0/1] -"},
		{4, 2, 1, 2, false, "P[0/1 2/2] P[1/1 3/2] C[0/1 1/2 2/1 3/2] xxxx"},
		{3, 1, 2, 1, true, "P[0/1 1/1 2/1] C[0/1 2/1] C[1/1] ---"},
		{2, 1, 0, 1, false, "P[0/1 1/1]  --"},
	} {
		p := newPlan(config{queues: c.queues, producers: c.producers, consumers: c.consumers, channels: c.channels, persistent: c.persistent}, "q")
		var s []string
		for _, targets := range p.targets {
			var in []string
			for _, t := range targets {
				in = append(in, fmt.Sprintf("%d/%d", t.queues[0], t.channel))
			}
			s = append(s, fmt.Sprintf("P%v", in))
		}
		for _, subs := range p.subscriptions {
			var in []string
			for _, t := range subs {
				in = append(in, fmt.Sprintf("%d/%d", t.queue, t.channel))
			}
			s = append(s, fmt.Sprintf("C%v", in))
		}
		exclusive := ""
		for _, q := range p.queues {
			exclusive += map[bool]string{true: "x", false: "-"}[q.exclusive]
		}
		if c.consumers == 0 {
			s = append(s, "")
		}
		if got := strings.Join(append(s, exclusive), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c, got, c.want)
		}
	}
}
