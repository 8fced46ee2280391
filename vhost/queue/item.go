package queue

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// item is one message in one queue.
type item struct {
	msg *amqp.Message // nil for the stub of a segment that is not in memory
	// rec is the message's record in the store, or on the way there, and place
	// the number of its place there; nil for a message that is in memory only.
	rec *persistence.Record
	// seq is the place in line, given at publish and kept when requeued.
	seq uint64
	// expires is when the message dies, in Unix nanoseconds; 0 is never.
	expires int64
	place   uint32
	size    uint32 // of the body
	// returns counts how often the message was handed out and came back.
	returns uint32
	// redelivered says that some consumer may have seen the message.
	redelivered bool
	// lasting says that the message is persistent: it is asked for when the message
	// itself is no longer in the processor's caches. It is set while the item is ready
	// or unacked, and in memory.
	lasting bool
}

// messageCost is about what a message takes in memory besides its bytes: the
// Message, its item, its record.
const messageCost = 256

// memory is about what the item keeps in memory.
func (it *item) memory() int64 {
	return int64(len(it.msg.Body)+len(it.msg.Properties)+len(it.msg.RoutingKey)) + messageCost
}
