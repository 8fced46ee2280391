package queue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// receiver stands in for a session's channel with one consumer: it takes
// deliveries up to its prefetch and remembers them by tag. As in the session,
// its lock is taken while the queue's is held, never the other way round.
type receiver struct {
	name     string
	prefetch int // 0: no limit
	noAck    bool
	consumer *Consumer

	mu      sync.Mutex
	tags    []taken // delivery tag n is tags[n-1]
	seen    int     // how many of tags a test has looked at
	unacked int
	parked  bool
	closing bool // takes nothing more
	wakes   int
	onTake  func(Delivery) // may be nil
}

// taken is a delivery and whether it is still owed an answer.
type taken struct {
	Delivery
	open bool
}

func (r *receiver) Offer(d Delivery, fx *Effects) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing || !r.noAck && r.prefetch > 0 && r.unacked >= r.prefetch {
		r.parked = true
		return false
	}
	r.takeLocked(d)
	fx.Wake(r)
	return true
}

func (r *receiver) Wake() {
	r.mu.Lock()
	r.wakes++
	r.mu.Unlock()
}

func (r *receiver) takeLocked(d Delivery) {
	r.tags = append(r.tags, taken{d, !r.noAck})
	if !r.noAck {
		r.unacked++
	}
	if r.onTake != nil {
		r.onTake(d)
	}
}

// release turns tags into the IDs that the queue wants and gives back their
// credit. A tag that was settled before costs no credit twice, but its ID is
// passed on: the queue has to cope.
func (r *receiver) release(tags []int) (ids []ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, tag := range tags {
		d := &r.tags[tag-1]
		if d.open {
			d.open = false
			r.unacked--
		}
		ids = append(ids, d.ID)
	}
	return ids
}

// giveUp is what a session does when its consumer has timed out.
func (r *receiver) giveUp() {
	tags := r.open()
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	r.release(tags)
}

// open returns the tags that are still owed an answer.
func (r *receiver) open() (tags []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, d := range r.tags {
		if d.open {
			tags = append(tags, i+1)
		}
	}
	return tags
}

// unpark reports once that the receiver was parked.
func (r *receiver) unpark() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.parked
	r.parked = false
	return was
}

// news returns what came since the last call, as show writes it.
func (r *receiver) news() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var words []string
	for _, d := range r.tags[r.seen:] {
		words = append(words, show(d.Delivery))
	}
	r.seen = len(r.tags)
	return strings.Join(words, " ")
}

// show writes a delivery as the message's name, with a star if it is
// redelivered and how often it came back if the queue tells.
func show(d Delivery) string {
	s := d.Message.RoutingKey
	if d.Redelivered {
		s += "*"
	}
	if d.ShowReturns {
		s += fmt.Sprint(d.Returns)
	}
	return s
}

// showAll is show with a mark if it is told how often the message was tried.
func showAll(d Delivery) string {
	s := show(d)
	if d.ShowAttempts {
		s += "^"
	}
	return s
}

// message makes a transient message that lives for ever. Tests know messages
// by their routing keys.
func message(name string, size int) *amqp.Message {
	m := amqp.NewMessage("", []byte(name), nil, size)
	m.AppendBody(make([]byte, size))
	return m
}

// held is an item, and the name of its message wherever that is.
type held struct {
	item
	name string
}

// items returns what is in a line, in order.
func (c *core) items(ln *line) (out []held) {
	for i := range ln.back {
		out = append(out, held{ln.back[i], ln.back[i].msg.RoutingKey})
	}
	for f := range ln.fifos {
		for s := f.head; s != nil; s = s.next {
			if s.packed == nil {
				for i := range s.items[s.first:s.end] {
					it := s.items[s.first+i]
					out = append(out, held{it, it.msg.RoutingKey})
				}
				continue
			}
			for p := range unpack(s.packed, s.count()) {
				it := p.item()
				it.rec = p.record(nil, c.id)
				out = append(out, held{it, c.store.(*fakeStore).name(p.ref)})
			}
		}
	}
	slices.SortFunc(out, func(a, b held) int { return cmp.Compare(a.seq, b.seq) })
	return out
}

// inLine returns the names of the ready messages in the order in which they
// would be served.
func inLine(q *Queue) (names []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for p := len(q.core.ready.levels); p >= 0; p-- {
		if ln := q.core.ready.line(uint8(p)); ln != nil {
			for _, it := range q.core.items(ln) {
				names = append(names, it.name)
			}
		}
	}
	return names
}

// aftermath does what the vhost would do with effects and keeps what it was.
type aftermath struct {
	mu              sync.Mutex // a timer's goroutine may come in
	dead, cancelled []string
	passed          []string // what was held and is due, with the time
	refuses         bool     // dead letters find no queue
	detailed        bool     // all of a dead letter is noted, and the times in nanoseconds
}

// showDead writes a dead letter.
func (a *aftermath) showDead(d *DeadLetter) string {
	s := d.Message.RoutingKey + " " + string(d.Reason)
	if a.detailed {
		s = fmt.Sprintf("%s to %q %d at %d%s", s, d.Exchange, d.Attempts, time.Now().UnixNano(), again(d.Again))
	}
	return s
}

func (a *aftermath) showDue(d *Due) string {
	if a.detailed {
		return fmt.Sprintf("%s at %d%s", d.Message.RoutingKey, time.Now().UnixNano(), again(d.Again))
	}
	return fmt.Sprint(d.Message.RoutingKey, " ", time.Now().UnixMilli())
}

func again(yes bool) string {
	if yes {
		return " again"
	}
	return ""
}

func (a *aftermath) carryOut(fx *Effects) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for fx.Pending() {
		for _, d := range fx.TakeDead() {
			a.dead = append(a.dead, a.showDead(&d))
			switch {
			case d.Keep && a.refuses:
				d.Queue.KeepDead(&d, fx)
			case d.Keep:
				d.Taken(fx)
			}
		}
		for _, d := range fx.TakeDue() {
			a.passed = append(a.passed, a.showDue(&d))
		}
		for _, q := range fx.TakeUnused() {
			q.DeleteUnused(fx)
		}
		for _, c := range fx.TakeCancelled() {
			name := c.Key.Tag
			if after := c.TimedOut(); after > 0 {
				name += " after " + after.String()
				c.Receiver.(*receiver).giveUp()
			}
			a.cancelled = append(a.cancelled, name)
		}
	}
	fx.WakeAll()
}

// refuse says whether dead letters find no queue from now on.
func (a *aftermath) refuse(yes bool) {
	a.mu.Lock()
	a.refuses = yes
	a.mu.Unlock()
}

// passedOn returns what was passed on since the last call.
func (a *aftermath) passedOn() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, a.passed = a.passed, nil
	return all
}

// news returns the dead letters and cancelled consumers since the last call.
func (a *aftermath) news() (dead, cancelled []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dead, cancelled = a.dead, a.cancelled
	a.dead, a.cancelled = nil, nil
	return dead, cancelled
}

// isClosed asks under the lock.
func isClosed(q *Queue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
