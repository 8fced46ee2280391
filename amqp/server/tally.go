package server

import (
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp"
)

// tallied is something that is counted for each channel.
type tallied uint8

const (
	tallyPublish tallied = iota
	tallyPublishConfirm
	tallyRouted
	tallyReturn
	tallyDrop
	tallyGet
	tallyGetNoAck
	tallyGetEmpty
	tallyGetRedelivered
	tallyAck
	tallies
)

// counter is what a channel's reader has counted. It adds to its own numbers as it
// goes, and to those that others see once a batch.
type counter struct {
	shown [tallies]atomic.Uint64
	// owned by the reader
	own    [tallies]uint32
	queued bool // in the connection's list of channels that have counted
}

// count counts something in this batch.
func (ch *channel) count(what tallied, n uint32) {
	ch.tally.own[what] += n
	if !ch.tally.queued {
		ch.tally.queued = true
		ch.conn.counting = append(ch.conn.counting, ch)
	}
}

// showCounts lets others see what was counted in this batch.
func (c *conn) showCounts() {
	c.sizes.show()
	for i, ch := range c.counting {
		ch.showCounts()
		c.counting[i] = nil
	}
	c.counting = c.counting[:0]
}

func (ch *channel) showCounts() {
	t := &ch.tally
	t.queued = false
	for i, n := range t.own {
		if n > 0 {
			t.shown[i].Add(uint64(n))
			t.own[i] = 0
		}
	}
	ch.router.ShowCounts()
	if ch.tx != nil {
		ch.showFace() // what waits for the commit
	}
}

// sent is what was sent on a channel: it is counted where frames are appended, and
// guarded by the outbox's mu.
type sent struct{ deliver, deliverNoAck, redeliver, confirm uint64 }

func (s *sent) note(noAck, redelivered bool) {
	if noAck {
		s.deliverNoAck++
	} else {
		s.deliver++
	}
	if redelivered {
		s.redeliver++
	}
}

// counts are all numbers of a channel. The outbox's mu is held.
func (ch *channel) countsLocked() channelCounts {
	t, s := &ch.tally.shown, &ch.sent
	n := func(i tallied) uint64 { return t[i].Load() }
	return channelCounts{
		MessageCounts: MessageCounts{
			Publish: n(tallyPublish), Confirm: s.confirm, ReturnUnroutable: n(tallyReturn), DropUnroutable: n(tallyDrop),
			Deliver: s.deliver, DeliverNoAck: s.deliverNoAck, Get: n(tallyGet), GetNoAck: n(tallyGetNoAck),
			GetEmpty: n(tallyGetEmpty), Redeliver: s.redeliver + n(tallyGetRedelivered), Ack: n(tallyAck),
		},
		confirmed: n(tallyPublishConfirm), routed: n(tallyRouted),
	}
}

// channelCounts are the numbers of a channel, or of all that there were.
type channelCounts struct {
	MessageCounts
	confirmed, routed uint64 // of the published: on a channel in confirm mode; found a queue
}

func (c *channelCounts) add(o channelCounts) {
	c.MessageCounts.add(o.MessageCounts)
	c.confirmed += o.confirmed
	c.routed += o.routed
}

func (m *MessageCounts) add(o MessageCounts) {
	m.Publish += o.Publish
	m.PublishIn += o.PublishIn
	m.PublishOut += o.PublishOut
	m.Confirm += o.Confirm
	m.ReturnUnroutable += o.ReturnUnroutable
	m.DropUnroutable += o.DropUnroutable
	m.Deliver += o.Deliver
	m.DeliverNoAck += o.DeliverNoAck
	m.Get += o.Get
	m.GetNoAck += o.GetNoAck
	m.GetEmpty += o.GetEmpty
	m.Redeliver += o.Redeliver
	m.Ack += o.Ack
}

// bodySizes are the published messages by size. The reader adds to its own numbers, and
// others see them once a batch.
type bodySizes struct {
	shown      [len(MessageSizeBounds) + 1]atomic.Uint64
	shownBytes atomic.Uint64
	// owned by the reader
	own   [len(MessageSizeBounds) + 1]uint32
	bytes uint64
	some  bool
}

// sizeClass is where a body is counted in Totals.MessageSizes.
func sizeClass(size int) (i int) {
	for i < len(MessageSizeBounds) && float64(size) > MessageSizeBounds[i] {
		i++
	}
	return i
}

func (s *bodySizes) note(m *amqp.Message) {
	s.own[sizeClass(len(m.Body))]++
	s.bytes += uint64(len(m.Body))
	s.some = true
}

func (s *bodySizes) show() {
	if !s.some {
		return
	}
	for i, n := range s.own {
		if n > 0 {
			s.shown[i].Add(uint64(n))
			s.own[i] = 0
		}
	}
	s.shownBytes.Add(s.bytes)
	s.bytes, s.some = 0, false
}
