package server

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// MessageCounts count messages since something began, as RabbitMQ's message_stats.
// PublishIn and PublishOut are for exchanges, 0 for all else.
type MessageCounts struct {
	Publish, PublishIn, PublishOut, Confirm, ReturnUnroutable, DropUnroutable uint64
	Deliver, DeliverNoAck, Get, GetNoAck, GetEmpty, Redeliver, Ack            uint64
}

// Traffic is what went over a socket since it was opened. As in RabbitMQ it is reads
// and writes that are counted, of one frame or many each.
type Traffic struct{ RecvBytes, RecvFrames, SendBytes, SendFrames uint64 }

// ConnectionInfo is a connection at one moment.
type ConnectionInfo struct {
	ID          uint64
	Name        string // "CLIENT -> SERVER"
	VHost, User string // empty until they are known
	// State is RabbitMQ's: starting, tuning, opening, running, blocking (it will have
	// to wait for the end of an alarm if it publishes), blocked (it does), flow (it
	// waits for the disk) or closing.
	State            string
	ConnectedAt      time.Time
	Protocol         string // "AMQP 0-9-1"
	AuthMechanism    string
	Client, Server   net.Addr
	ClientProperties amqp.Table
	// UserProvidedName is the client property connection_name.
	UserProvidedName string
	ChannelMax       uint16
	FrameMax         uint32
	Heartbeat        time.Duration
	Channels         int
	SendPending      int                  // bytes that wait for the socket
	TLS              *tls.ConnectionState // nil without
	Traffic          Traffic
}

// ConnectionRef says whose connection something is of.
type ConnectionRef struct {
	ID                uint64
	Name, VHost, User string
	Client            net.Addr
}

// ChannelInfo is a channel at one moment.
type ChannelInfo struct {
	Connection             ConnectionRef
	Number                 uint16
	Confirm, Transactional bool
	// Prefetch is for consumers to come, GlobalPrefetch for all; 0 is no limit.
	Prefetch, GlobalPrefetch     int
	Consumers, Unacked           int
	Unconfirmed                  int
	Uncommitted, AcksUncommitted int
	IdleSince                    time.Time // zero: it is busy
	State                        string    // running, flow (its connection waits for the disk) or closing
	Messages                     MessageCounts
}

// LoginCounts are attempts to log in.
type LoginCounts struct{ Attempts, Succeeded, Failed uint64 }

// MessageSizeBounds are the upper bounds of Totals.MessageSizes, in bytes; what is
// larger than the last is behind it.
var MessageSizeBounds = [8]int{100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000}

// Totals are the broker's numbers: what there is now, and what there was since its
// start.
type Totals struct {
	// Connections are those that are open; Publishers are channels on which something
	// was published.
	Connections, Channels, Consumers, Publishers                         int
	ConnectionsOpened, ConnectionsClosed, ChannelsOpened, ChannelsClosed uint64
	QueuesDeclared, QueuesCreated, QueuesDeleted                         uint64
	// Messages are those of all channels that there were, and of every Actor.
	Messages MessageCounts
	// ReceivedConfirm of the published were to be confirmed, Routed found a queue.
	ReceivedConfirm, Routed uint64
	// DeadLettered are dead letters by reason: maxlen, expired, rejected,
	// delivery_limit.
	DeadLettered map[string]uint64
	// Logins are by protocol: amqp, http.
	Logins map[string]LoginCounts
	// MessageSizes are the published by size: how many are no larger than a bound of
	// MessageSizeBounds, and larger than the one before. MessageBytes is the sum.
	MessageSizes [9]uint64
	MessageBytes uint64
	// Blocked connections wait for an alarm to end.
	Blocked int
	Traffic Traffic
}
