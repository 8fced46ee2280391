package queue

import (
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// model is a queue that is too simple to be wrong: slices, looked through from
// the front each time. The tests hold the real queue against it.
type model struct {
	kind       string
	arguments  amqp.Table
	base       Limits // of the arguments
	limits     Limits // in force
	autoDelete bool
	passesOn   bool
	refuses    bool // dead letters find no queue
	now        int64

	ready     []modelMessage
	consumers []*modelConsumer
	past      []*modelConsumer // who have left, perhaps not with empty hands
	active    *modelConsumer
	yielding  bool // active is to be replaced when it has nothing
	getter    *modelConsumer
	stamps    int
	places    int
	closed    bool
	lastUsed  int64
	counts    Counts
	recovered int // the last place that was there at start

	held     []modelMessage // by the time at which they are due
	wakeAt   int64          // what of that the timer is set for,
	wakes    int64          // and when it fires
	released int64          // when something was, last
	keys     []modelKey     // the oldest first

	// of what is in the store only
	stuck  map[int]bool    // places of messages that cannot be read now
	hurt   map[string]bool // messages that can never be read again
	behind bool            // trim waits for a message that is stuck

	// what happened
	deliveries, dead, cancelled, passed []string
}

type modelMessage struct {
	name        string
	place       int // in line, for ever
	priority    uint8
	size        int64
	expires     int64 // 0: never
	returns     uint32
	stored      uint32 // returns, as the store knows it,
	storedDue   int64  // and when it is due
	redelivered bool
	passedOn    bool // by another queue, perhaps twice
	persistent  bool

	due    int64  // while it is held
	why    Reason // if it is a dead letter then
	retry  modelRetry
	key    string // "" for none
	keyTTL int64  // in milliseconds, negative for what the queue says
}

type modelConsumer struct {
	name             string
	noAck, exclusive bool
	priority         int64
	prefetch         int
	timeout          time.Duration // its own, 0 for none, negative for the queue's
	arrival          int
	tags             []modelTag

	waiting bool // for messages,
	since   int  // and who has waited longest is served
	started bool
	parked  bool
	closing bool
	gone    bool
}

// modelTag is a delivery: message, and whether it is unacked.
type modelTag struct {
	modelMessage
	open bool
	at   int64 // when it was handed out
}

func (c *modelConsumer) unacked() (n int, bytes int64) {
	for _, t := range c.tags {
		if t.open {
			n++
			bytes += t.size
		}
	}
	return n, bytes
}

func (c *modelConsumer) takes() bool {
	n, _ := c.unacked()
	return !c.closing && (c.noAck || c.prefetch == 0 || n < c.prefetch)
}

// insert puts a message where its priority and place say.
func (m *model) insert(msg modelMessage) {
	i := 0
	for ; i < len(m.ready); i++ {
		o := m.ready[i]
		if o.priority < msg.priority || o.priority == msg.priority && o.place > msg.place {
			break
		}
	}
	m.ready = slices.Insert(m.ready, i, msg)
}

func (m *model) bytes() (sum int64) {
	for _, msg := range m.ready {
		sum += msg.size
	}
	return sum
}

func (m *model) over(length, bytes int64) bool {
	l := m.limits
	return l.MaxLength >= 0 && length > l.MaxLength || l.MaxBytes >= 0 && bytes > l.MaxBytes
}

// expire removes the dead from the head, but for the message named spared.
func (m *model) expire(spared string) {
	for len(m.ready) > 0 {
		head := m.ready[0]
		if head.expires == 0 || head.expires > m.now || head.name == spared || m.stuck[head.place] {
			return
		}
		m.ready = m.ready[1:]
		m.counts.Expired++
		m.kill(head, Expired)
	}
}

// trim drops from the head what is too much.
func (m *model) trim() {
	m.behind = false
	for m.limits.Overflow == DropHead && len(m.ready) > 0 && m.over(int64(len(m.ready)), m.bytes()) {
		if m.behind = m.stuck[m.ready[0].place]; m.behind {
			return
		}
		m.kill(m.ready[0], MaxLen)
		m.ready = m.ready[1:]
		m.counts.Dropped++
	}
}

// turn returns whose turn it is: of the highest priority that waits, who has
// waited longest.
func (m *model) turn() (best *modelConsumer) {
	for _, c := range m.consumers {
		if c.waiting && (best == nil || c.priority > best.priority ||
			c.priority == best.priority && c.since < best.since) {
			best = c
		}
	}
	return best
}

func (m *model) wait(c *modelConsumer) {
	m.stamps++
	c.waiting, c.since = true, m.stamps
}

func (m *model) hand(c *modelConsumer) modelMessage {
	msg := m.ready[0]
	m.ready = m.ready[1:]
	c.tags = append(c.tags, modelTag{msg, !c.noAck, m.now})
	if msg.redelivered {
		m.counts.Redelivered++
	}
	return msg
}

func (m *model) serve(spared string) {
	for {
		m.expire(spared)
		c := m.turn()
		if len(m.ready) == 0 || c == nil || m.stuck[m.ready[0].place] {
			return
		}
		if !c.takes() {
			c.waiting, c.parked = false, true
			continue
		}
		msg := m.hand(c)
		m.deliveries = append(m.deliveries, c.name+" "+msg.show(m.limits))
		if c.noAck {
			m.counts.DeliveredNoAck++
		} else {
			m.counts.Delivered++
		}
		m.wait(c)
	}
}

func (msg modelMessage) show(l Limits) string {
	return showAll(Delivery{Message: &amqp.Message{RoutingKey: msg.name}, Returns: msg.returns,
		ShowReturns: l.CountDeliveries, ShowAttempts: l.Retry.Backoff != NoBackoff, Redelivered: msg.redelivered})
}

// publish adds a message with a time to live in milliseconds, negative for none.
func (m *model) publish(msg modelMessage, ttl int64) Outcome {
	if m.closed {
		return Closed
	}
	m.expire("")
	full := m.limits.Overflow != DropHead && m.over(int64(len(m.ready))+1, m.bytes()+msg.size)
	switch {
	case m.seen(msg):
		m.counts.Deduplicated++
		return Duplicate
	case full && m.limits.Overflow == RejectPublishDLX:
		msg.place = m.recovered + 1 // none
		m.kill(msg, MaxLen)
		return Refused
	case full:
		return Refused
	}
	m.remember(msg)
	m.counts.Published++
	m.places++
	msg.place = m.places
	msg.priority = min(msg.priority, m.limits.MaxPriority)
	if ttl >= 0 {
		msg.expires = m.now + ttl*int64(time.Millisecond)
	}
	if l := m.limits.TTL; l >= 0 && (msg.expires == 0 || m.now+int64(l) < msg.expires) {
		msg.expires = m.now + int64(l)
	}
	m.insert(msg)
	m.serve(msg.name)
	m.trim()
	m.expire("")
	return Accepted
}

// consume returns nil if it is not allowed.
func (m *model) consume(c *modelConsumer) *modelConsumer {
	c.exclusive = c.exclusive && m.kind != TypeQuorum
	taken := slices.ContainsFunc(m.consumers, func(o *modelConsumer) bool { return o.exclusive })
	if m.closed || taken || c.exclusive && (len(m.consumers) > 0 || m.limits.SingleActive) {
		return nil
	}
	m.consumers = append(m.consumers, c)
	m.stamps++
	c.arrival = m.stamps
	if m.active == nil {
		m.active = c
	}
	m.succeed()
	m.lastUsed = m.now
	return c
}

// succeed looks who should be the single active consumer: the highest priority,
// and of those who is it already, or who came first. It is not before the other
// has nothing any more.
func (m *model) succeed() {
	if !m.limits.SingleActive || m.active == nil {
		return
	}
	best, was := m.active, m.yielding
	for _, c := range m.consumers {
		if c.priority > best.priority {
			best = c
		}
	}
	n, _ := m.active.unacked()
	m.yielding = best != m.active && n > 0
	switch {
	case m.yielding:
		m.active.waiting = false
	case best != m.active:
		m.active.waiting, m.active = false, best
		m.start(best)
	case was:
		m.start(best)
	}
}

// start lets a consumer wait for messages that has said before that it is ready.
func (m *model) start(c *modelConsumer) {
	if c.started && !c.waiting {
		m.wait(c)
	}
}

func (m *model) resume(c *modelConsumer) {
	if m.closed || c.gone {
		return
	}
	c.started = true
	if !m.limits.SingleActive || m.active == c && !m.yielding {
		m.start(c)
	}
	m.serve("")
}

func (m *model) cancel(c *modelConsumer) {
	if m.closed || c.gone {
		return
	}
	m.leave(c)
	m.serve("")
	m.left()
}

// left notes it if nobody consumes any more.
func (m *model) left() {
	if len(m.consumers) == 0 {
		m.lastUsed = m.now
		if m.autoDelete {
			m.close()
		}
	}
}

// leave takes a consumer out, and lets another take over.
func (m *model) leave(c *modelConsumer) {
	c.gone, c.waiting = true, false
	m.past = append(m.past, c)
	m.consumers = slices.DeleteFunc(m.consumers, func(o *modelConsumer) bool { return o == c })
	if m.active == c {
		m.active, m.yielding = nil, false
		if len(m.consumers) > 0 {
			m.active = m.consumers[0]
			m.succeed()
			if m.limits.SingleActive {
				m.start(m.active)
			}
		}
	}
	m.succeed()
}

func (m *model) close() {
	for _, c := range m.consumers {
		c.gone = true
		m.cancelled = append(m.cancelled, c.name)
	}
	m.consumers, m.ready, m.held, m.closed = nil, nil, nil, true
}

// settle is an ack, a reject or a requeue of deliveries, each of which may have
// been settled before; then the consumer, if parked, says that it can go on.
func (m *model) settle(verb string, why Cause, c *modelConsumer, tags []int) {
	if m.closed {
		return
	}
	var messages []modelMessage
	for _, tag := range tags {
		if t := &c.tags[tag-1]; t.open {
			t.open = false
			messages = append(messages, t.modelMessage)
		}
	}
	for _, msg := range messages {
		switch verb {
		case "ack":
			m.counts.Acked++
		case "reject":
			m.counts.Rejected++
			m.kill(msg, Rejected)
		case "requeue":
			m.comeBack(msg, why)
		}
	}
	if verb == "requeue" {
		m.trim()
	}
	yields := m.yielding
	m.succeed()
	if verb == "requeue" || yields && !m.yielding {
		m.serve("")
	}
}

func (m *model) get(noAck bool) (msg modelMessage, left int, ok bool) {
	if m.closed {
		return modelMessage{}, 0, false
	}
	m.lastUsed = m.now
	m.expire("")
	switch {
	case len(m.ready) == 0:
		m.counts.GotEmpty++
		return modelMessage{}, 0, false
	case m.stuck[m.ready[0].place]:
		return modelMessage{}, len(m.ready), false
	}
	msg = m.hand(m.getter)
	if noAck {
		m.getter.tags[len(m.getter.tags)-1].open = false
		m.counts.GotNoAck++
	} else {
		m.counts.Got++
	}
	m.expire("")
	return msg, len(m.ready), true
}

func (m *model) purge() int {
	n := len(m.ready) + len(m.held)
	m.ready, m.held, m.behind = nil, nil, false
	return n
}

// remove returns -1 if it is not allowed.
func (m *model) remove(ifUnused, ifEmpty bool) int {
	if ifEmpty && len(m.ready) > 0 || ifUnused && len(m.consumers) > 0 {
		return -1
	}
	n := len(m.ready)
	if !m.closed {
		m.close()
	}
	return n
}

// advance lets time pass from one thing that happens by itself to the next.
func (m *model) advance(d int64) {
	for target := m.now + d; ; {
		next := target + 1
		if len(m.ready) > 0 && m.ready[0].expires != 0 && !m.stuck[m.ready[0].place] {
			next = min(next, m.ready[0].expires)
		}
		if m.wakeAt != 0 {
			next = min(next, m.wakes)
		}
		if at := m.nextTimeout(); at != 0 {
			next = min(next, at)
		}
		unused := m.lastUsed + int64(m.limits.Expires)
		if m.limits.Expires > 0 && len(m.consumers) == 0 && !m.closed {
			next = min(next, unused)
		}
		if next > target {
			m.now = target
			return
		}
		m.now = next
		m.expire("")
		m.timeOut()
		if next == unused {
			m.close()
		}
		if m.wakeAt != 0 && next == m.wakes {
			m.wakeAt = 0
			m.release()
		}
		m.rearm()
	}
}

// restart is what a broker's end and start leave of a stored queue. Places count
// from the last that was found.
func (m *model) restart() {
	all := slices.Concat(m.ready, m.held)
	for _, c := range m.everybody() {
		all = append(all, c.unackedMessages()...)
	}
	*m = model{kind: m.kind, arguments: m.arguments, base: m.base, limits: m.limits, autoDelete: m.autoDelete,
		passesOn: m.passesOn, refuses: m.refuses, now: m.now, lastUsed: m.now, getter: &modelConsumer{name: getter},
		keys: m.keys, stuck: m.stuck, hurt: m.hurt,
		deliveries: m.deliveries, dead: m.dead, cancelled: m.cancelled, passed: m.passed}
	for _, msg := range all {
		if !msg.persistent {
			continue
		}
		m.places = max(m.places, msg.place)
		msg.redelivered, msg.returns, msg.why = true, msg.stored, ""
		switch {
		case m.hurt[msg.name]:
			m.counts.Damaged++
		case m.passesOn || msg.storedDue > m.now:
			m.hold(msg, msg.storedDue)
		default:
			m.insert(msg)
		}
	}
	m.recovered = m.places
	m.expire("")
	m.rearm()
}

// everybody returns all who may have unacked messages.
func (m *model) everybody() []*modelConsumer {
	return append(slices.Concat(m.consumers, m.past), m.getter)
}

func (c *modelConsumer) unackedMessages() (all []modelMessage) {
	for _, t := range c.tags {
		if t.open {
			all = append(all, t.modelMessage)
		}
	}
	return all
}
