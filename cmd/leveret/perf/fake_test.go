package perf

import (
	"encoding/binary"
	"errors"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// misdeed is what the fake broker does with a message or a confirm.
type misdeed int

const (
	none misdeed = iota
	lose
	double
	swap    // let the next one overtake
	cut     // drop the last byte of the body
	misfile // put it into the last queue
	nack
	closeConnection
	closeChannel
	block // connection.blocked, and unblocked at once
)

// fakeBroker is a broker that does as it is told. It keeps nothing and knows
// no limits; what it knows of topics is not taken from the code under test.
type fakeBroker struct {
	t        *testing.T
	listener net.Listener
	conns    sync.WaitGroup

	// immutable
	heartbeat uint16
	frameMax  uint32
	refuse    string              // a method that is answered with channel.close
	message   func(n int) misdeed // for the n-th message into a queue, from 0
	confirm   func(tag uint64) misdeed
	multiple  int // confirm so many at a time

	mu        sync.Mutex
	queues    map[string]*fakeQueue
	order     []string // queues as they were declared
	exchanges map[string]string
	bindings  []fakeBinding
	n         int // messages into queues
	published int
	acked     uint64 // deliveries, by basic.ack
	beats     int
}

type fakeQueue struct {
	declare   amqp.QueueDeclare
	owner     *fakeConn
	ready     []fakeMessage
	held      *fakeMessage
	consumers []*fakeConsumer
	next      int // consumer
}

type fakeMessage struct {
	key  string
	body []byte
}

type fakeBinding struct {
	exchange, queue string
	pattern         *regexp.Regexp
}

type fakeConsumer struct {
	conn    *fakeConn
	channel uint16
	tag     string
	queue   string
}

type fakeConn struct {
	broker *fakeBroker
	sock   net.Conn
	rd     *amqp.Reader
	wmu    sync.Mutex // taken after the broker's mu
	tags   map[uint16]uint64
	// confirms are the channels in confirm mode, with their next tag.
	confirms map[uint16]uint64
	publish  amqp.BasicPublish
	left     int
	body     []byte
}

// startFake starts a broker that lives as long as its test; change may be nil.
func startFake(t *testing.T, change func(*fakeBroker)) *fakeBroker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &fakeBroker{
		t: t, listener: l, frameMax: 8192, multiple: 1,
		message: func(int) misdeed { return none },
		confirm: func(uint64) misdeed { return none },
		queues:  make(map[string]*fakeQueue), exchanges: make(map[string]string),
	}
	if change != nil {
		change(b)
	}
	b.conns.Go(b.accept)
	t.Cleanup(func() {
		l.Close()
		b.conns.Wait()
	})
	return b
}

func (b *fakeBroker) uri() string { return "amqp://guest:guest@" + b.listener.Addr().String() + "/" }

func (b *fakeBroker) accept() {
	for {
		sock, err := b.listener.Accept()
		if err != nil {
			return
		}
		c := &fakeConn{broker: b, sock: sock, rd: amqp.NewReader(sock, 0), tags: make(map[uint16]uint64), confirms: make(map[uint16]uint64)}
		b.conns.Go(c.serve)
	}
}

