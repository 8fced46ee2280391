package queue

import "time"

// Overflow says what happens to a publish that would make a queue longer than
// its limit (x-overflow).
type Overflow uint8

// The kinds of overflow. DropHead is the default.
const (
	DropHead Overflow = iota
	RejectPublish
	RejectPublishDLX
)

// Unlimited is the value of a limit that is not set.
const Unlimited = -1

// Limits is what a queue's arguments come to, parsed once at declare. Make it
// with NoLimits or ParseArguments: a zero length or TTL means just that.
type Limits struct {
	// TTL is how long a message may wait (x-message-ttl); negative: for ever.
	TTL time.Duration
	// Expires is how long an unused queue lives (x-expires); 0: for ever.
	Expires time.Duration
	// MaxLength and MaxBytes bound the ready messages and their bodies
	// (x-max-length, x-max-length-bytes), or are Unlimited.
	MaxLength, MaxBytes int64
	Overflow            Overflow
	// DeadLetter says that there is a dead-letter exchange, whose name may be
	// empty: the default exchange.
	DeadLetter         bool
	DeadLetterExchange string
	// DeadLetterKey replaces the routing keys of dead letters if HasDeadLetterKey.
	DeadLetterKey    string
	HasDeadLetterKey bool
	// MaxPriority is the highest priority (x-max-priority), 0 for a queue
	// without priorities.
	MaxPriority uint8
	// SingleActive lets one consumer at a time have deliveries.
	SingleActive bool
	// DeliveryLimit is how often a message may come back before it is
	// dead-lettered (x-delivery-limit), or Unlimited.
	DeliveryLimit int64
	// CountDeliveries adds the header x-delivery-count to redeliveries, as
	// quorum queues do.
	CountDeliveries bool
}

// NoLimits are those of a queue that was declared without arguments.
func NoLimits() Limits {
	return Limits{TTL: Unlimited, MaxLength: Unlimited, MaxBytes: Unlimited, DeliveryLimit: Unlimited}
}
