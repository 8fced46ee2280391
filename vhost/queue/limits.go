package queue

import (
	"time"

	"github.com/leveretmq/leveret/vhost/dedup"
)

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
	// DeliveryLimit is how often a message may come back before it is
	// dead-lettered (x-delivery-limit), or Unlimited.
	DeliveryLimit int64
	// DeadLetterExchange is where dead letters go if DeadLetter; DeadLetterKey
	// replaces their routing keys if HasDeadLetterKey.
	DeadLetterExchange string
	DeadLetterKey      string
	HasDeadLetterKey   bool
	// DeadLetter says that there is a dead-letter exchange, whose name may be
	// empty: the default exchange.
	DeadLetter bool
	// AtLeastOnce keeps a dead letter until some queue has taken it
	// (x-dead-letter-strategy), instead of dropping what cannot be routed. As in
	// RabbitMQ that takes a dead-letter exchange and reject-publish.
	AtLeastOnce bool
	Overflow    Overflow
	// MaxPriority is the highest priority (x-max-priority), 0 for a queue
	// without priorities. A quorum queue always has 31, as in RabbitMQ 4.3.
	MaxPriority uint8
	// SingleActive lets one consumer at a time have deliveries.
	SingleActive bool
	// CountDeliveries adds the header x-delivery-count to redeliveries, as
	// quorum queues do, and others with a limit of deliveries or a Retry.
	CountDeliveries bool
	// Retry delays what comes back.
	Retry Retry
	// Dedup says which duplicates are dropped (x-message-deduplication); nil:
	// none.
	Dedup *dedup.Options
	// ConsumerTimeout is how long a consumer may leave a delivery unacked
	// (x-consumer-timeout); 0: for ever.
	ConsumerTimeout time.Duration
}

// NoLimits are those of a queue that was declared without arguments.
func NoLimits() Limits {
	return Limits{TTL: Unlimited, MaxLength: Unlimited, MaxBytes: Unlimited, DeliveryLimit: Unlimited}
}

// quorumPriority is the highest priority of a quorum queue.
const quorumPriority = 31

// settle is what follows from the other limits.
func (l *Limits) settle(kind string) {
	if kind == TypeQuorum {
		l.MaxPriority = quorumPriority
		if l.Overflow == RejectPublishDLX {
			l.Overflow = DropHead // as RabbitMQ, which logs a warning
		}
	}
	l.CountDeliveries = kind == TypeQuorum || l.DeliveryLimit >= 0 || l.Retry.Backoff != NoBackoff
	l.AtLeastOnce = l.AtLeastOnce && l.DeadLetter && l.Overflow == RejectPublish
}