func (c *fakeConn) send(channel uint16, m amqp.Method) {
	frame, err := amqp.AppendMethod(nil, channel, m)
	if err != nil {
		c.broker.t.Error(err)
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.sock.Write(frame)
}

func (c *fakeConn) serve() {
	defer c.sock.Close()
	defer c.gone()
	if _, err := c.rd.Peek(len(amqp.ProtocolHeader)); err != nil {
		return
	}
	c.rd.Discard(len(amqp.ProtocolHeader))
	c.send(0, &amqp.ConnectionStart{VersionMinor: 9, Mechanisms: "AMQPLAIN PLAIN", Locales: "en_US",
		ServerProperties: amqp.Table{{Name: "product", Value: "Fake"}, {Name: "version", Value: "1"}}})
	for {
		f, err := c.rd.ReadFrame()
		if err != nil {
			return
		}
		if err := c.frame(f); err != nil {
			return
		}
	}
}

var errGone = errors.New("gone")

func (c *fakeConn) frame(f amqp.Frame) error {
	switch f.Type {
	case amqp.FrameHeartbeat:
		c.broker.mu.Lock()
		c.broker.beats++
		c.broker.mu.Unlock()
	case amqp.FrameHeader:
		c.left = int(binary.BigEndian.Uint64(f.Payload[4:]))
		c.body = nil
	case amqp.FrameBody:
		c.body = append(c.body, f.Payload...)
		if c.left -= len(f.Payload); c.left == 0 {
			return c.published(f.Channel)
		}
	case amqp.FrameMethod:
		m, err := amqp.ParseMethod(f.Payload)
		if err != nil {
			c.broker.t.Error(err)
			return err
		}
		if m.Name() == c.broker.refuse {
			c.send(f.Channel, &amqp.ChannelClose{ReplyCode: amqp.CodeAccessRefused, ReplyText: "ACCESS_REFUSED - not you",
				FailedClassID: m.ClassID(), FailedMethodID: m.MethodID()})
			return nil
		}
		return c.method(f.Channel, m)
	}
	return nil
}

func (c *fakeConn) method(ch uint16, m amqp.Method) error {
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	switch m := m.(type) {
	case *amqp.ConnectionStartOk:
		if m.Response != "\x00guest\x00guest" {
			c.send(0, &amqp.ConnectionClose{ReplyCode: 403, ReplyText: "ACCESS_REFUSED - Login was refused"})
			return nil
		}
		c.send(0, &amqp.ConnectionTune{ChannelMax: 100, FrameMax: b.frameMax, Heartbeat: b.heartbeat})
	case *amqp.ConnectionOpen:
		c.send(0, &amqp.ConnectionOpenOk{})
	case *amqp.ConnectionClose:
		c.send(0, &amqp.ConnectionCloseOk{})
		return errGone
	case *amqp.ChannelOpen:
		c.send(ch, &amqp.ChannelOpenOk{})
	case *amqp.ConfirmSelect:
		c.confirms[ch] = 1
		c.send(ch, &amqp.ConfirmSelectOk{})
	case *amqp.ExchangeDeclare:
		b.exchanges[m.Exchange] = m.Type
		c.send(ch, &amqp.ExchangeDeclareOk{})
	case *amqp.ExchangeDelete:
		delete(b.exchanges, m.Exchange)
		c.send(ch, &amqp.ExchangeDeleteOk{})
	case *amqp.QueueDeclare:
		b.queues[m.Queue] = &fakeQueue{declare: *m, owner: c}
		b.order = append(b.order, m.Queue)
		c.send(ch, &amqp.QueueDeclareOk{Queue: m.Queue})
	case *amqp.QueueBind:
		b.bindings = append(b.bindings, fakeBinding{m.Exchange, m.Queue, topicPattern(m.RoutingKey)})
		if !m.NoWait {
			c.send(ch, &amqp.QueueBindOk{})
		}
	case *amqp.QueueDelete:
		if b.queues[m.Queue] == nil { // as the spec has it, unlike RabbitMQ
			c.send(ch, &amqp.ChannelClose{ReplyCode: 404, ReplyText: "NOT_FOUND"})
			return nil
		}
		delete(b.queues, m.Queue)
		c.send(ch, &amqp.QueueDeleteOk{})
	case *amqp.BasicQos:
		c.send(ch, &amqp.BasicQosOk{})
	case *amqp.BasicConsume:
		c.send(ch, &amqp.BasicConsumeOk{ConsumerTag: m.ConsumerTag})
		q := b.queues[m.Queue]
		q.consumers = append(q.consumers, &fakeConsumer{c, ch, m.ConsumerTag, m.Queue})
		q.deliver()
	case *amqp.BasicPublish:
		c.publish = *m
	case *amqp.BasicAck:
		if m.Multiple {
			b.acked = max(b.acked, m.DeliveryTag)
		} else {
			b.acked++
		}
	}
	return nil
}

// gone takes a connection out of the queues, and its own and idle queues away.
func (c *fakeConn) gone() {
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, q := range b.queues {
		had := len(q.consumers)
		var left []*fakeConsumer
		for _, k := range q.consumers {
			if k.conn != c {
				left = append(left, k)
			}
		}
		q.consumers = left
		if q.declare.Exclusive && q.owner == c || q.declare.AutoDelete && had > 0 && len(left) == 0 {
			delete(b.queues, name)
		}
	}
}

// published routes a message and confirms it.
func (c *fakeConn) published(ch uint16) error {
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published++
	for _, name := range b.route(c.publish.Exchange, c.publish.RoutingKey) {
		n := b.n
		b.n++
		switch do := b.message(n); do {
		case closeConnection:
			c.send(0, &amqp.ConnectionClose{ReplyCode: 320, ReplyText: "CONNECTION_FORCED - enough"})
		case closeChannel:
			c.send(ch, &amqp.ChannelClose{ReplyCode: 404, ReplyText: "NOT_FOUND - no exchange", FailedClassID: 60, FailedMethodID: 40})
		case block:
			c.send(0, &amqp.ConnectionBlocked{Reason: "low on memory"})
			c.send(0, &amqp.ConnectionUnblocked{})
			fallthrough
		default:
			b.enqueue(name, fakeMessage{c.publish.RoutingKey, c.body}, do)
		}
	}
	tag, ok := c.confirms[ch]
	if !ok {
		return nil
	}
	c.confirms[ch]++
	switch b.confirm(tag) {
	case lose:
	case nack:
		c.send(ch, &amqp.BasicNack{DeliveryTag: tag})
	case double:
		c.send(ch, &amqp.BasicAck{DeliveryTag: tag})
		fallthrough
	default:
		if tag%uint64(b.multiple) == 0 {
			c.send(ch, &amqp.BasicAck{DeliveryTag: tag, Multiple: b.multiple > 1})
		}
	}
	return nil
}

func (b *fakeBroker) route(exchange, key string) []string {
	if exchange == "" {
		return []string{key}
	}
	var names []string
	seen := make(map[string]bool)
	for _, bind := range b.bindings {
		if bind.exchange != exchange || seen[bind.queue] {
			continue
		}
		if b.exchanges[exchange] == "fanout" || bind.pattern.MatchString(key+".") {
			seen[bind.queue] = true
			names = append(names, bind.queue)
		}
	}
	return names
}

// topicPattern takes the keys that a pattern takes, with a dot behind each word.
func topicPattern(pattern string) *regexp.Regexp {
	var re strings.Builder
	re.WriteString("^")
	for _, w := range strings.Split(pattern, ".") {
		switch w {
		case "*":
			re.WriteString(`[^.]+\.`)
		case "#":
			re.WriteString(`([^.]+\.)*`)
		default:
			re.WriteString(regexp.QuoteMeta(w) + `\.`)
		}
	}
	return regexp.MustCompile(re.String() + "$")
}

// enqueue puts a message into a queue, well or badly.
func (b *fakeBroker) enqueue(name string, m fakeMessage, do misdeed) {
	if do == misfile {
		name = b.order[len(b.order)-1]
	}
	q := b.queues[name]
	if q == nil {
		return // its consumer has gone
	}
	switch do {
	case lose:
	case double:
		q.ready = append(q.ready, m, m)
	case swap:
		q.held = &m
		return
	case cut:
		m.body = m.body[:len(m.body)-1]
		q.ready = append(q.ready, m)
	default:
		q.ready = append(q.ready, m)
	}
	if q.held != nil {
		q.ready = append(q.ready, *q.held)
		q.held = nil
	}
	q.deliver()
}

// deliver hands out what is ready, in turn.
func (q *fakeQueue) deliver() {
	if len(q.consumers) == 0 {
		return
	}
	for _, m := range q.ready {
		k := q.consumers[q.next%len(q.consumers)]
		q.next++
		k.conn.tags[k.channel]++
		buf := amqp.AppendDeliver(nil, k.channel, k.tag, k.conn.tags[k.channel], false, "", m.key)
		buf = amqp.AppendContentHeader(buf, k.channel, amqp.ClassBasic, uint64(len(m.body)), nil)
		buf = amqp.AppendBody(buf, k.channel, m.body, 4096)
		k.conn.wmu.Lock()
		k.conn.sock.Write(buf)
		k.conn.wmu.Unlock()
	}
	q.ready = q.ready[:0]
}
