package crashtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// A message is its flow and its number there: everything about it follows from
// these, so that whatever comes back can be compared byte by byte.
type message struct {
	flow int
	seq  int
}

const (
	headSize = 12
	// transientEach is how often a message is not persistent.
	transientEach = 16
	priorities    = 5
	// late is the delay of messages that outlast several runs, and never of
	// those that outlast the test.
	late  = 4 * time.Second
	never = 10 * 365 * 24 * time.Hour
)

func (m message) String() string { return fmt.Sprintf("%s/%d", flows[m.flow].name, m.seq) }

func (m message) transient() bool { return flows[m.flow].transients && m.seq%transientEach == 7 }

func (m message) priority() uint8 { return uint8(m.seq * 7 % priorities) }

// size is some hundred bytes mostly, at times some thousand, rarely so much that
// a chunk is its own.
func (m message) size(r *rand.Rand) int {
	switch n := r.IntN(1000); {
	case n == 0:
		return headSize + r.IntN(400<<10)
	case n < 100:
		return headSize + r.IntN(8<<10)
	}
	return headSize + r.IntN(600)
}

// delay is for how long a message of flowDelay is held back, else 0.
func (m message) delay() time.Duration {
	switch {
	case m.flow != flowDelay, m.seq%10 == 0:
		return 0
	case m.seq%100 == 99:
		return never
	case m.seq%20 == 19:
		return late
	}
	return time.Duration(rand.New(rand.NewPCG(1, uint64(m.seq))).IntN(3000)) * time.Millisecond
}

// nacks is how often a message of flowRetry is given back before it is acked.
// More than retryLimit times is too often.
func (m message) nacks() int {
	return [...]int{0, 1, 0, 2, 0, 3, 0, retryLimit + 1}[m.seq%8]
}

// patient messages of flowRetry say themselves that they wait longer, over a
// crash if one comes.
func (m message) patient() bool { return m.seq%16 == 3 }

// backoff is how long a message waits that has come back for the nth time.
func (m message) backoff(n int) time.Duration {
	if m.patient() {
		return patience
	}
	return min(retryMin<<(n-1), retryMax)
}

// earliest is how long after it was published a message may come from a queue.
func (m message) earliest(queue string) time.Duration {
	if queue == "crash.expired" {
		return expireAfter
	}
	return m.delay()
}

// delayHeader is the header x-delay as it is published.
func (m message) delayHeader() any {
	if n := m.delay().Milliseconds(); n > math.MaxInt32 {
		return n
	}
	return int32(m.delay().Milliseconds())
}

// delayedHeader is it as it is delivered, with another sign.
func (m message) delayedHeader() any {
	if n, long := m.delayHeader().(int64); long {
		return -n
	}
	return -m.delayHeader().(int32)
}

// body is the flow, the number, and noise.
func (m message) body() []byte {
	r := rand.New(rand.NewPCG(uint64(m.flow), uint64(m.seq)))
	b := make([]byte, m.size(r)+7)
	binary.BigEndian.PutUint32(b, uint32(m.flow))
	binary.BigEndian.PutUint64(b[4:], uint64(m.seq))
	size := len(b) - 7
	for i := headSize; i < size; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b[:size]
}

func (m message) publishing() amqp091.Publishing {
	p := amqp091.Publishing{
		DeliveryMode: amqp091.Persistent,
		MessageId:    m.String(),
		ContentType:  "application/octet-stream",
		Priority:     m.priority(),
		Headers:      amqp091.Table{"seq": int64(m.seq), "odd": m.seq%2 == 1},
		Body:         m.body(),
	}
	switch m.flow {
	case flowDelay:
		p.Headers["x-delay"] = m.delayHeader()
	case flowRetry:
		if m.patient() {
			p.Headers["x-retry-backoff"] = "constant"
			p.Headers["x-retry-min"], p.Headers["x-retry-max"] = patience.Milliseconds(), patience.Milliseconds()
		}
	case flowOnce:
		p.Headers["x-deduplication-header"] = m.String()
	}
	if m.transient() {
		p.DeliveryMode = amqp091.Transient
	}
	if m.seq%3 == 0 {
		p.Expiration = "3600000"
	}
	return p
}

// identify finds out which message was delivered; the error says in what it is
// not as it was published. A dead-lettered one has lost its expiration, and has
// more headers.
func identify(d *amqp091.Delivery) (message, error) {
	if len(d.Body) < headSize {
		return message{}, fmt.Errorf("a body of %d bytes", len(d.Body))
	}
	m := message{int(binary.BigEndian.Uint32(d.Body)), int(binary.BigEndian.Uint64(d.Body[4:]))}
	if m.flow >= len(flows) || m.seq < 0 {
		return message{}, fmt.Errorf("a body that names flow %d, message %d", m.flow, m.seq)
	}
	want := m.publishing()
	if d.Headers["x-death"] != nil {
		want.Expiration = ""
	}
	switch {
	case !bytes.Equal(d.Body, want.Body):
		return m, fmt.Errorf("%v has a wrong body: %d bytes, want %d", m, len(d.Body), len(want.Body))
	case d.MessageId != want.MessageId, d.ContentType != want.ContentType, d.Priority != want.Priority,
		d.DeliveryMode != want.DeliveryMode, d.Expiration != want.Expiration:
		return m, fmt.Errorf("%v has wrong properties: id %q, type %q, priority %d, mode %d, expiration %q", m, d.MessageId, d.ContentType, d.Priority, d.DeliveryMode, d.Expiration)
	case d.Headers["seq"] != want.Headers["seq"], d.Headers["odd"] != want.Headers["odd"]:
		return m, fmt.Errorf("%v has wrong headers: %v", m, d.Headers)
	case m.flow == flowDelay && d.Headers["x-delay"] != m.delayedHeader():
		return m, fmt.Errorf("%v has a header x-delay of %v, want %v", m, d.Headers["x-delay"], m.delayedHeader())
	}
	return m, nil
}
