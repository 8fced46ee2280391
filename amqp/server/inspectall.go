package server

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
)

// retired is what connections and channels that are gone have counted, and how many
// there were. Who counts all holds its mutex meanwhile, so that nothing is counted
// twice or not at all. It comes before Server.mu and an outbox's.
type retired struct {
	mu sync.Mutex
	// guarded by mu
	counts         channelCounts
	traffic        Traffic
	sizes          [len(MessageSizeBounds) + 1]uint64
	bytes          uint64
	opened, closed uint64 // connections that came through their handshake
	channelsOpened uint64
	channelsClosed uint64
	logins         map[string]LoginCounts
}

// openConnections returns the connections by id.
func (s *Server) openConnections() []*conn {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.conns))
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	return all
}

// ConnectionInfos returns the connections by id, those in their handshake too.
func (s *Server) ConnectionInfos() []ConnectionInfo {
	alarm := s.Alarms() != 0
	conns := s.openConnections()
	all := make([]ConnectionInfo, len(conns))
	for i, c := range conns {
		all[i] = c.info(alarm)
	}
	return all
}

// ChannelInfos returns the channels by the id of their connection and their number.
func (s *Server) ChannelInfos() (all []ChannelInfo) {
	for _, c := range s.openConnections() {
		all = c.appendChannels(all)
	}
	return all
}

// ConnectionRef returns whose connection has an id; false if it is gone. A queue's
// consumers name their connections by it.
func (s *Server) ConnectionRef(id uint64) (ConnectionRef, bool) {
	c := s.connection(id)
	if c == nil {
		return ConnectionRef{}, false
	}
	return c.ref(c.face.Load()), true
}

func (s *Server) connection(id uint64) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[id]
}

// CloseConnection closes a connection with 320 and a reason, as RabbitMQ does for an
// operator. False: it is gone.
func (s *Server) CloseConnection(id uint64, reason string) bool {
	c := s.connection(id)
	if c == nil {
		return false
	}
	c.kick(amqp.Errorf(amqp.CodeConnectionForced, "%s", reason))
	return true
}

// Alarms returns the alarms that are raised.
func (s *Server) Alarms() Alarm {
	s.alarms.mu.Lock()
	defer s.alarms.mu.Unlock()
	return s.alarms.raised
}

// Totals returns the broker's numbers. It looks at each connection and channel, about
// 100 ns each.
func (s *Server) Totals() Totals {
	r := &s.retired
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := r.counts
	t := Totals{
		ConnectionsOpened: r.opened, ConnectionsClosed: r.closed,
		ChannelsOpened: r.channelsOpened, ChannelsClosed: r.channelsClosed,
		MessageSizes: r.sizes, MessageBytes: r.bytes, Traffic: r.traffic,
		Logins: maps.Clone(r.logins), DeadLettered: s.vhosts.DeadLettered(),
	}
	churn := s.vhosts.Churn()
	t.QueuesDeclared, t.QueuesCreated, t.QueuesDeleted = churn.Declared, churn.Created, churn.Deleted
	for _, c := range s.openConnections() {
		c.addTo(&t, &counts)
	}
	t.Messages, t.ReceivedConfirm, t.Routed = counts.MessageCounts, counts.confirmed, counts.routed
	return t
}

// addTo adds what a connection has to the totals.
func (c *conn) addTo(t *Totals, counts *channelCounts) {
	if c.face.Load().vhost != "" {
		t.Connections++
	}
	if c.blocked.Load() {
		t.Blocked++
	}
	t.Traffic.add(c.traffic())
	for i := range c.sizes.shown {
		t.MessageSizes[i] += c.sizes.shown[i].Load()
	}
	t.MessageBytes += c.sizes.shownBytes.Load()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	t.Channels += len(c.list)
	for _, ch := range c.list {
		n := ch.countsLocked()
		counts.add(n)
		t.Consumers += len(ch.consumers)
		if n.Publish > 0 {
			t.Publishers++
		}
	}
}

func (t *Traffic) add(o Traffic) {
	t.RecvBytes += o.RecvBytes
	t.RecvFrames += o.RecvFrames
	t.SendBytes += o.SendBytes
	t.SendFrames += o.SendFrames
}

// enlist counts a connection that is open.
func (c *conn) enlist() {
	r := &c.srv.retired
	r.mu.Lock()
	defer r.mu.Unlock()
	c.listed = true
	r.opened++
	c.tellCreated()
}

// enlist makes a channel known to who looks.
func (ch *channel) enlist() {
	ch.showFace()
	r, c := &ch.conn.srv.retired, ch.conn
	r.mu.Lock()
	defer r.mu.Unlock()
	r.channelsOpened++
	ch.tellCreated()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	at, _ := slices.BinarySearchFunc(c.list, ch.number, func(o *channel, n uint16) int { return cmp.Compare(o.number, n) })
	c.list = slices.Insert(c.list, at, ch)
}

// retire takes a channel off the list; what it has counted is kept.
func (ch *channel) retire() {
	r, c := &ch.conn.srv.retired, ch.conn
	ch.showCounts()
	r.mu.Lock()
	defer r.mu.Unlock()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	at := slices.Index(c.list, ch)
	if at < 0 {
		return
	}
	c.list = slices.Delete(c.list, at, at+1)
	r.channelsClosed++
	r.counts.add(ch.countsLocked())
	ch.tellClosed()
}

// retire is the end of a connection: the server forgets it, but for what it has
// counted.
func (s *Server) retire(c *conn) {
	r := &s.retired
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	delete(s.conns, c.id)
	s.mu.Unlock()
	if c.listed {
		r.closed++
		c.tellClosed()
	}
	r.traffic.add(c.traffic())
	for i := range c.sizes.shown {
		r.sizes[i] += c.sizes.shown[i].Load()
	}
	r.bytes += c.sizes.shownBytes.Load()
}

// countPublish counts what an Actor has published: as RabbitMQ's management does it
// wants to have back what has no queue, and a confirm.
func (s *Server) countPublish(size int, p vhost.Published) {
	n := channelCounts{MessageCounts: MessageCounts{Publish: 1}, confirmed: 1}
	if p.Routed {
		n.routed = 1
	} else {
		n.ReturnUnroutable = 1
	}
	if !p.Refused {
		n.Confirm = 1
	}
	r := &s.retired
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.add(n)
	r.sizes[sizeClass(size)]++
	r.bytes += uint64(size)
}

// countGot counts what an Actor has got, and whether it found the end of the queue.
func (s *Server) countGot(got []Got, mode GetMode, empty bool) {
	var n channelCounts
	for i := range got {
		if got[i].Redelivered {
			n.Redeliver++
		}
	}
	if mode == GetAck {
		n.GetNoAck = uint64(len(got))
	} else {
		n.Get = uint64(len(got))
	}
	if empty {
		n.GetEmpty = 1
	}
	r := &s.retired
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.add(n)
}

// countLogin counts an attempt to log in by a protocol.
func (s *Server) countLogin(protocol string, err error) {
	r := &s.retired
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.logins == nil {
		r.logins = map[string]LoginCounts{}
	}
	n := r.logins[protocol]
	n.Attempts++
	if err == nil {
		n.Succeeded++
	} else {
		n.Failed++
	}
	r.logins[protocol] = n
}
