package exchange

import (
	"strings"

	"github.com/leveretmq/leveret/binding"
)

// The exchange types. Those with x- are plugins of RabbitMQ's, or have been.
const (
	TypeDirect  = "direct"
	TypeFanout  = "fanout"
	TypeTopic   = "topic"
	TypeHeaders = "headers"
	// TypeConsistentHash gives each message to one destination, by a hash of its
	// routing key; binding keys are weights, from 1 to 10000. The argument
	// hash-header names a header, or hash-property one of correlation_id,
	// message_id and timestamp, to be hashed instead.
	TypeConsistentHash = "x-consistent-hash"
	// TypeModulusHash gives each message to one binding, by a hash of its routing
	// key modulo their number.
	TypeModulusHash = "x-modulus-hash"
	// TypeRandom gives each message to one binding, any.
	TypeRandom = "x-random"
	// TypeRecentHistory is fanout that keeps the last messages for who is bound
	// later: as many as the argument x-recent-history-length says, 20 if absent.
	TypeRecentHistory = "x-recent-history"
	// TypeDelayed is the type that the argument x-delayed-type names, but holds
	// messages until they are due: see Held.
	TypeDelayed = "x-delayed-message"
)

// Types returns the names of all exchange types, in alphabetical order.
func Types() []string {
	return []string{
		TypeDirect, TypeFanout, TypeHeaders, TypeTopic,
		TypeConsistentHash, TypeDelayed, TypeModulusHash, TypeRandom, TypeRecentHistory,
	}
}

// atom shows a type as RabbitMQ does, in which it is an atom: one with a hyphen has
// quotes.
func atom(kind string) string {
	if strings.Contains(kind, "-") {
		return quote(kind)
	}
	return kind
}

// newKind returns nil if there is no such type that routes by itself.
func newKind(name string) kind {
	switch name {
	case TypeDirect:
		return directKind{binding.NewDirect[Destination]()}
	case TypeFanout:
		return fanoutKind{binding.NewFanout[Destination]()}
	case TypeTopic:
		return topicKind{binding.NewTopic[Destination]()}
	case TypeHeaders:
		return headersKind{binding.NewHeaders[Destination]()}
	case TypeConsistentHash:
		return &consistentKind{Consistent: binding.NewConsistent(identify)}
	case TypeModulusHash:
		return modulusKind{binding.NewModulus(identify)}
	case TypeRandom:
		return randomKind{binding.NewRandom[Destination]()}
	case TypeRecentHistory:
		return &historyKind{Fanout: binding.NewFanout[Destination]()}
	}
	return nil
}

// identify is the same for a destination whenever there is one of its kind and
// name. Exchanges come before queues [as in RabbitMQ].
func identify(d Destination) string {
	if _, ok := d.(*Exchange); ok {
		return "exchange " + d.Name()
	}
	return "queue " + d.Name()
}
