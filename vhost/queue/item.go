package queue

import "github.com/leveretmq/leveret/amqp"

// item is one message in one queue.
type item struct {
	msg *amqp.Message
	// seq is the place in line, given at publish and kept when requeued.
	seq uint64
	// expires is when the message dies, in Unix nanoseconds; 0 is never.
	expires int64
	// returns counts how often the message was handed out and came back.
	returns uint32
	// redelivered says that some consumer may have seen the message.
	redelivered bool
}

// chunkMin and chunkMax bound the items of one chunk of a fifo: small queues
// stay small, long ones pay one allocation in 512 messages.
const (
	chunkMin = 8
	chunkMax = 512
)

type chunk struct {
	items []item // length is the capacity of the chunk
	next  *chunk
}

// fifo is a first-in first-out list of items in chunks, so that neither a long
// backlog is copied when it grows nor its memory kept when it has drained.
type fifo struct {
	head, tail *chunk
	first      int // index of the first item in head
	end        int // index after the last item in tail
	count      int
}

func (f *fifo) push(it item) {
	switch {
	case f.tail == nil:
		f.head = &chunk{items: make([]item, chunkMin)}
		f.tail = f.head
	case f.count == 0:
		f.first, f.end = 0, 0
	case f.end == len(f.tail.items):
		next := &chunk{items: make([]item, min(2*len(f.tail.items), chunkMax))}
		f.tail.next = next
		f.tail, f.end = next, 0
	}
	f.tail.items[f.end] = it
	f.end++
	f.count++
}

// front returns the first item, or nil. It is valid until the next call.
func (f *fifo) front() *item {
	if f.count == 0 {
		return nil
	}
	return &f.head.items[f.first]
}

// drop removes the first item; there must be one.
func (f *fifo) drop() {
	f.head.items[f.first] = item{} // let the message go
	f.first++
	f.count--
	if f.first == len(f.head.items) && f.head.next != nil {
		f.head = f.head.next
		f.first = 0
	}
}

// all yields the items in order.
func (f *fifo) all(yield func(*item) bool) {
	i, left := f.first, f.count
	for c := f.head; left > 0; c = c.next {
		for ; i < len(c.items) && left > 0; i++ {
			left--
			if !yield(&c.items[i]) {
				return
			}
		}
		i = 0
	}
}

// returned holds items that came back, as a binary heap by place in line.
type returned []item

func (h *returned) push(it item) {
	*h = append(*h, it)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if s[parent].seq <= s[i].seq {
			return
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
}

// drop removes the item that is first in line; there must be one.
func (h *returned) drop() {
	s := *h
	last := len(s) - 1
	s[0] = s[last]
	s[last] = item{}
	s = s[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s); child++ {
			if s[child].seq < s[least].seq {
				least = child
			}
		}
		if least == i {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	if len(s) == 0 && cap(s) > chunkMax {
		s = nil
	}
	*h = s
}
