package server

import (
	"sync/atomic"
)

// tallied is something that is counted for each channel.
type tallied uint8

const (
	tallyPublish tallied = iota
	tallyReturn
	tallyDrop
	tallyGetEmpty
	tallyAck
	tallies
)

// counter is what a channel's reader has counted. It adds to its own numbers as it
// goes, and to those that others see once a batch.
type counter struct {
	shown    [tallies]atomic.Uint64
	confirms atomic.Uint64 // publishes that are to be confirmed
	// owned by the reader
	own    [tallies]uint32
	queued bool // in the connection's list of channels that have counted
}

// count counts something in this batch.
func (ch *channel) count(what tallied, n uint32) {
	ch.tally.own[what] += n
	ch.changed()
}

// changed sees to it that others see, at the end of this batch, what the channel has
// done in it.
func (ch *channel) changed() {
	if !ch.tally.queued {
		ch.tally.queued = true
		ch.conn.counting = append(ch.conn.counting, ch)
	}
}

// showCounts lets others see what was counted in this batch.
func (c *conn) showCounts() {
	if len(c.counting) == 0 {
		return
	}
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
	t.confirms.Store(ch.confirms.last)
	ch.router.ShowCounts()
	if ch.tx != nil {
		ch.showFace() // what waits for the commit
	}
}

// sent is what was sent on a channel and was no delivery that is to be acked, of which
// there are so many that they are not counted: they are the rest of the delivery tags.
// It is counted where frames are appended, and guarded by the outbox's mu.
type sent struct{ deliverNoAck, get, getNoAck, redeliver, confirm uint64 }

// note counts a delivery to a consumer.
func (s *sent) note(noAck, redelivered bool) {
	if noAck {
		s.deliverNoAck++
	}
	if redelivered {
		s.redeliver++
	}
}

// noteGot counts a delivery that was asked for.
func (s *sent) noteGot(noAck, redelivered bool) {
	if noAck {
		s.getNoAck++
	} else {
		s.get++
	}
	if redelivered {
		s.redeliver++
	}
}

// countsLocked are all numbers of a channel. The outbox's mu is held.
func (ch *channel) countsLocked() channelCounts {
	t, s := &ch.tally.shown, &ch.sent
	n := func(i tallied) uint64 { return t[i].Load() }
	returned, dropped := n(tallyReturn), n(tallyDrop) // first: they are shown last
	c := channelCounts{
		MessageCounts: MessageCounts{
			Publish: n(tallyPublish), Confirm: s.confirm, ReturnUnroutable: returned, DropUnroutable: dropped,
			Deliver: ch.lastTag - s.deliverNoAck - s.get - s.getNoAck, DeliverNoAck: s.deliverNoAck,
			Get: s.get, GetNoAck: s.getNoAck, GetEmpty: n(tallyGetEmpty), Redeliver: s.redeliver, Ack: n(tallyAck),
		},
		confirmed: ch.tally.confirms.Load(),
	}
	c.routed = c.Publish - returned - dropped
	return c
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
}

// sizeClass is where a body is counted in Totals.MessageSizes.
func sizeClass(size int) (i int) {
	for i < len(MessageSizeBounds) && size > MessageSizeBounds[i] {
		i++
	}
	return i
}

func (s *bodySizes) note(size int) {
	s.own[sizeClass(size)]++
	s.bytes += uint64(size)
}

func (s *bodySizes) show() {
	for i, n := range s.own {
		if n > 0 {
			s.shown[i].Add(uint64(n))
			s.own[i] = 0
		}
	}
	if s.bytes > 0 {
		s.shownBytes.Add(s.bytes)
		s.bytes = 0
	}
}
