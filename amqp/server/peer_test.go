package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// patience is how long a peer waits for what must come at once.
const patience = 5 * time.Second

// peer is a client that sends just the frames it is told to, and wants just the
// frames that it is told.
type peer struct {
	b        *broker
	t        testing.TB
	nc       net.Conn
	r        *amqp.Reader
	buf      []byte
	frameMax uint32
	patience time.Duration
	session  uint64 // id of the broker's conn, 0 for RabbitMQ
}

// raw sends bytes.
func (p *peer) raw(bytes string) {
	p.t.Helper()
	_ = p.nc.SetWriteDeadline(time.Now().Add(p.patience))
	if _, err := p.nc.Write([]byte(bytes)); err != nil {
		p.t.Fatalf("cannot write: %v%s", err, p.logged())
	}
}

// logged is the broker's log, to go with a failure.
func (p *peer) logged() string {
	if p.b.srv == nil {
		return ""
	}
	p.b.srv.Close() // nobody writes it any more
	return "\nthe broker's log:\n" + p.b.log.String()
}

// add puts methods into the buffer that flush sends.
func (p *peer) add(ch uint16, methods ...amqp.Method) {
	p.t.Helper()
	for _, m := range methods {
		var err error
		if p.buf, err = amqp.AppendMethod(p.buf, ch, m); err != nil {
			p.t.Fatal(err)
		}
		p.b.note(m)
	}
}

// flush sends what was added, in one write.
func (p *peer) flush() {
	p.t.Helper()
	p.raw(string(p.buf))
	p.buf = p.buf[:0]
}

// send sends methods in one write.
func (p *peer) send(ch uint16, methods ...amqp.Method) {
	p.t.Helper()
	p.add(ch, methods...)
	p.flush()
}

// post is a basic.publish with its content.
type post struct {
	exchange, key, body  string
	mandatory, immediate bool
	props                amqp.BasicProperties
}

