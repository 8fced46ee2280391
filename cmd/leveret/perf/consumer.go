package perf

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// consumer consumes on one connection. readLoop, its only goroutine, reads,
// checks and acknowledges.
type consumer struct {
	// immutable once it runs
	conn     *conn
	conf     config
	clock    clock
	streams  []stream // by consumer tag, which is the index in decimal
	channels uint16

	read       chan struct{} // closed when readLoop ends
	subscribed chan struct{} // closed with the last basic.consume-ok

	// owned by readLoop
	inbound []inbound // by channel − 1
	acks    []byte    // frames to write
	got     uint64    // messages of this reading
	pending int       // basic.consume-ok that are due
	latency latency
	damaged uint64

	from     atomic.Int64  // messages due before this are not measured
	over     atomic.Bool   // what comes from now on, redelivered, is not looked at
	received atomic.Uint64 // distinct messages
	arrival  atomic.Int64  // when the last of them came, of the clock
}

// stream is what comes from one queue.
type stream struct {
	queue   string
	channel uint16
	audit   *auditor
}

// inbound is the content that is coming in on a channel [2.3.5.2].
type inbound struct {
	stream  *stream // nil: none is
	tag     uint64
	left    uint64 // bytes of the body to come, once head is true
	size    uint64
	head    bool // the content header has come
	start   [stampSize]byte
	started int // bytes of start
	unacked int // messages since the last ack
}

func newConsumer(c *conn, conf config, p *plan, ledgers []*ledger, subs []subscription, clk clock) *consumer {
	k := &consumer{
		conn:       c,
		conf:       conf,
		clock:      clk,
		channels:   highestChannel(subs),
		read:       make(chan struct{}),
		subscribed: make(chan struct{}),
		pending:    len(subs),
		latency:    newLatency(),
	}
	k.from.Store(math.MaxInt64)
	k.inbound = make([]inbound, k.channels)
	for _, s := range subs {
		k.streams = append(k.streams, stream{p.queues[s.queue].name, s.channel, newAuditor(ledgers[s.queue])})
	}
	return k
}

// prepare opens the channels and limits the prefetch.
func (k *consumer) prepare() error {
	if err := k.conn.openChannels(k.channels); err != nil {
		return err
	}
	for ch := uint16(1); k.conf.prefetch > 0 && !k.conf.autoAck && ch <= k.channels; ch++ {
		if _, err := k.conn.call(ch, &amqp.BasicQos{PrefetchCount: uint16(k.conf.prefetch)}); err != nil {
			return err
		}
	}
	return nil
}

// subscribe asks for messages. readLoop, which runs by then, sees the answers.
func (k *consumer) subscribe() error {
	for i, s := range k.streams {
		err := k.conn.send(s.channel, &amqp.BasicConsume{
			Queue:       s.queue,
			ConsumerTag: strconv.Itoa(i),
			NoAck:       k.conf.autoAck,
		})
		if err != nil {
			return fmt.Errorf("basic.consume: %w", err)
		}
	}
	return nil
}

// readLoop takes messages until the connection ends. nil: we have closed it.
func (k *consumer) readLoop() error {
	defer close(k.read)
	for now := time.Now(); ; now = time.Now() {
		if err := k.conn.fill(now); err != nil {
			return err
		}
		if err := k.frames(); err != nil {
			if errors.Is(err, errClosed) {
				return nil
			}
			return err
		}
	}
}

// frames takes all frames that are there, and acknowledges with one write.
func (k *consumer) frames() error {
	now, from, over := k.clock.now(), k.from.Load(), k.over.Load()
	k.got, k.acks = 0, k.acks[:0]
	for {
		f, ok, err := k.conn.rd.Next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if over {
			err = k.conn.other(f)
		} else {
			err = k.frame(f, now, from)
		}
		if err != nil {
			return err
		}
	}
	if k.got > 0 {
		k.arrival.Store(now)
		k.received.Add(k.got)
	}
	if len(k.acks) > 0 {
		if err := k.conn.write(k.acks); err != nil {
			return fmt.Errorf("acknowledging: %w", err)
		}
	}
	return nil
}

func (k *consumer) frame(f amqp.Frame, now, from int64) error {
	if f.Channel == 0 || int(f.Channel) > len(k.inbound) {
		return k.conn.other(f)
	}
	in := &k.inbound[f.Channel-1]
	switch f.Type {
	case amqp.FrameMethod:
		return k.method(f, in)
	case amqp.FrameHeader:
		h, err := amqp.ParseContentHeader(f.Payload)
		if err != nil {
			return err
		}
		if in.stream == nil || in.head {
			return errors.New("the broker sent a content header without a method")
		}
		in.head, in.left, in.size, in.started = true, h.BodySize, h.BodySize, 0
	case amqp.FrameBody:
		if !in.head || uint64(len(f.Payload)) > in.left {
			return errors.New("the broker sent more of a body than it announced")
		}
		if in.started < stampSize {
			in.started += copy(in.start[in.started:], f.Payload)
		}
		in.left -= uint64(len(f.Payload))
	default:
		return nil
	}
	if in.left == 0 {
		k.message(in, f.Channel, now, from)
	}
	return nil
}

func (k *consumer) method(f amqp.Frame, in *inbound) error {
	if in.stream != nil {
		if methodOf(f) == amqp.IDChannelClose {
			return k.conn.other(f)
		}
		return errors.New("the broker sent a method in the middle of a message")
	}
	switch methodOf(f) {
	case amqp.IDBasicDeliver:
		d, err := parseDeliver(f.Payload[4:])
		if err != nil {
			return err
		}
		i, ok := decimal(d.consumerTag, len(k.streams))
		if !ok || k.streams[i].channel != f.Channel {
			return fmt.Errorf("the broker delivered to the unknown consumer '%s'", d.consumerTag)
		}
		in.stream, in.tag = &k.streams[i], d.tag
		return nil
	case amqp.IDBasicConsumeOk:
		if k.pending--; k.pending == 0 {
			close(k.subscribed)
		}
		return nil
	}
	return k.conn.other(f)
}

// message takes a message that is complete.
func (k *consumer) message(in *inbound, channel uint16, now, from int64) {
	audit := in.stream.audit
	in.stream, in.head = nil, false
	switch {
	case in.size != uint64(k.conf.size):
		k.damaged++
	default:
		s := readStamp(&in.start)
		if audit.delivered(s) {
			k.got++
		}
		if s.at >= from {
			k.latency.record(now - s.at)
		}
	}
	if k.conf.autoAck {
		return
	}
	if in.unacked++; in.unacked == k.conf.ackEvery {
		k.acks = amqp.AppendAck(k.acks, channel, in.tag, k.conf.ackEvery > 1)
		in.unacked = 0
	}
}

// faults are what the checks found, when all is over.
func (k *consumer) faults() faults {
	f := faults{Damaged: k.damaged}
	for _, s := range k.streams {
		f.add(s.audit.faults)
	}
	return f
}
