package queue

// segmentMin and segmentMax bound the items of one segment of a fifo: small
// queues stay small, long ones pay one allocation in 512 messages. A segment is
// also full when its messages take segmentBytes of memory, because a segment
// leaves memory, and comes back, as a whole.
const (
	segmentMin   = 8
	segmentMax   = 512
	segmentBytes = 1 << 20
)

// segment is a stretch of a fifo. Either its items are in memory, or it is
// packed: then the messages are in the store only.
type segment struct {
	items      []item // length is the capacity; nil while packed
	first, end int    // the items from first to before end are in the fifo
	bytes      int64  // memory of the messages that were pushed
	packed     []byte // see packer; nil while in memory
	lasting    extent // while packed: of the items, what is persistent
	stub       item   // while packed: the first item without its message
	number     uint64 // counts the segments of the fifo
	next       *segment
}

func (s *segment) count() int { return s.end - s.first }

// front returns the first item; there must be one. Without its message, if the
// segment is packed.
func (s *segment) front() *item {
	if s.packed != nil {
		return &s.stub
	}
	return &s.items[s.first]
}

// pack takes the segment out of memory: packed stands for its items from now on.
func (s *segment) pack(packed []byte, first placed, lasting extent) {
	s.packed, s.stub, s.lasting = packed, first.item(), lasting
	s.items, s.end, s.first, s.bytes = nil, s.count(), 0, 0
}

// unpack puts the items back.
func (s *segment) unpack(items []item, bytes int64) {
	s.items, s.first, s.end, s.bytes = items, 0, len(items), bytes
	s.packed, s.stub, s.lasting = nil, item{}, extent{}
}

// fifo is a first-in first-out list of items in segments, so that neither a long
// backlog is copied when it grows nor its memory kept when it has drained.
type fifo struct {
	head, tail *segment
	count      int
	// out is the end of a row of packed segments that starts at the head or
	// behind segments that came back; nil if that is not known.
	out *segment
}

func (f *fifo) push(it *item) {
	s := f.tail
	if s == nil || s.end >= len(s.items) || s.bytes >= segmentBytes {
		s = f.grow()
	}
	s.items[s.end] = *it
	s.end++
	s.bytes += it.memory()
	f.count++
}

// grow adds a segment that is twice as large as what the last one took.
func (f *fifo) grow() *segment {
	n := segmentMin
	if f.tail != nil {
		n = min(max(2*f.tail.end, segmentMin), segmentMax)
	}
	s := &segment{items: make([]item, n)}
	f.add(s)
	return s
}

// add appends a segment, and what is in it.
func (f *fifo) add(s *segment) {
	if f.tail == nil {
		f.head = s
	} else {
		f.tail.next = s
		s.number = f.tail.number + 1
	}
	f.tail = s
	f.count += s.count()
}

// front returns the first item, or nil. It is valid until the next call. If its
// segment is packed it has no message.
func (f *fifo) front() *item {
	if f.count == 0 {
		return nil
	}
	return f.head.front()
}

// drop removes the first item; there must be one, with its message. It reports
// whether a segment is done and one that follows soon is packed.
func (f *fifo) drop() (ahead bool) {
	s := f.head
	s.items[s.first] = item{} // let the message go
	s.first++
	f.count--
	if s.first < s.end {
		return false
	}
	next := s.next
	if next == nil { // it is used again
		s.first, s.end, s.bytes = 0, 0, 0
		return false
	}
	f.head, s.next = next, nil
	if f.out == s {
		f.out = nil
	}
	return next.packed != nil || next.next != nil && next.next.packed != nil
}

// remove takes out a segment near the head that has no items any more.
func (f *fifo) remove(s *segment) {
	if f.out == s {
		f.out = nil
	}
	if f.head == s {
		f.head = s.next
		if f.tail == s {
			f.tail = nil
		}
		return
	}
	before := f.head
	for before.next != s {
		before = before.next
	}
	before.next = s.next
	if f.tail == s {
		f.tail = before
	}
}
