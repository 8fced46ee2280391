package perf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// writeSize is how many bytes a producer collects for a write at most, unless
// one message is larger.
const writeSize = 64 << 10

// sendBuffer is the socket's, in bytes. The kernel would let it grow to
// megabytes, and latency would be the time that messages spend there.
const sendBuffer = 128 << 10

// producer publishes on one connection. write and read are its two goroutines.
type producer struct {
	// immutable once it runs
	id    uint32
	conn  *conn
	gate  *gate
	clock clock
	pace  pace
	limit uint64 // messages; 0: until stop
	goods []parcel
	from  int64         // confirms of messages due before this are not measured
	read  chan struct{} // closed when readLoop ends
	wrote chan struct{} // closed when writeLoop ends

	// owned by writeLoop
	buf  []byte
	turn int // of the next message, in goods

	published atomic.Uint64 // messages that are in the socket

	latency latency // of confirms; owned by readLoop
}

// parcel is a target's message as it goes on the wire; only the stamp differs
// from one to the next.
type parcel struct {
	channel uint16
	frames  []byte
	body    int // where the body starts
}

func newProducer(id int, c *conn, conf config, targets []target, clk clock) (*producer, error) {
	p := &producer{
		id:      uint32(id),
		conn:    c,
		gate:    newGate(conf.confirm, highestChannel(targets)),
		clock:   clk,
		limit:   uint64(conf.messages),
		read:    make(chan struct{}),
		wrote:   make(chan struct{}),
		latency: newLatency(),
	}
	c.blocked = p.gate.block
	if sock, ok := c.sock.(*net.TCPConn); ok {
		if err := sock.SetWriteBuffer(sendBuffer); err != nil {
			return nil, err
		}
	}
	longest := 0
	for _, t := range targets {
		g, err := newParcel(t, conf, c.frameMax)
		if err != nil {
			return nil, err
		}
		p.goods = append(p.goods, g)
		longest = max(longest, len(g.frames))
	}
	p.buf = make([]byte, 0, writeSize+longest)
	return p, nil
}

func (g parcel) channelNumber() uint16 { return g.channel }

func newParcel(t target, conf config, frameMax uint32) (parcel, error) {
	frames, err := amqp.AppendMethod(nil, t.channel, &amqp.BasicPublish{Exchange: t.exchange, RoutingKey: t.key})
	if err != nil {
		return parcel{}, err
	}
	var props amqp.Properties
	if conf.persistent {
		if props, err = (amqp.BasicProperties{DeliveryMode: 2}).Append(nil); err != nil {
			return parcel{}, err
		}
	}
	frames = amqp.AppendContentHeader(frames, t.channel, amqp.ClassBasic, uint64(conf.size), props)
	body := len(frames) + amqp.FrameOverhead - 1
	return parcel{t.channel, amqp.AppendBody(frames, t.channel, make([]byte, conf.size), frameMax), body}, nil
}

// prepare opens the channels, for confirms if need be.
func (p *producer) prepare() error {
	channels := highestChannel(p.goods)
	if err := p.conn.openChannels(channels); err != nil {
		return err
	}
	for ch := uint16(1); p.gate.window > 0 && ch <= channels; ch++ {
		if _, err := p.conn.call(ch, &amqp.ConfirmSelect{}); err != nil {
			return err
		}
	}
	return nil
}

// writeLoop publishes until the limit or stop.
func (p *producer) writeLoop() error {
	defer close(p.wrote)
	for number := uint64(0); p.limit == 0 || number < p.limit; {
		p.pace.wait(number, p.clock, p.gate.over)
		n := p.fill(number)
		if n == 0 {
			return nil
		}
		if err := p.conn.write(p.buf); err != nil {
			return p.whyCut(err)
		}
		number += n
		p.published.Store(number)
	}
	return nil
}

// whyCut prefers what the reader has to say to the error of a write: the
// broker tells why before it closes the socket.
func (p *producer) whyCut(err error) error {
	select {
	case <-p.read:
		return nil
	case <-time.After(time.Second):
		return fmt.Errorf("publishing: %w", err)
	}
}

// fill builds the next messages, from that number on, as many as are due, may
// go and fit. 0: no more may go.
func (p *producer) fill(number uint64) (n uint64) {
	p.buf = p.buf[:0]
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if !p.gate.passLocked(p.goods[p.turn].channel) {
		return 0
	}
	now := p.clock.now()
	most := p.pace.due(now)
	if p.limit > 0 {
		most = min(most, p.limit)
	}
	for most = max(most, number+1); number+n < most && len(p.buf) < writeSize; n++ {
		g := &p.goods[p.turn]
		if !p.gate.roomLocked(g.channel) {
			break
		}
		at := p.pace.at(number+n, now)
		start := len(p.buf)
		p.buf = append(p.buf, g.frames...)
		stamp{at, p.id, uint32(number + n)}.put(p.buf[start+g.body:])
		p.gate.publishLocked(g.channel, at)
		if p.turn++; p.turn == len(p.goods) {
			p.turn = 0
		}
	}
	return n
}

// readLoop takes confirms until the connection ends. nil: we have closed it.
func (p *producer) readLoop() error {
	defer close(p.read)
	defer p.gate.stop()
	for now := time.Now(); ; now = time.Now() {
		if err := p.conn.fill(now); err != nil {
			return err
		}
		if err := p.frames(); err != nil {
			if errors.Is(err, errClosed) {
				return nil
			}
			return err
		}
	}
}

// frames takes all frames that are there.
func (p *producer) frames() error {
	now := p.clock.now()
	confirmed := func(at int64) {
		if at >= p.from {
			p.latency.record(now - at)
		}
	}
	p.gate.mu.Lock()
	for {
		f, ok, err := p.conn.rd.Next()
		if err != nil || !ok {
			p.gate.mu.Unlock()
			p.gate.moved.Signal()
			return err
		}
		const ackArgs = 4 + 8 + 1
		if f.Type == amqp.FrameMethod && len(f.Payload) == ackArgs {
			id, tag, flags := methodOf(f), binary.BigEndian.Uint64(f.Payload[4:]), f.Payload[12]
			if id == amqp.IDBasicAck || id == amqp.IDBasicNack {
				p.gate.confirmLocked(f.Channel, tag, flags&1 != 0, id == amqp.IDBasicAck, confirmed)
				continue
			}
		}
		p.gate.mu.Unlock()
		err = p.conn.other(f)
		p.gate.mu.Lock()
		if err != nil {
			p.gate.mu.Unlock()
			return err
		}
	}
}
