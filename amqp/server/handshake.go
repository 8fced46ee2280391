package server

import (
	"cmp"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// handshakeFrameMax bounds the frames of a client that has not tuned yet, as
// in RabbitMQ 4: tokens as passwords do not fit the spec's 4096.
const handshakeFrameMax = 8192

// alternateHeader is AMQP 0-9's own protocol header, which RabbitMQ takes for
// 0-9-1.
const alternateHeader = "AMQP\x01\x01\x00\x09"

// capabilities are those of the client that change what the broker sends.
type capabilities struct {
	authFailureClose, cancelNotify, blocked bool
}

// tuning is what was agreed on in connection.tune-ok.
type tuning struct {
	channelMax uint16
	frameMax   uint32
	heartbeat  time.Duration
}

// errNoGreeting is how the handshake ends when the client must be let go without
// a connection.close, because it would not understand or not expect one.
var errNoGreeting = errors.New("handshake failed")

// errProbe is how the handshake ends of somebody who wanted to know only whether
// the port is open, as load balancers do all the time.
var errProbe = errors.New("nothing was sent")

// handshake takes the connection from its first byte to open [2.2.4]. Its error
// is an *amqp.Error if the client is to be told.
func (c *conn) handshake() error {
	_ = c.nc.SetReadDeadline(time.Now().Add(c.srv.opts.HandshakeTimeout))
	steps := []func() error{c.openTransport, c.greet, c.authenticate, c.tune, c.openVHost}
	states := []string{stateStarting, stateStarting, stateTuning, stateOpening, stateRunning}
	for i, step := range steps {
		if err := step(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				if e := c.wasKicked(); e != nil {
					return e
				}
				c.log.Warn().Dur("timeout", c.srv.opts.HandshakeTimeout).Msg("handshake timed out")
				return errNoGreeting
			}
			return err
		}
		c.enterState(states[i])
		c.fx.WakeAll()
	}
	_ = c.nc.SetReadDeadline(time.Time{})
	if e := c.wasKicked(); e != nil {
		return e // its interrupt may have been overridden just now
	}
	c.leaveGate()
	c.heart.start(c, c.tuned.heartbeat)
	c.log = c.log.With().Str("user", c.user.Name).Str("vhost", c.vhost.Name()).Logger()
	c.log.Info().Msg("connection open")
	return nil
}

// greet checks the protocol header and answers connection.start.
func (c *conn) greet() error {
	got, err := c.r.Peek(len(amqp.ProtocolHeader))
	switch {
	case err == io.EOF && len(got) == 0:
		return errProbe
	case err != nil:
		return err
	}
	if string(got) != amqp.ProtocolHeader && string(got) != alternateHeader {
		c.log.Warn().Bytes("header", got).Msg("not AMQP 0-9-1" + looksLike(got))
		_ = c.nc.SetWriteDeadline(time.Now().Add(closeTimeout))
		_, _ = c.nc.Write([]byte(amqp.ProtocolHeader))
		return errNoGreeting
	}
	c.r.Discard(len(amqp.ProtocolHeader))
	c.send(0, &amqp.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9,
		ServerProperties: c.srv.properties(),
		Mechanisms:       strings.Join(c.offered(), " "),
		Locales:          "en_US",
	})
	return nil
}

// properties are the server properties, sorted as RabbitMQ sends them.
func (s *Server) properties() amqp.Table {
	can := amqp.Table{}
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
		"connection.blocked", "consumer_priorities", "authentication_failure_close",
		"per_consumer_qos", "direct_reply_to",
	} {
		can = append(can, amqp.Field{Name: name, Value: true})
	}
	return amqp.Table{
		{Name: "capabilities", Value: can},
		{Name: "cluster_name", Value: cmp.Or(s.vhosts.ClusterName(), s.opts.ClusterName)},
		{Name: "copyright", Value: "Copyright (c) the Leveret authors"},
		{Name: "information", Value: "Licensed under the Apache License 2.0"},
		{Name: "leveret_version", Value: Version},
		{Name: "platform", Value: "Go " + strings.TrimPrefix(runtime.Version(), "go")},
		{Name: "product", Value: s.opts.Product},
		{Name: "version", Value: ProtocolVersion},
	}
}

// expect reads the next method of the handshake; heartbeats do not count.
func (c *conn) expect() (amqp.Method, error) {
	c.fx.WakeAll()
	for {
		f, err := c.r.ReadFrame()
		if err != nil {
			return nil, err
		}
		switch {
		case f.Type == amqp.FrameHeartbeat && f.Channel == 0:
			continue
		case f.Type != amqp.FrameMethod || f.Channel != 0:
			return nil, amqp.UnexpectedFrame("%s", f.Snippet())
		}
		m, err := amqp.ParseMethod(f.Payload)
		if err != nil {
			return nil, err
		}
		if _, ok := m.(*amqp.ConnectionClose); ok {
			return nil, errClosed
		}
		return m, nil
	}
}

