package queue

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// headers gives a message a key and a say in its retries, and says what it is in
// the model.
func (p *play) headers(o op, m *amqp.Message, msg *modelMessage) {
	var headers amqp.Table
	x, y := int64(o[1]), o[2]>>5
	msg.retry, msg.keyTTL = modelRetry{"", -1, -1, -1}, -1
	if k := x / 8 % 5; p.model.base.Dedup != nil && k > 0 {
		msg.key = fmt.Sprint("k", k)
		headers = headers.With(dedup.DefaultHeader, msg.key)
		if y >= 5 {
			msg.keyTTL = []int64{0, 4, 300}[y-5]
			headers = headers.With(dedup.ArgumentTTL, int32(msg.keyTTL))
		}
	}
	if y == 7 && p.model.limits.Retry.Backoff != NoBackoff {
		msg.retry = modelRetry{[]string{"", "constant", "linear", "exponential", "other"}[x%5],
			[]int64{-1, 0, 1, 3}[x/5%4], []int64{-1, 2, 6}[x/20%3], []int64{-1, 0, 2}[x/60%3]}
		for name, n := range map[string]int64{"x-retry-min": msg.retry.min, "x-retry-max": msg.retry.max, "x-retry-limit": msg.retry.limit} {
			if n >= 0 {
				headers = headers.With(name, n)
			}
		}
		if msg.retry.backoff != "" {
			headers = headers.With(argBackoff, msg.retry.backoff)
		}
	}
	if headers != nil {
		if err := setHeaders(m, headers); err != nil {
			p.t.Fatal(err)
		}
	}
}

// hold is publish for a queue that passes on what it holds. Some times are at
// the same moment, some have been.
func (p *play) hold(o op) (real, want any) {
	now, n := p.model.now, int64(o[1])
	due := []int64{
		now + (n%30-3)*int64(ms),
		(now/1e7 + 1 + n%4) * 1e7,
		(now/1e9 + 1 + n%12) * 1e9,
		now + heldNear + n*50*int64(ms),
	}[o[2]%4]
	p.made++
	msg := modelMessage{name: fmt.Sprintf("m%d", p.made), size: int64(o[3] % 8), persistent: p.storage.id != 0}
	var rec *persistence.Record
	msg.passedOn = o[3] >= 240
	msg.redelivered = msg.passedOn
	m := message(msg.name, int(msg.size))
	m.Redelivered = msg.passedOn
	out := p.queue.Hold(m, due, &rec, &p.fx)
	if rec != nil {
		p.fx.Append(rec, nil, 0)
	}
	return out, p.model.holdNew(msg, due)
}

// list looks at some of what is held.
func (p *play) list(o op) (real, want any) {
	m, offset, limit := p.model, int(o[1]%6)-1, int(o[2]%5)
	list, total, err := p.queue.Held(offset, limit)
	words := []string{fmt.Sprint(total, " in all")}
	for _, h := range list {
		words = append(words, showHeld(h.Message.RoutingKey, h.Number, h.Due.UnixNano(), h.Returns))
	}
	expected := []string{fmt.Sprint(len(m.held), " in all")}
	if offset >= 0 && offset < len(m.held) {
		for _, msg := range m.held[offset:min(offset+limit, len(m.held))] {
			switch {
			case m.stuck[msg.place]:
				return err != nil, true
			case !m.hurt[msg.name]:
				expected = append(expected, showHeld(msg.name, uint64(msg.place), msg.due, msg.returns))
			}
		}
	}
	if err != nil {
		return err, nil
	}
	return words, expected
}

func showHeld(name string, number uint64, due int64, returns uint32) string {
	return fmt.Sprintf("%s number %d due %d, back %d times", name, number, due, returns)
}

// cancelHeld drops one that is held, or perhaps none.
func (p *play) cancelHeld(o op) (real, want any) {
	place := 1 << 40
	if n := len(p.model.held); n > 0 && o[2]%8 > 0 {
		place = p.model.held[int(o[1])%n].place
	}
	return p.queue.CancelHeld(uint64(place), &p.fx), p.model.cancelHeld(place)
}

// fail lets the store read no more.
func (p *play) fail() {
	if p.storage.pager != nil {
		p.storage.store.failReads(errors.New("reading fails"))
		p.model.learn(p.stuck())
	}
}

// repair lets it read again, and the queue try.
func (p *play) repair() {
	if p.storage.pager == nil || p.model.closed || !p.fails() {
		return
	}
	p.storage.store.failReads(nil)
	p.load()
	p.model.unstick()
}

