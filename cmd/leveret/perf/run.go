package perf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"sync"
	"time"
)

const (
	// tick is how often a run looks whether a phase is over.
	tick = 5 * time.Millisecond
	// silence is how long nothing may arrive before what is missing is lost.
	silence = 5 * time.Second
)

// run is one run of one workload against one broker.
type run struct {
	conf     config
	plan     *plan
	clock    clock
	stop     <-chan struct{} // closed: end early, but properly
	progress io.Writer       // nil: none
	silence  time.Duration

	topology  topology
	producers []*producer
	consumers []*consumer
	ledgers   []*ledger
	broker    broker
	loops     int        // goroutines that will report to ended
	ended     chan error // one of each goroutine; nil if it ended well

	shown     time.Time // of the last progress line
	shownWith sample
}

// execute runs a workload. A closed stop ends it early, ctx cuts it short. The
// result comes with an error if the broker failed the check, and is nil with
// any other error. progress may be nil.
func execute(ctx context.Context, stop <-chan struct{}, conf config, progress io.Writer) (*result, error) {
	return newRun(stop, conf, progress).execute(ctx)
}

func newRun(stop <-chan struct{}, conf config, progress io.Writer) *run {
	return &run{
		conf:     conf,
		clock:    clock{time.Now()},
		stop:     stop,
		progress: progress,
		silence:  silence,
		broker:   broker{os.DirFS("/proc"), conf.pid},
	}
}

func (r *run) execute(ctx context.Context) (*result, error) {
	if err := r.conf.check(); err != nil {
		return nil, err
	}
	if _, err := r.broker.cpu(); err != nil {
		return nil, err
	}
	r.plan = newPlan(r.conf, fmt.Sprintf("perf-%x-%x", os.Getpid(), time.Now().UnixNano()))
	for i := range r.plan.queues {
		r.ledgers = append(r.ledgers, newLedger(&r.plan.queues[i]))
	}
	res, err := r.measured(ctx)
	if downErr := r.tearDown(); err == nil {
		err = downErr
	}
	if err != nil {
		return nil, err
	}
	return res, res.Faults.err()
}

func (r *run) measured(ctx context.Context) (*result, error) {
	if err := r.setUp(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		return nil, err
	}
	res, err := r.measure(ctx)
	r.clearProgress()
	return res, err
}

