package queue

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
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
	"pageout pageout pageout pageout write restart burst burst " +
	"leap leap cancelheld list refuse fail repair damage browse browse take")

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
	loose      int // dead letters of this operation that come in any order
}

// actor is a consumer, real and in the model.
type actor struct {
	real *receiver
	mod  *modelConsumer
}

// runProgram plays a program in a bubble of its own and returns the first
// difference between queue and model, at which operation that was, and which one
// has made the queue.
func runProgram(t *testing.T, program []byte) (at, opened int, err error) {
	synctest.Test(t, func(t *testing.T) {
		p := &play{t: t}
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
			p.shut()
		}()
		for at = 0; (at+1)*opSize <= len(program); at++ {
			before := p.storage
			if err = p.step(op(program[at*opSize:])); err != nil {
				return
			}
			if p.storage != before {
				opened = at
			}
		}
	})
	return at, opened, err
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
	p.pass(tick)
	p.loose = len(p.model.dead)
	if o.name() != "burst" {
		return p.do(o)
	}
	for i := range o[1] % 40 {
		if err := p.do(op{0, o[1] + i, o[2] + i*o[3]%5, o[3]}); err != nil {
			return fmt.Errorf("%v, at %d: %w", o, i, err)
		}
	}
	return nil
}

// untimed are the operations in which loading goes on meanwhile.
var untimed = strings.Fields("get getnoack advance leap restart repair damage take")

func (p *play) do(o op) error {
	// What is to be loaded is loaded after the effects are carried out, so that
	// those of both come in order.
	alone := !slices.Contains(untimed, o.name())
	mu := &p.queue.loading // of the queue before a restart
	if alone {
		mu.Lock()
	}
	real, want := p.act(o)
	p.after.carryOut(&p.fx)
	if alone {
		mu.Unlock()
	} else {
		p.loose = len(p.model.dead)
	}
	synctest.Wait()
	p.model.rearm()
	if !reflect.DeepEqual(real, want) {
		return fmt.Errorf("%v: queue says %v, model %v", o, real, want)
	}
	if err := p.compare(); err != nil {
		return fmt.Errorf("%v: %w", o, err)
	}
	return nil
}

// act does what an operation says; who does it, if it is a consumer, is for
// actOf.
func (p *play) act(o op) (real, want any) {
	m := p.model
	switch o.name() {
	case "publish":
		if m.passesOn {
			return p.hold(o)
		}
		return p.publish(o)
	case "consume":
		return p.consume(o)
	case "getnoack", "get":
		return p.fetch(o.name() == "getnoack")
	case "purge":
		if m.lasts(o) {
			return nil, nil
		}
		return p.queue.Purge(&p.fx), m.purge()
	case "policy":
		p.policy(o)
	case "declare":
		p.queue.Touch()
		if m.kind != TypeQuorum {
			m.lastUsed = m.now
		}
	case "delete":
		if m.lasts(o) {
			return nil, nil
		}
		return p.remove(o)
	case "advance":
		p.pass(time.Duration(o[1]%12) * ms)
	case "leap":
		p.pass(time.Duration(o[1]%16) * heldNear / 10)
	case "pageout":
		p.storage.pageOut(p.queue, o)
	case "write":
		p.storage.hold(o)
	case "restart":
		p.restart(o)
	case "cancelheld":
		return p.cancelHeld(o)
	case "list":
		return p.list(o)
	case "browse":
		return p.browse(o)
	case "take":
		return p.take(o)
	case "refuse":
		m.refuses = o[1]%2 == 0
		p.after.refuse(m.refuses)
	case "fail":
		p.fail()
	case "repair":
		p.repair()
	case "damage":
		p.damage(o)
	default:
		p.actOf(o)
	}
	return nil, nil
}

// lasts says that a queue is not to lose all: most that hold something are left
// alone, so that its time comes.
func (m *model) lasts(o op) bool { return len(m.held) > 0 && o[3]%8 != 0 }

