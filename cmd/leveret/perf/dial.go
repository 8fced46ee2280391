package perf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

const (
	defaultPort = "5672"
	defaultUser = "guest"
	// mostHeartbeat is how rarely we want heartbeats, if the broker leaves it
	// to us.
	mostHeartbeat = 60 * time.Second
)

// address is an AMQP URI taken apart.
type address struct {
	host, user, password, vhost string
}

// parseURI takes amqp://user:password@host:port/vhost apart. What is missing
// is as RabbitMQ's clients have it; an empty vhost is "/".
func parseURI(uri string) (address, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return address{}, err
	}
	if u.Scheme != "amqp" {
		return address{}, fmt.Errorf("a broker's address starts with amqp://, unlike %q", u.Redacted())
	}
	a := address{
		host:     net.JoinHostPort(cmp.Or(u.Hostname(), "localhost"), cmp.Or(u.Port(), defaultPort)),
		user:     defaultUser,
		password: defaultUser,
		vhost:    cmp.Or(strings.TrimPrefix(u.Path, "/"), "/"),
	}
	if u.User != nil {
		a.user = u.User.Username()
		a.password, _ = u.User.Password()
	}
	return a, nil
}

// dial opens a connection that must have room for so many channels.
func dial(ctx context.Context, a address, channels uint16) (*conn, error) {
	var d net.Dialer
	sock, err := d.DialContext(ctx, "tcp", a.host)
	if err != nil {
		return nil, err
	}
	c := &conn{sock: sock, done: make(chan struct{}), rd: amqp.NewReader(sock, amqp.MinFrameMax)}
	defer c.bound(ctx)()
	if err := c.handshake(a, channels); err != nil {
		c.release()
		return nil, fmt.Errorf("%s: %w", a.host, err)
	}
	if c.heartbeat > 0 {
		c.beats.Go(c.beat)
	}
	return c, nil
}

// handshake is [2.2.4]: start, tune, open.
func (c *conn) handshake(a address, channels uint16) error {
	if err := c.write([]byte(amqp.ProtocolHeader)); err != nil {
		return err
	}
	if err := c.start(a); err != nil {
		return err
	}
	if err := c.tune(channels); err != nil {
		return err
	}
	_, err := c.call(0, &amqp.ConnectionOpen{VirtualHost: a.vhost})
	return err
}

func (c *conn) start(a address) error {
	c.sock.SetReadDeadline(time.Now().Add(patience))
	head, err := c.rd.Peek(4)
	if err != nil {
		return fmt.Errorf("instead of connection.start: %w", noEOF(err))
	}
	if string(head) == amqp.ProtocolHeader[:4] {
		return errors.New("the server does not speak AMQP 0-9-1")
	}
	m, err := c.answer(0, amqp.ClassConnection, uint16(amqp.IDConnectionStart&0xffff))
	if err != nil {
		return fmt.Errorf("instead of connection.start: %w", noEOF(err))
	}
	start := m.(*amqp.ConnectionStart)
	c.broker = property(start.ServerProperties, "product") + " " + property(start.ServerProperties, "version")
	if !strings.Contains(" "+start.Mechanisms+" ", " PLAIN ") {
		return fmt.Errorf("the broker does not take the mechanism PLAIN, but %q", start.Mechanisms)
	}
	return c.send(0, &amqp.ConnectionStartOk{
		ClientProperties: amqp.Table{
			{Name: "product", Value: "leveret perf"},
			{Name: "capabilities", Value: amqp.Table{
				{Name: "authentication_failure_close", Value: true},
				{Name: "basic.nack", Value: true},
				{Name: "connection.blocked", Value: true},
				{Name: "consumer_cancel_notify", Value: true},
				{Name: "publisher_confirms", Value: true},
			}},
		},
		Mechanism: "PLAIN",
		Response:  "\x00" + a.user + "\x00" + a.password,
		Locale:    "en_US",
	})
}

func property(t amqp.Table, name string) string {
	value, _ := t.Get(name)
	s, _ := value.(string)
	return s
}

// tune takes what the broker offers, but no larger frames and no rarer
// heartbeats than are of use.
func (c *conn) tune(channels uint16) error {
	m, err := c.answer(0, amqp.ClassConnection, uint16(amqp.IDConnectionTune&0xffff))
	if err != nil {
		return fmt.Errorf("after connection.start-ok: %w", noEOF(err))
	}
	tune := m.(*amqp.ConnectionTune)
	c.channelMax = tune.ChannelMax
	if c.channelMax > 0 && c.channelMax < channels {
		return fmt.Errorf("the broker allows %d channels, and %d are needed", c.channelMax, channels)
	}
	c.frameMax = amqp.DefaultFrameMax
	if tune.FrameMax > 0 {
		c.frameMax = min(c.frameMax, tune.FrameMax)
	}
	if c.frameMax < amqp.MinFrameMax {
		return fmt.Errorf("the broker wants frames of at most %d bytes, less than the protocol allows", c.frameMax)
	}
	c.rd.SetFrameMax(c.frameMax)
	c.heartbeat = min(time.Duration(tune.Heartbeat)*time.Second, mostHeartbeat)
	return c.send(0, &amqp.ConnectionTuneOk{
		ChannelMax: c.channelMax,
		FrameMax:   c.frameMax,
		Heartbeat:  uint16(c.heartbeat / time.Second),
	})
}

// noEOF says what the end of a stream means in the handshake.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the broker closed the socket")
	}
	return err
}

// openChannels opens channels 1 to n.
func (c *conn) openChannels(n uint16) error {
	for ch := range n {
		if _, err := c.call(ch+1, &amqp.ChannelOpen{}); err != nil {
			return err
		}
	}
	return nil
}
