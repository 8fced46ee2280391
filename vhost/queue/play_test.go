package queue

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// opSize is how many bytes of a program make one operation.
const opSize = 4

// op is one operation of a program: what to do, and three numbers for it.
type op [opSize]byte

// opNames are the operations; the more often one stands here, the more often
// a random program does it.
var opNames = strings.Fields("publish publish publish publish publish consume ready cancel close " +
	"ack ack reject requeue requeue again get getnoack purge advance advance declare delete policy " +
	"pageout pageout pageout pageout write restart burst burst")

func (o op) name() string { return opNames[int(o[0])%len(opNames)] }

func (o op) String() string { return fmt.Sprintf("%s %d %d %d", o.name(), o[1], o[2], o[3]) }

// play runs programs against a queue and the model at once.
type play struct {
	t     *testing.T
	queue *Queue
	fx    Effects
	model *model
	cast  [4]*actor // consumers, by slot
	get   *actor
	made  int // names given

	after      *aftermath
	deliveries []string
	storage    *storage
}

// actor is a consumer, real and in the model.
type actor struct {
	real *receiver
	mod  *modelConsumer
}

// runProgram plays a program in a bubble of its own and returns the first
// difference between queue and model, and at which operation that was.
func runProgram(t *testing.T, program []byte) (at int, err error) {
	synctest.Test(t, func(t *testing.T) {
		p := &play{t: t}
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
			p.shut()
		}()
		for at = 0; (at+1)*opSize <= len(program); at++ {
			if err = p.step(op(program[at*opSize:])); err != nil {
				return
			}
		}
	})
	return at, err
}

// open makes a queue as the bytes say.
func (p *play) open(o op) {
	l := NoLimits()
	x, y, z := o[1], o[2], o[3]
	l.Overflow = Overflow(x % 3)
	l.MaxLength = []int64{-1, -1, 0, 1, 3, 8}[x/3%6]
	l.MaxBytes = []int64{-1, -1, 4, 20}[x/18%4]
	l.MaxPriority = []uint8{0, 0, 1, 3, 255}[y%5]
	l.TTL = []time.Duration{-1, -1, -1, 0, 3 * time.Millisecond, 9 * time.Millisecond}[y/5%6]
	l.DeliveryLimit = []int64{-1, -1, -1, 0, 2}[y/30%5]
	l.SingleActive = z&3 == 0
	l.DeadLetter = z&12 != 0
	l.CountDeliveries = z&16 != 0
	if z&96 == 0 {
		// Never at the same moment as a message's death: which of two timers
		// goes first is nobody's business.
		l.Expires = 20*time.Millisecond + time.Microsecond
	}
	// Nor at that of a timeout.
	l.ConsumerTimeout = []time.Duration{0, 0, 5*time.Millisecond + 101*time.Microsecond}[x/24%3]
	autoDelete := z&128 != 0 && z&3 == 1
	p.after, p.deliveries = &aftermath{}, nil
	p.shut()
	p.storage = newStorage(p.t, x/72)
	p.queue = New(p.storage.options(Options{VHost: "/", Name: "q", AutoDelete: autoDelete, Limits: l, Apply: p.after.carryOut}))
	now := time.Now().UnixNano()
	p.model = &model{base: l, limits: l, autoDelete: autoDelete, now: now, lastUsed: now,
		getter: &modelConsumer{name: getter}}
	p.enter()
}

// enter begins with nobody there.
func (p *play) enter() {
	p.get = &actor{&receiver{name: getter, consumer: &Consumer{}}, p.model.getter}
	p.cast = [4]*actor{}
}

// shut ends what open began.
func (p *play) shut() {
	if p.queue != nil {
		p.queue.Delete(false, false, &p.fx)
		p.after.carryOut(&p.fx)
		p.storage.close()
	}
}

