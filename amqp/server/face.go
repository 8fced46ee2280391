package server

import (
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// face is what others see of a connection besides its counts. Its reader puts another
// in its place when something changes.
type face struct {
	state                        string
	vhost, user, mechanism, name string
	properties                   amqp.Table
	tuned                        tuning
}

// The states of a connection, in RabbitMQ's words.
const (
	stateStarting = "starting"
	stateTuning   = "tuning"
	stateOpening  = "opening"
	stateRunning  = "running"
	stateBlocking = "blocking"
	stateBlocked  = "blocked"
	stateFlow     = "flow"
	stateClosing  = "closing"
)

// show changes what others see.
func (c *conn) show(change func(*face)) {
	f := *c.face.Load()
	change(&f)
	c.face.Store(&f)
}

// enterState is called as a connection comes from one state to the next.
func (c *conn) enterState(state string) {
	c.show(func(f *face) {
		f.state, f.user, f.mechanism, f.tuned = state, c.user.Name, c.mechanism, c.tuned
		if c.vhost != nil {
			f.vhost = c.vhost.Name()
		}
	})
}

// state is the connection's state, with what alarms and the disk make of it.
func (c *conn) state(f *face, alarm bool) string {
	switch {
	case f.state != stateRunning:
		return f.state
	case c.blocked.Load():
		return stateBlocked
	case alarm:
		return stateBlocking
	case c.paced.Load():
		return stateFlow
	}
	return f.state
}

// ref says whose connection it is.
func (c *conn) ref(f *face) ConnectionRef {
	return ConnectionRef{ID: c.id, Name: c.name(), VHost: f.vhost, User: f.user, Client: c.peer.Load().client}
}

func (c *conn) traffic() Traffic {
	return Traffic{c.recvBytes.Load(), c.heart.received.Load(), c.heart.bytes.Load(), c.heart.sent.Load()}
}

// info is the connection as it is now.
func (c *conn) info(alarm bool) ConnectionInfo {
	f, peer := c.face.Load(), c.peer.Load()
	i := ConnectionInfo{
		ID: c.id, Name: peer.name, VHost: f.vhost, User: f.user, State: c.state(f, alarm),
		ConnectedAt: c.since, Protocol: "AMQP 0-9-1", AuthMechanism: f.mechanism,
		Client: peer.client, Server: peer.server, ClientProperties: f.properties, UserProvidedName: f.name,
		ChannelMax: f.tuned.channelMax, FrameMax: f.tuned.frameMax, Heartbeat: f.tuned.heartbeat,
		TLS: c.tls(), Traffic: c.traffic(),
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	i.Channels, i.SendPending = len(c.list), c.out.size
	return i
}

// appendChannels appends the open channels.
func (c *conn) appendChannels(all []ChannelInfo) []ChannelInfo {
	f := c.face.Load()
	ref, paced := c.ref(f), c.paced.Load()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	for _, ch := range c.list {
		i := ch.infoLocked()
		i.Connection = ref
		if paced && i.State == stateRunning {
			i.State = stateFlow
		}
		all = append(all, i)
	}
	return all
}

// channelFace is what others see of a channel besides its counts and what the outbox's
// mu guards.
type channelFace struct {
	confirm, transactional, closing bool
	prefetch                        int
	uncommitted, acksUncommitted    int
}

// showFace lets others see how the channel is now.
func (ch *channel) showFace() {
	f := channelFace{confirm: ch.confirms.on, transactional: ch.tx != nil, closing: ch.closing, prefetch: ch.prefetch}
	if ch.tx != nil {
		f.uncommitted = len(ch.tx.publishes)
		for _, s := range ch.tx.settles {
			f.acksUncommitted += len(s.entries)
		}
	}
	ch.face.Store(&f)
}

func (ch *channel) infoLocked() ChannelInfo {
	f := ch.face.Load()
	i := ChannelInfo{
		Number: ch.number, Confirm: f.confirm, Transactional: f.transactional, Prefetch: f.prefetch,
		GlobalPrefetch: ch.globalPrefetch, Consumers: len(ch.consumers), Unacked: ch.unacked.live,
		Uncommitted: f.uncommitted, AcksUncommitted: f.acksUncommitted,
		State: stateRunning, Messages: ch.countsLocked().MessageCounts,
	}
	if f.confirm {
		i.Unconfirmed = int(max(ch.tally.confirms.Load(), ch.confirms.told) - ch.confirms.told)
	}
	if f.closing {
		i.State = stateClosing
	}
	now := i.Messages
	if now != ch.seen.counts || ch.seen.since.IsZero() {
		ch.seen.counts, ch.seen.since = now, time.Now()
	} else {
		i.IdleSince = ch.seen.since
	}
	return i
}

// seenCounts is what a channel had counted when somebody looked last, and since when.
// The outbox's mu guards it.
type seenCounts struct {
	counts MessageCounts
	since  time.Time
}
