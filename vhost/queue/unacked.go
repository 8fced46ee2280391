package queue

// ID names one delivery of a queue that is still unacked. It belongs to whoever
// took the delivery, who gives it back once: to Ack, Reject or Requeue. An ID
// that was given back already, or whose queue is gone, does nothing.
type ID struct {
	slot uint32
	turn uint32 // tells this delivery from earlier ones of the slot
}

// unacked holds the messages that are out, in slots that are used again, so
// that to hand out and to settle cost no look-up by key.
type unacked struct {
	slots   []outstanding
	free    []uint32
	turn    uint32
	count   int
	bytes   int64
	lasting extent // of these, what is persistent
	oldest  ID     // see oldestTaken
	// due is when a consumer can have had a delivery for too long, in Unix
	// nanoseconds; 0 if none can. It may be too early: the delivery may have
	// been settled.
	due int64
}

type outstanding struct {
	item
	turn     uint32
	taken    uint32    // when it was handed out, in units of takenUnit since 1970
	consumer *Consumer // nil after basic.get
	// since is when it was handed out, in Unix nanoseconds, if its consumer has
	// a timeout; else 0.
	since int64
}

// slotsKept is how many slots an empty table keeps.
const slotsKept = 1024

// put enters what is handed out at a time, in Unix nanoseconds.
func (u *unacked) put(it *item, c *Consumer, now int64) ID {
	u.turn++
	var slot uint32
	if n := len(u.free); n > 0 {
		slot = u.free[n-1]
		u.free = u.free[:n-1]
	} else {
		slot = uint32(len(u.slots))
		u.slots = append(u.slots, outstanding{})
	}
	s := &u.slots[slot]
	s.item, s.turn, s.consumer, s.taken = *it, u.turn, c, uint32(now>>takenShift)
	if c != nil {
		c.unacked++
	}
	u.count++
	u.bytes += int64(it.size)
	if it.lasting {
		u.lasting.add(it)
	}
	return ID{slot: slot, turn: u.turn}
}

// find returns a delivery, or nil if it is not there. It is valid until remove.
func (u *unacked) find(id ID) *outstanding {
	if int(id.slot) >= len(u.slots) {
		return nil
	}
	s := &u.slots[id.slot]
	if s.msg == nil || s.turn != id.turn {
		return nil
	}
	return s
}

// remove takes out a delivery that was found.
func (u *unacked) remove(id ID) {
	s := &u.slots[id.slot]
	if s.consumer != nil {
		s.consumer.unacked--
	}
	u.count--
	u.bytes -= int64(s.size)
	if s.lasting {
		u.lasting.subtract(&s.item)
	}
	*s = outstanding{}
	if u.count == 0 && len(u.slots) > slotsKept {
		u.slots, u.free = nil, nil
	} else {
		u.free = append(u.free, id.slot)
	}
}