// step does one operation on both sides and compares them.
func (p *play) step(o op) error {
	if p.queue == nil || p.model.closed && o[3]&3 != 0 {
		p.open(o)
		return nil
	}
	if o.name() == "burst" {
		for i := range o[1] % 40 {
			if err := p.step(op{0, o[1] + i, o[2] + i*o[3]%5, o[3]}); err != nil {
				return fmt.Errorf("%v, at %d: %w", o, i, err)
			}
		}
		return nil
	}
	m, who := p.model, p.cast[o[1]%4]
	var real, want any
	// What is to be loaded is loaded after the effects are carried out, so that
	// those of both come in order.
	loads := []*sync.Mutex{&p.queue.loading}
	if name := o.name(); name == "get" || name == "getnoack" || name == "advance" {
		loads = nil
	}
	for _, mu := range loads {
		mu.Lock()
	}
	switch o.name() {
	case "publish":
		real, want = p.publish(o)
	case "consume":
		real, want = p.consume(o)
	case "getnoack", "get":
		real, want = p.fetch(o.name() == "getnoack")
	case "purge":
		real, want = p.queue.Purge(&p.fx), m.purge()
	case "policy":
		p.policy(o)
	case "declare":
		p.queue.Touch()
		m.lastUsed = m.now
	case "delete":
		real, want = p.remove(o)
	case "advance":
		d := time.Duration(o[1]%12) * time.Millisecond
		<-time.After(d) // of the bubble's clock
		synctest.Wait()
		m.advance(int64(d))
	case "pageout":
		p.storage.pageOut(p.queue, o)
	case "write":
		p.storage.hold(o)
	case "restart":
		p.restart(o)
	case "ack", "reject", "requeue", "again":
		if o[1]%5 == 4 {
			who = p.get
		}
		if who != nil {
			p.settle(o, who)
		}
	default:
		if who != nil {
			p.consumer(o.name(), who)
		}
	}
	p.after.carryOut(&p.fx)
	for _, mu := range loads {
		mu.Unlock()
	}
	synctest.Wait()
	if !reflect.DeepEqual(real, want) {
		return fmt.Errorf("%v: queue says %v, model %v", o, real, want)
	}
	if err := p.compare(); err != nil {
		return fmt.Errorf("%v: %w", o, err)
	}
	return nil
}

func (p *play) publish(o op) (real, want any) {
	p.made++
	name := fmt.Sprintf("m%d", p.made)
	size, priority := o[1]%8, o[3]
	if o[3] > 8 && o[3] < 200 {
		priority %= 5
	}
	m := message(name, int(size))
	m.Priority, m.Persistent = priority, o[2]&16 != 0
	m.Expiration = []int64{-1, -1, -1, 0, 2, 5, 11}[o[2]%7]
	var rec *persistence.Record
	out := p.queue.Publish(m, &rec, &p.fx)
	if rec != nil {
		p.fx.Append(rec, nil, 0)
	}
	return out, p.model.publish(name, int64(size), priority, m.Expiration, m.Persistent)
}

func (p *play) consume(o op) (real, want any) {
	slot := &p.cast[o[1]%4]
	if *slot != nil && (!(*slot).mod.gone || len((*slot).real.open()) > 0) {
		return nil, nil // the place is taken
	}
	p.made++
	name := fmt.Sprintf("c%d", p.made)
	noAck, exclusive := o[2]%5 == 0, o[2]%7 == 0
	priority, prefetch := int64(o[3]%3)-1, int(o[3]/3%4)
	timeout := []time.Duration{-1, -1, -1, 0, 4*time.Millisecond + 211*time.Microsecond}[o[3]/12%5]
	a := &actor{&receiver{name: name, noAck: noAck, prefetch: prefetch},
		&modelConsumer{name: name, noAck: noAck, prefetch: prefetch, exclusive: exclusive, priority: priority, timeout: timeout}}
	a.real.onTake = func(d Delivery) { p.deliveries = append(p.deliveries, name+" "+show(d)) }
	c, err := p.queue.Consume(Spec{Key: Key{Tag: name}, Receiver: a.real, NoAck: noAck,
		Exclusive: exclusive, Priority: priority, Timeout: timeout, HasTimeout: timeout >= 0})
	allowed := p.model.consume(a.mod) != nil
	if err == nil && allowed {
		a.real.consumer = c
		*slot = a
		if o[3] < 200 {
			p.consumer("ready", a)
		}
	}
	return err == nil, allowed
}

// policy applies or removes one.
func (p *play) policy(o op) {
	def := map[string]any{}
	x, y := o[1], o[2]
	for _, entry := range []struct {
		on    bool
		key   string
		value any
	}{
		{x&1 == 1, "max-length", int64(o[3] % 9)},
		{x&6 == 6, "max-length-bytes", int64(o[3])},
		{x&24 == 24, "message-ttl", int64(o[3] % 7)},
		{x&96 == 96, "delivery-limit", int64(o[3]%4) - 1},
		{y&3 == 3, "overflow", []string{"drop-head", "reject-publish", "reject-publish-dlx"}[o[3]%3]},
		{y&4 == 4, "dead-letter-exchange", "x"},
	} {
		if entry.on && y&128 == 0 {
			def[entry.key] = entry.value
		}
	}
	p.queue.SetPolicy(Applied{Policy: "p", Definition: def}, &p.fx)
	p.model.policy(def)
}