// outOfOrder is the refusal of a method that has no place in a state.
func outOfOrder(m amqp.Method, state string) error {
	return withMethod(amqp.ChannelError("unexpected method in connection state %s", state), idOf(m))
}

// authenticate handles connection.start-ok.
func (c *conn) authenticate() error {
	m, err := c.expect()
	if err != nil {
		return err
	}
	ok, is := m.(*amqp.ConnectionStartOk)
	if !is {
		return outOfOrder(m, "starting")
	}
	c.readClientProperties(ok.ClientProperties)
	user, err := c.logIn(ok.Mechanism, []byte(ok.Response))
	if err == nil {
		c.user, c.mechanism = user, ok.Mechanism
		return nil
	}
	var refused *loginRefused
	if !errors.As(err, &refused) {
		return err
	}
	c.log.Warn().Err(err).Str("user", refused.user).Str("mechanism", ok.Mechanism).Msg("login refused")
	if !c.caps.authFailureClose {
		return errNoGreeting
	}
	return amqp.AccessRefused("Login was refused using authentication mechanism %s. "+
		"For details see the broker logfile.", ok.Mechanism)
}

func (c *conn) readClientProperties(t amqp.Table) {
	c.show(func(f *face) { f.properties = t })
	if v, ok := t.Get("capabilities"); ok {
		can, _ := v.(amqp.Table)
		flag := func(name string) bool {
			v, _ := can.Get(name)
			is, _ := v.(bool)
			return is
		}
		c.caps = capabilities{
			authFailureClose: flag("authentication_failure_close"),
			cancelNotify:     flag("consumer_cancel_notify"),
			blocked:          flag("connection.blocked"),
		}
	}
	if v, ok := t.Get("connection_name"); ok {
		if name, ok := v.(string); ok {
			c.log = c.log.With().Str("connection_name", name).Logger()
			c.show(func(f *face) { f.name = name })
		}
	}
}

// tune proposes limits and takes the client's answer, which may lower them
// [1.4.2.5, 1.4.2.6].
func (c *conn) tune() error {
	o := &c.srv.opts
	c.send(0, &amqp.ConnectionTune{ChannelMax: o.ChannelMax, FrameMax: o.FrameMax,
		Heartbeat: uint16(o.Heartbeat / time.Second)})
	m, err := c.expect()
	if err != nil {
		return err
	}
	ok, is := m.(*amqp.ConnectionTuneOk)
	if !is {
		return outOfOrder(m, "tuning")
	}
	refuse := func(format string, args ...any) error {
		return withMethod(amqp.NotAllowed("failed to negotiate connection parameters: "+format, args...),
			amqp.IDConnectionTuneOk)
	}
	switch {
	case ok.FrameMax == 0:
		return refuse("negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (%d)", o.FrameMax)
	case ok.FrameMax > o.FrameMax:
		return refuse("negotiated frame_max = %d is higher than the maximum allowed value (%d)", ok.FrameMax, o.FrameMax)
	case ok.FrameMax < amqp.MinFrameMax:
		return refuse("negotiated frame_max = %d is lower than the minimum allowed value (%d)", ok.FrameMax, amqp.MinFrameMax)
	case ok.ChannelMax == 0:
		return refuse("negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (%d)", o.ChannelMax)
	case ok.ChannelMax > o.ChannelMax:
		return refuse("negotiated channel_max = %d is higher than the maximum allowed value (%d)", ok.ChannelMax, o.ChannelMax)
	}
	c.tuned = tuning{ok.ChannelMax, ok.FrameMax, time.Duration(ok.Heartbeat) * time.Second}
	c.frameMax = ok.FrameMax
	c.r.SetFrameMax(ok.FrameMax)
	return nil
}

// openVHost handles connection.open.
func (c *conn) openVHost() error {
	m, err := c.expect()
	if err != nil {
		return err
	}
	open, is := m.(*amqp.ConnectionOpen)
	if !is {
		return outOfOrder(m, "opening")
	}
	v, err := c.srv.vhosts.VHost(open.VirtualHost)
	if err != nil {
		return withMethod(err, amqp.IDConnectionOpen)
	}
	c.vhost = v
	c.who = subject{by: c.srv.rights, user: c.user, vhost: v}
	c.identity.Store(&identity{c.user.Name, v})
	if _, err := c.srv.vhosts.VHost(v.Name()); err != nil { // deleted just now
		return withMethod(err, amqp.IDConnectionOpen)
	}
	if err := c.who.checkEntry(); err != nil {
		return withMethod(err, amqp.IDConnectionOpen)
	}
	if err := c.srv.census.enter(v, c.user.Name, c.srv.vhosts.UserLimits(c.user.Name)); err != nil {
		return withMethod(err, amqp.IDConnectionOpen)
	}
	c.counted = true
	c.enlist()
	c.send(0, &amqp.ConnectionOpenOk{})
	return nil
}