// setUp connects and declares. What it made is in r, even if it fails.
func (r *run) setUp(ctx context.Context) error {
	a, err := parseURI(r.conf.uri)
	if err != nil {
		return err
	}
	// The control connection outlives an interruption: it cleans up.
	control, err := dial(context.WithoutCancel(ctx), a, 1)
	if err != nil {
		return err
	}
	r.topology = topology{plan: r.plan, kind: r.conf.exchange, control: control}
	for _, subs := range r.plan.subscriptions {
		c, err := dial(ctx, a, highestChannel(subs))
		if err != nil {
			return err
		}
		k := newConsumer(c, r.conf, r.plan, r.ledgers, subs, r.clock)
		r.consumers = append(r.consumers, k)
		if err := k.prepare(); err != nil {
			return err
		}
	}
	if err := r.topology.declare(ctx, r.consumers); err != nil {
		return err
	}
	for i, targets := range r.plan.targets {
		c, err := dial(ctx, a, highestChannel(targets))
		if err != nil {
			return err
		}
		p, err := newProducer(i, c, r.conf, targets, r.clock)
		if err != nil {
			c.release()
			return err
		}
		r.producers = append(r.producers, p)
		if err := p.prepare(); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a goroutine that must not fail.
func (r *run) begin(loop func() error) {
	r.loops++
	go func() { r.ended <- loop() }()
}

// measure is the run proper: warm up, publish, drain.
func (r *run) measure(ctx context.Context) (*result, error) {
	r.ended = make(chan error, 2*len(r.producers)+len(r.consumers))
	for _, k := range r.consumers {
		defer k.conn.bound(ctx)()
		r.begin(k.readLoop)
	}
	for _, p := range r.producers {
		defer p.conn.bound(ctx)()
		r.begin(p.readLoop)
	}
	if !r.conf.backlog {
		if err := r.subscribe(ctx); err != nil {
			return nil, err
		}
	}
	begin, err := r.publish(ctx)
	if err != nil {
		return nil, err
	}
	full, err := r.sample()
	if err != nil {
		return nil, err
	}
	r.stopProducers()
	if err := r.settle(ctx); err != nil {
		return nil, err
	}
	if r.conf.confirm > 0 && r.limited() {
		// Published is what is confirmed.
		if full, err = r.sample(); err != nil {
			return nil, err
		}
	}
	mem, err := r.broker.memory()
	if err != nil {
		return nil, err
	}
	drain := begin
	if r.conf.backlog {
		if drain, err = r.sample(); err != nil {
			return nil, err
		}
		if err := r.subscribe(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.drain(ctx); err != nil {
		return nil, err
	}
	end := full
	if r.limited() || r.conf.backlog {
		if end, err = r.sample(); err != nil {
			return nil, err
		}
		end.at = max(drain.at, r.lastArrival())
	}
	return r.result(begin, full, drain, end, mem), nil
}

// limited says that a number of messages ends the run, not time.
func (r *run) limited() bool { return r.conf.messages > 0 }

// subscribe starts the deliveries.
func (r *run) subscribe(ctx context.Context) error {
	for _, k := range r.consumers {
		if err := k.subscribe(); err != nil {
			return r.whyFailed(err)
		}
	}
	return r.await(ctx, func(int64) bool {
		for _, k := range r.consumers {
			select {
			case <-k.subscribed:
			default:
				return false
			}
		}
		return true
	})
}

// publish lets the producers run, until their time is up or all is sent. It
// returns the counters from when the warm-up was over.
func (r *run) publish(ctx context.Context) (begin sample, err error) {
	if begin, err = r.sample(); err != nil {
		return sample{}, err
	}
	start := begin.at
	from := start + int64(r.conf.warmup)
	for _, k := range r.consumers {
		if !r.conf.backlog {
			k.from.Store(from)
		}
	}
	for _, p := range r.producers {
		p.from = from
		p.pace = pace{start, r.conf.rate}
		r.begin(p.writeLoop)
	}
	if r.conf.warmup > 0 {
		err = r.await(ctx, func(now int64) bool { return now >= from || r.stopped() || r.allWritten() })
		if err != nil {
			return sample{}, err
		}
		if r.limited() && r.allWritten() {
			return sample{}, errors.New("all messages went out in the warm-up: there is nothing to measure")
		}
		if begin, err = r.sample(); err != nil {
			return sample{}, err
		}
	}
	until := int64(math.MaxInt64)
	if !r.limited() {
		until = from + int64(r.conf.time)
	}
	return begin, r.await(ctx, func(now int64) bool { return now >= until || r.stopped() || r.allWritten() })
}

// stopProducers ends publishing, but for writes that have begun.
func (r *run) stopProducers() {
	for _, p := range r.producers {
		p.gate.stop()
	}
}

// settle waits until everything that was begun is written and, if need be,
// confirmed, or nothing has moved for long.
func (r *run) settle(ctx context.Context) error {
	var last uint64
	quiet := r.clock.now()
	err := r.await(ctx, func(now int64) bool {
		acked, underWay := r.confirmed()
		if moved := acked + r.published() + r.received(); moved != last {
			last, quiet = moved, now
		}
		return r.allWritten() && underWay == 0 || now-quiet > int64(r.silence)
	})
	if err == nil && !r.allWritten() {
		err = fmt.Errorf("the broker has read nothing for %s", r.silence)
	}
	return err
}

// drain waits until everything has arrived or nothing has for long.
func (r *run) drain(ctx context.Context) error {
	if len(r.consumers) == 0 {
		return nil
	}
	quiet := r.clock.now()
	return r.await(ctx, func(now int64) bool {
		return r.missing() == 0 || now-max(quiet, r.lastArrival()) > int64(r.silence)
	})
}

// await returns when done says so; with an error if the broker or the run came
// to an end before.
func (r *run) await(ctx context.Context, done func(now int64) bool) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if done(r.clock.now()) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errInterrupted
		case err := <-r.ended:
			r.loops--
			if err != nil {
				if ctx.Err() != nil {
					return errInterrupted
				}
				return err
			}
		case now := <-ticker.C:
			r.showProgress(now)
		}
	}
}

// whyFailed prefers what a reader has to say to the error of a write.
func (r *run) whyFailed(err error) error {
	select {
	case why := <-r.ended:
		r.loops--
		if why != nil {
			return why
		}
	case <-time.After(time.Second):
	}
	return err
}

// tearDown closes the connections, deletes what is left and waits for all
// goroutines.
func (r *run) tearDown() error {
	r.stopProducers()
	r.hangUp()
	for ; r.loops > 0; r.loops-- {
		<-r.ended
	}
	if r.topology.control == nil {
		return nil
	}
	defer r.topology.control.close(nil)
	return r.topology.remove()
}

// hangUp closes all connections but the control connection. The second time it
// does nothing.
func (r *run) hangUp() {
	var closing sync.WaitGroup
	hangUp := func(c *conn, read <-chan struct{}) {
		if r.ended == nil { // nobody reads yet
			read = nil
		}
		closing.Go(func() { c.close(read) })
	}
	for _, p := range r.producers {
		hangUp(p.conn, p.read)
	}
	for _, k := range r.consumers {
		hangUp(k.conn, k.read)
	}
	closing.Wait()
}

// redacted is a URI without its password.
func redacted(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Redacted()
}