func (p *play) consumer(verb string, a *actor) {
	switch verb {
	case "ready":
		p.queue.Ready(a.real.consumer, &p.fx)
		p.model.resume(a.mod)
	case "cancel":
		p.queue.Cancel(a.real.consumer, &p.fx)
		p.model.cancel(a.mod)
	case "close":
		tags := a.real.open()
		a.real.closing, a.mod.closing = true, true
		p.queue.Requeue(a.real.release(tags), CauseLost, &p.fx)
		p.queue.Cancel(a.real.consumer, &p.fx)
		p.model.settle("requeue", a.mod, tags)
		p.model.cancel(a.mod)
	}
}

// settle gives back one delivery, all up to one, all, or any that ever was.
func (p *play) settle(o op, a *actor) {
	verb, tags := o.name(), a.real.open()
	switch {
	case verb == "again":
		verb = []string{"ack", "reject", "requeue"}[o[2]%3]
		tags = nil
		if n := len(a.real.tags); n > 0 {
			tags = []int{int(o[3])%n + 1, int(o[3]/2)%n + 1, int(o[3])%n + 1}
		}
	case len(tags) == 0:
	case o[2]%4 == 0:
		tags = tags[:int(o[3])%len(tags)+1]
	case o[2]%4 == 1:
		slices.Reverse(tags)
	default:
		i := int(o[3]) % len(tags)
		tags = tags[i : i+1]
	}
	ids := a.real.release(tags)
	switch verb {
	case "ack":
		p.queue.Ack(ids, &p.fx)
	case "reject":
		p.queue.Reject(ids, &p.fx)
	case "requeue":
		p.queue.Requeue(ids, CauseNack, &p.fx)
	}
	p.model.settle(verb, a.mod, tags)
	parked := a.mod.parked
	a.mod.parked = false
	if a.real.unpark() {
		p.queue.Ready(a.real.consumer, &p.fx)
	}
	if parked {
		p.model.resume(a.mod)
	}
}

func (p *play) fetch(noAck bool) (real, want any) {
	paged := p.queue.Stats().PagedOut > 0
	d, left, ok := p.queue.Get(noAck, &p.fx)
	msg, modelLeft, modelOK := p.model.get(noAck)
	if paged {
		modelLeft = left // what has died may be counted until it is loaded
	}
	if ok {
		p.get.real.tags = append(p.get.real.tags, taken{d, !noAck})
		real = fmt.Sprintf("%s, %d left", show(d), left)
	}
	if modelOK {
		want = fmt.Sprintf("%s, %d left", msg.show(p.model.limits), modelLeft)
	}
	return real, want
}

func (p *play) remove(o op) (real, want any) {
	ifUnused, ifEmpty := o[1]&3 != 0, o[1]&12 != 0
	n, err := p.queue.Delete(ifUnused, ifEmpty, &p.fx)
	if err != nil {
		n = -1
	}
	return n, p.model.remove(ifUnused, ifEmpty)
}

// compare holds everything that shows against the model.
func (p *play) compare() error {
	m, stats := p.model, p.queue.Stats()
	want := Stats{Ready: len(m.ready), ReadyBytes: m.bytes(), Consumers: len(m.consumers), Counts: m.counts,
		PagedOut: stats.PagedOut} // the model knows nothing of it
	var ready, consumers []string
	for _, msg := range m.ready {
		ready = append(ready, msg.name)
	}
	for _, c := range m.consumers {
		consumers = append(consumers, c.name)
	}
	if !m.closed {
		want.Unacked, want.UnackedBytes = m.getter.unacked()
		for _, a := range p.cast {
			if a != nil {
				n, bytes := a.mod.unacked()
				want.Unacked += n
				want.UnackedBytes += bytes
			}
		}
	}
	dead, cancelled := p.after.news()
	var present []string
	for _, c := range p.queue.Consumers() {
		present = append(present, c.Key.Tag)
	}
	for _, pair := range []struct {
		what       string
		real, want any
	}{
		{"closed", isClosed(p.queue), m.closed},
		{"deliveries", p.deliveries, m.deliveries},
		{"dead letters", dead, m.dead},
		{"cancelled", cancelled, m.cancelled},
		{"ready", inLine(p.queue), ready},
		{"consumers", present, consumers},
		{"stats", stats, want},
	} {
		if !reflect.DeepEqual(pair.real, pair.want) {
			return fmt.Errorf("%s: queue has\n%+v, model\n%+v", pair.what, pair.real, pair.want)
		}
	}
	p.deliveries = nil
	m.deliveries, m.dead, m.cancelled = nil, nil, nil
	if err := p.storage.compare(p.queue, m); err != nil {
		return err
	}
	return invariants(p.queue)
}