// addPost puts a publish into the buffer that flush sends.
func (p *peer) addPost(ch uint16, m post) {
	p.t.Helper()
	p.add(ch, &amqp.BasicPublish{Exchange: m.exchange, RoutingKey: m.key, Mandatory: m.mandatory, Immediate: m.immediate})
	props, err := m.props.Append(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.buf = amqp.AppendContentHeader(p.buf, ch, amqp.ClassBasic, uint64(len(m.body)), props)
	p.buf = amqp.AppendBody(p.buf, ch, []byte(m.body), p.frameMax)
}

// publish sends messages in one write.
func (p *peer) publish(ch uint16, posts ...post) {
	p.t.Helper()
	for _, m := range posts {
		p.addPost(ch, m)
	}
	p.flush()
}

// fill sends messages with these bodies to a queue, in one write.
func (p *peer) fill(queue string, bodies ...string) {
	p.t.Helper()
	for _, body := range bodies {
		p.addPost(1, post{key: queue, body: body})
	}
	p.flush()
}

// event is a method that came, with its content if it has some.
type event struct {
	ch    uint16
	m     amqp.Method
	props amqp.BasicProperties
	body  string
}

func (e event) String() string {
	s := fmt.Sprintf("%d %s %+v", e.ch, e.m.Name(), e.m)
	if info, _ := amqp.LookupMethod(e.m.ClassID(), e.m.MethodID()); info.Content {
		body := e.body
		if len(body) > 100 {
			body = fmt.Sprintf("%s… %d bytes", body[:100], len(body))
		}
		s += fmt.Sprintf(" body=%q properties=%+v", body, e.props)
	}
	return s
}

// frame returns the next frame, heartbeats too. hoped is what failures say was
// hoped for.
func (p *peer) frame(hoped string) amqp.Frame {
	p.t.Helper()
	_ = p.nc.SetReadDeadline(time.Now().Add(p.patience))
	f, err := p.r.ReadFrame()
	if err != nil {
		p.t.Fatalf("want %s, got %v%s", hoped, err, p.logged())
	}
	return f
}

// next returns what comes next other than heartbeats.
func (p *peer) next(hoped string) event {
	p.t.Helper()
	f := p.frame(hoped)
	for f.Type == amqp.FrameHeartbeat {
		f = p.frame(hoped)
	}
	return p.event(f, hoped)
}

// try is next that gives up when nothing comes for a while.
func (p *peer) try(wait time.Duration) (e event, ok bool) {
	p.t.Helper()
	_ = p.nc.SetReadDeadline(time.Now().Add(wait))
	f, err := p.r.ReadFrame()
	if err != nil {
		return event{}, false
	}
	return p.event(f, "any method"), true
}

// event reads what belongs to a first frame.
func (p *peer) event(f amqp.Frame, hoped string) event {
	p.t.Helper()
	if f.Type != amqp.FrameMethod {
		p.t.Fatalf("want %s, got %s on channel %d", hoped, f.Snippet(), f.Channel)
	}
	m, err := amqp.ParseMethod(f.Payload)
	if err != nil {
		p.t.Fatalf("want %s, got %s: %v", hoped, f.Snippet(), err)
	}
	p.b.note(m)
	e := event{ch: f.Channel, m: m}
	if info, _ := amqp.LookupMethod(m.ClassID(), m.MethodID()); info.Content {
		p.content(&e)
	}
	return e
}

// content reads the header and body that follow a method. They must come without
// anything between on the channel, and in frames no larger than was agreed on.
func (p *peer) content(e *event) {
	p.t.Helper()
	f := p.frame("the content header of " + e.m.Name())
	h, err := amqp.ParseContentHeader(f.Payload)
	if f.Type != amqp.FrameHeader || f.Channel != e.ch || err != nil || h.ClassID != amqp.ClassBasic {
		p.t.Fatalf("want the content header of %v, got %s on channel %d, %v", e, f.Snippet(), f.Channel, err)
	}
	if e.props, err = h.Properties.Decode(); err != nil {
		p.t.Fatalf("properties of %v: %v", e, err)
	}
	var body []byte
	for uint64(len(body)) < h.BodySize {
		f := p.frame("the body of " + e.m.Name())
		if f.Type != amqp.FrameBody || f.Channel != e.ch {
			p.t.Fatalf("want the body of %v, got %s on channel %d", e, f.Snippet(), f.Channel)
		}
		if size := len(f.Payload) + amqp.FrameOverhead; size > int(p.frameMax) {
			p.t.Fatalf("a frame of %d bytes, and frame_max is %d", size, p.frameMax)
		}
		body = append(body, f.Payload...)
	}
	e.body = string(body)
}

// expect returns the method that comes next, which must be an M on that channel.
func expect[M amqp.Method](p *peer, ch uint16) M {
	p.t.Helper()
	m, _ := expectContent[M](p, ch)
	return m
}

// expectContent is expect for a method with content.
func expectContent[M amqp.Method](p *peer, ch uint16) (M, event) {
	p.t.Helper()
	var hoped M
	what := fmt.Sprintf("%s on channel %d", hoped.Name(), ch)
	e := p.next(what)
	m, ok := e.m.(M)
	if !ok || e.ch != ch {
		p.t.Fatalf("want %s, got %v%s", what, e, p.logged())
	}
	return m, e
}

// ask sends a method and returns its answer.
func ask[M amqp.Method](p *peer, ch uint16, m amqp.Method) M {
	p.t.Helper()
	p.send(ch, m)
	return expect[M](p, ch)
}

// open opens channels.
func (p *peer) open(channels ...uint16) {
	p.t.Helper()
	for _, ch := range channels {
		ask[*amqp.ChannelOpenOk](p, ch, &amqp.ChannelOpen{})
	}
}

// probe is a round trip that changes nothing.
func (p *peer) probe(ch uint16) {
	p.t.Helper()
	ask[*amqp.ExchangeDeclareOk](p, ch, &amqp.ExchangeDeclare{Exchange: "amq.direct", Passive: true})
}

// wantNothing fails if anything but the answer to a probe comes.
func (p *peer) wantNothing(ch uint16) {
	p.t.Helper()
	p.b.settle()
	p.probe(ch)
}

// ids shows a method's ids as id does.
func ids(classID, methodID uint16) uint32 { return uint32(classID)<<16 | uint32(methodID) }

// wantClose wants the refusal of the method id, 0 for none: the code says whether
// the channel or the connection is closed; on channel 0 it is the connection. It
// answers, and sees a connection end.
func (p *peer) wantClose(ch uint16, code amqp.ReplyCode, text string, id uint32) {
	p.t.Helper()
	hoped := fmt.Sprintf("a close with %d %q by %d/%d", code, text, id>>16, id&0xffff)
	if !strings.HasPrefix(text, code.String()) {
		p.t.Fatalf("want %s: that text does not go with that code", hoped)
	}
	e := p.next(hoped)
	wantHard := code.Hard() || ch == 0
	var got amqp.ChannelClose
	switch m := e.m.(type) {
	case *amqp.ChannelClose:
		got = *m
	case *amqp.ConnectionClose:
		got, ch = amqp.ChannelClose(*m), 0
	default:
		p.t.Fatalf("want %s, got %v%s", hoped, e, p.logged())
	}
	if _, hard := e.m.(*amqp.ConnectionClose); hard != wantHard || e.ch != ch || got.ReplyCode != code ||
		got.ReplyText != text || ids(got.FailedClassID, got.FailedMethodID) != id {
		p.t.Errorf("want %s,\n got %v", hoped, e)
	}
	if ch != 0 {
		p.send(ch, &amqp.ChannelCloseOk{})
		return
	}
	p.send(0, &amqp.ConnectionCloseOk{})
	p.wantEnd()
}

// wantEnd wants the broker to close the socket, with nothing more before.
func (p *peer) wantEnd() {
	p.t.Helper()
	_ = p.nc.SetReadDeadline(time.Now().Add(p.patience))
	f, err := p.r.ReadFrame()
	switch {
	case err == nil:
		p.t.Fatalf("want the end of the connection, got %s on channel %d%s", f.Snippet(), f.Channel, p.logged())
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.t.Fatalf("want the end of the connection, but it stays open%s", p.logged())
	}
}

// bye closes the connection as the client should.
func (p *peer) bye() {
	p.t.Helper()
	ask[*amqp.ConnectionCloseOk](p, 0, &amqp.ConnectionClose{ReplyCode: amqp.CodeSuccess, ReplyText: "bye"})
	p.nc.Close()
}
