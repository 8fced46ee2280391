package exchange

import (
	"strconv"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/binding"
)

const (
	hashHeaderArgument   = "hash-header"
	hashPropertyArgument = "hash-property"
)

// consistentKind is x-consistent-hash. It hashes the routing key, without CC and
// BCC, or else a header or property. Messages that lack it have all the same
// hash, and one destination [RabbitMQ].
type consistentKind struct {
	*binding.Consistent[Destination]
	header    string
	hasHeader bool
	property  string // correlation_id, message_id, timestamp or, for none, empty
}

func (k *consistentKind) configure(x *Exchange) error {
	var hasProperty bool
	var err error
	if k.header, k.hasHeader, err = x.textArgument(hashHeaderArgument); err != nil {
		return err
	}
	if k.property, hasProperty, err = x.textArgument(hashPropertyArgument); err != nil {
		return err
	}
	switch {
	case !hasProperty:
		return nil
	case k.hasHeader:
		return amqp.PreconditionFailed("%s and %s are mutually exclusive", hashHeaderArgument, hashPropertyArgument)
	}
	switch k.property {
	case "correlation_id", "message_id", "timestamp":
		return nil
	}
	return amqp.PreconditionFailed("Unsupported property: %s", k.property)
}

// textArgument returns an argument that must be a string. RabbitMQ has an internal
// error for others.
func (x *Exchange) textArgument(name string) (text string, ok bool, err error) {
	v, ok := x.options.Arguments.Get(name)
	if !ok {
		return "", false, nil
	}
	if text, ok = v.(string); !ok {
		return "", false, x.wrongType(name, v)
	}
	return text, true, nil
}

func (k *consistentKind) match(msg *amqp.Message, r *Result) {
	var h binding.Hash // that of what is absent
	switch {
	case k.hasHeader:
		r.notByKey = true
		if v, ok := r.headers(msg).Get(k.header); ok {
			h = binding.HashValue(v, &r.scratch)
		}
	case k.property != "":
		r.notByKey = true
		if text, ok := property(msg, k.property); ok {
			h = binding.HashText(text)
		}
	default:
		h = binding.HashText(msg.RoutingKey)
	}
	r.matched = k.Match(h, r.matched)
}

// property returns one of the properties that can be hashed, as text.
func property(msg *amqp.Message, name string) (text string, ok bool) {
	p, err := msg.Properties.Decode()
	switch {
	case err != nil: // counts as absent, as with headers
		return "", false
	case name == "correlation_id":
		return p.CorrelationID, p.Present.Has(amqp.HasCorrelationID)
	case name == "message_id":
		return p.MessageID, p.Present.Has(amqp.HasMessageID)
	}
	return strconv.FormatUint(uint64(p.Timestamp), 10), p.Present.Has(amqp.HasTimestamp)
}