// actOf does what a consumer does.
func (p *play) actOf(o op) {
	who := p.cast[o[1]%4]
	switch o.name() {
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
}

// sleep lets the bubble's time pass.
func (p *play) sleep(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (p *play) publish(o op) (real, want any) {
	p.made++
	msg := modelMessage{name: fmt.Sprintf("m%d", p.made), size: int64(o[1] % 8), priority: o[3], persistent: o[2]&16 != 0}
	if o[3] > 8 && o[3] < 200 {
		msg.priority %= 5
	}
	msg.passedOn = o[1] >= 240
	msg.redelivered = msg.passedOn
	m := message(msg.name, int(msg.size))
	m.Redelivered = msg.passedOn
	m.Priority, m.Persistent = msg.priority, msg.persistent
	m.Expiration = []int64{-1, -1, -1, 0, 2, 5, 11}[o[2]%7]
	p.headers(o, m, &msg)
	var rec *persistence.Record
	out := p.queue.Publish(m, &rec, &p.fx)
	if rec != nil {
		p.fx.Append(rec, nil, 0)
	}
	return out, p.model.publish(msg, m.Expiration)
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
	timeout := []time.Duration{-1, -1, -1, 0, 4*ms + oddOwnTimeout}[o[3]/12%5]
	a := &actor{&receiver{name: name, noAck: noAck, prefetch: prefetch},
		&modelConsumer{name: name, noAck: noAck, prefetch: prefetch, exclusive: exclusive, priority: priority, timeout: timeout}}
	a.real.onTake = func(d Delivery) { p.deliveries = append(p.deliveries, name+" "+showAll(d)) }
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
		p.model.settle("requeue", CauseLost, a.mod, tags)
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
	why := []Cause{CauseNack, CauseNack, CauseReject, CauseRecover}[o[2]/4%4]
	switch verb {
	case "ack":
		p.queue.Ack(ids, &p.fx)
	case "reject":
		p.queue.Reject(ids, &p.fx)
	case "requeue":
		p.queue.Requeue(ids, why, &p.fx)
	}
	p.model.settle(verb, why, a.mod, tags)
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
		real = fmt.Sprintf("%s, %d left", showAll(d), left)
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
	if len(m.hurt) > 0 {
		m.lose(p.there())
	}
	var ready, consumers, present []string
	for _, msg := range m.ready {
		ready = append(ready, msg.name)
	}
	for _, c := range m.consumers {
		consumers = append(consumers, c.name)
	}
	for _, c := range p.queue.Consumers() {
		present = append(present, c.Key.Tag)
	}
	dead, cancelled := p.after.news()
	held, wait := p.waiting()
	for _, pair := range []struct {
		what       string
		real, want any
	}{
		{"closed", isClosed(p.queue), m.closed},
		{"deliveries", p.deliveries, m.deliveries},
		{"dead letters", p.inOrder(dead, m.dead), p.inOrder(m.dead, nil)},
		{"passed on", p.after.passedOn(), m.passed},
		{"cancelled", cancelled, m.cancelled},
		{"ready", inLine(p.queue), ready},
		{"held", held, wait},
		{"consumers", present, consumers},
		{"stats", stats, p.stats(stats)},
	} {
		if !reflect.DeepEqual(pair.real, pair.want) {
			return fmt.Errorf("%s: queue has\n%+v, model\n%+v", pair.what, pair.real, pair.want)
		}
	}
	p.deliveries, p.loose = nil, 0
	m.deliveries, m.dead, m.cancelled, m.passed = nil, nil, nil, nil
	if err := p.storage.compare(p.queue, m); err != nil {
		return err
	}
	return invariants(p.queue)
}

// stats is what Stats should be; the model knows nothing of what is paged out, nor of
// times.
func (p *play) stats(real Stats) Stats {
	m := p.model
	want := Stats{Ready: len(m.ready), ReadyBytes: m.bytes(), Held: len(m.held), HeldBytes: m.heldBytes(),
		Consumers: len(m.consumers), Counts: m.counts, PagedOut: real.PagedOut, Stored: real.Stored, Memory: real.Memory,
		Persistent: real.Persistent, PersistentBytes: real.PersistentBytes, // see invariants
		ConsumerCapacity: real.ConsumerCapacity, IdleSince: real.IdleSince}
	if m.closed {
		return want
	}
	want.Unacked, want.UnackedBytes = m.getter.unacked()
	for _, a := range p.cast {
		if a != nil {
			n, bytes := a.mod.unacked()
			want.Unacked += n
			want.UnackedBytes += bytes
		}
	}
	return want
}

// inOrder sorts those dead letters that come in any order. Of those that the
// model says come perhaps again, it leaves that out.
func (p *play) inOrder(dead, model []string) (sorted []string) {
	perhaps := map[string]bool{}
	for _, s := range model {
		if s, ok := strings.CutSuffix(s, " perhaps"); ok {
			perhaps[s+" again"] = true
		}
	}
	for _, s := range dead {
		if perhaps[s] {
			s = strings.TrimSuffix(s, " again")
		}
		sorted = append(sorted, strings.TrimSuffix(s, " perhaps"))
	}
	slices.Sort(sorted[:min(p.loose, len(sorted))])
	return sorted
}