func (p *play) fails() bool {
	s := p.storage.store
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing != nil
}

// load has the queue load what it wants, and what that makes it want.
func (p *play) load() {
	if err := p.queue.serve(); err != nil {
		panic(err)
	}
	synctest.Wait()
}

// stuck returns the places whose messages are in the store only, if that cannot
// be read.
func (p *play) stuck() map[int]bool {
	if !p.fails() {
		return nil
	}
	stuck := map[int]bool{}
	ready, held := outOfMemory(p.queue)
	for _, it := range append(ready, held...) {
		stuck[int(it.seq)] = true
	}
	return stuck
}

// outOfMemory returns what of a queue is in the store only.
func outOfMemory(q *Queue) (ready, waiting []held) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &q.core
	for _, ln := range c.ready.all {
		for _, it := range c.items(ln) {
			if it.msg == nil {
				ready = append(ready, it)
			}
		}
	}
	if c.held != nil {
		for _, part := range [][]heldAway{c.held.away, c.held.loading} {
			for _, a := range part {
				waiting = append(waiting, held{item{seq: a.seq}, c.store.(*fakeStore).name(a.ref())})
			}
		}
	}
	return ready, waiting
}

// damage makes some messages unreadable. Those that are ready are found out at
// once, because they are read; those that are held when they are due.
func (p *play) damage(o op) {
	if p.storage.pager == nil || p.model.closed {
		return
	}
	p.repair()
	q := p.queue
	q.mu.Lock()
	q.core.ahead = true
	var next []string
	for _, l := range q.core.loads() {
		for r := range unpack(l.seg.packed, l.seg.count()) {
			next = append(next, p.storage.store.name(r.ref))
		}
	}
	q.mu.Unlock()
	_, waiting := outOfMemory(q)
	for _, it := range waiting {
		next = append(next, it.name)
	}
	p.hurt(next, o)
	p.load()
	p.model.lose(p.there())
	p.model.serve("")
	p.model.rearm()
}

// hurt damages a part of some messages.
func (p *play) hurt(names []string, o op) {
	p.storage.store.mu.Lock()
	defer p.storage.store.mu.Unlock()
	for _, name := range names {
		h := fnv.New32a()
		fmt.Fprint(h, name, o[2])
		if h.Sum32()%8 < 1+uint32(o[3]%4) {
			p.model.hurt[name] = true
		}
	}
}

// heal makes all that is left readable again.
func (p *play) heal() {
	p.storage.store.mu.Lock()
	clear(p.model.hurt)
	p.storage.store.mu.Unlock()
}

// there returns the names of what is ready or held.
func (p *play) there() map[string]bool {
	there := map[string]bool{}
	for _, name := range inLine(p.queue) {
		there[name] = true
	}
	for _, l := range p.queue.heldAll() {
		there[p.nameOf(l)] = true
	}
	return there
}

func (p *play) nameOf(l listed) string {
	if l.msg != nil {
		return l.msg.RoutingKey
	}
	return p.storage.store.name(l.ref)
}

// waiting writes what is held, in order.
func (p *play) waiting() (real, want []string) {
	all := p.queue.heldAll()
	slices.SortFunc(all, compareHeld)
	for _, l := range all {
		real = append(real, showHeld(p.nameOf(l), l.seq, l.due, l.returns))
	}
	for _, msg := range p.model.held {
		want = append(want, showHeld(msg.name, uint64(msg.place), msg.due, msg.returns))
	}
	return real, want
}

// restart begins anew, if that leaves a queue. Where all messages are read then,
// some may be damaged.
func (p *play) restart(o op) {
	if p.storage.id == 0 || p.model.closed {
		return
	}
	p.heal()
	if p.storage.pager == nil && o[1]%4 == 0 {
		p.storage.store.setHeld(false)
		p.hurt(p.storage.names(), o)
	}
	random := rand.New(rand.NewPCG(uint64(o[1]), 1))
	p.queue = p.storage.restart(p.queue, func(q *Queue, found []persistence.Recovered) {
		q.recovery = newRecovery(q.opts.Limits.MaxPriority, 1+int(o[3]%4)*8)
		for range len(found) * int(o[2]%3) / 4 {
			i, j := random.IntN(len(found)), random.IntN(len(found))
			found[i], found[j] = found[j], found[i]
		}
	})
	p.model.learn(p.stuck())
	p.model.restart()
	p.enter()
}

// pass lets time go by.
func (p *play) pass(d time.Duration) {
	p.model.learn(p.stuck())
	p.sleep(d)
	p.model.advance(int64(d))
}
