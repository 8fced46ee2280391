package vhost

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// Filter says which messages of a queue are meant: those for which all holds that is
// set. The zero value is all.
type Filter struct {
	// IDs are those of queue.Browsed.
	IDs map[uint64]struct{}
	// States that are meant; nil for all.
	States []queue.State
	// Exchange and RoutingKey are those that the message has now.
	Exchange, RoutingKey *string
	// KeyPattern must match somewhere in the routing key.
	KeyPattern *regexp.Regexp
	Headers    []HeaderFilter
	Properties []PropertyFilter
	// The priority is the message's own, whatever the queue has for a maximum.
	MinPriority, MaxPriority *uint8
	// MinSize and MaxSize are bytes of the body.
	MinSize, MaxSize *int
	// The age is how long ago the message came into the queue. Where it is known only
	// roughly it has at least MinAge, or at most MaxAge, if that is certain.
	MinAge, MaxAge *time.Duration
	Redelivered    *bool
}

// HeaderFilter is a header that a message must have.
type HeaderFilter struct {
	Name string
	// Value, if not nil, must be equal: numbers by what they come to.
	Value any
	// Text, if not nil, must be what the header is as a text.
	Text *string
}

// PropertyFilter is a property that a message must have, by its name in management
// with _ in it, as a text.
type PropertyFilter struct{ Name, Text string }

// propertyTexts are the properties that a filter may ask for.
var propertyTexts = map[string]func(p *amqp.BasicProperties) (string, amqp.PropertyFlags){
	"content_type": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) { return p.ContentType, amqp.HasContentType },
	"content_encoding": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) {
		return p.ContentEncoding, amqp.HasContentEncoding
	},
	"correlation_id": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) {
		return p.CorrelationID, amqp.HasCorrelationID
	},
	"reply_to":   func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) { return p.ReplyTo, amqp.HasReplyTo },
	"expiration": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) { return p.Expiration, amqp.HasExpiration },
	"message_id": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) { return p.MessageID, amqp.HasMessageID },
	"type":       func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) { return p.Type, amqp.HasType },
	"user_id":    func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) { return p.UserID, amqp.HasUserID },
	"app_id":     func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) { return p.AppID, amqp.HasAppID },
	"cluster_id": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) { return p.ClusterID, amqp.HasClusterID },
	"priority": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) {
		return strconv.Itoa(int(p.Priority)), amqp.HasPriority
	},
	"delivery_mode": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) {
		return strconv.Itoa(int(p.DeliveryMode)), amqp.HasDeliveryMode
	},
	"timestamp": func(p *amqp.BasicProperties) (string, amqp.PropertyFlags) {
		return strconv.FormatUint(uint64(p.Timestamp), 10), amqp.HasTimestamp
	},
}

// FiltersProperty reports whether there is a property of that name for a filter.
func FiltersProperty(name string) bool { return propertyTexts[name] != nil }

// Pick reports whether a message may be meant, by what is known before it is read.
func (f *Filter) Pick(b *queue.Browsed, now time.Time) bool {
	if f.IDs != nil {
		if _, ok := f.IDs[b.ID]; !ok {
			return false
		}
	}
	switch {
	case f.States != nil && !slices.Contains(f.States, b.State),
		f.MinSize != nil && b.Size < *f.MinSize,
		f.MaxSize != nil && b.Size > *f.MaxSize,
		f.Redelivered != nil && b.Redelivered != *f.Redelivered,
		f.MinAge != nil && (b.CameBefore.IsZero() || now.Sub(b.CameBefore) < *f.MinAge),
		f.MaxAge != nil && (b.CameAfter.IsZero() || now.Sub(b.CameAfter) > *f.MaxAge):
		return false
	}
	return true
}

// Match reports whether a message is meant that Pick has let through.
func (f *Filter) Match(m *amqp.Message) bool {
	switch {
	case f.Exchange != nil && m.Exchange != *f.Exchange,
		f.RoutingKey != nil && m.RoutingKey != *f.RoutingKey,
		f.KeyPattern != nil && !f.KeyPattern.MatchString(m.RoutingKey),
		f.MinPriority != nil && m.Priority < *f.MinPriority,
		f.MaxPriority != nil && m.Priority > *f.MaxPriority:
		return false
	}
	return f.matchHeaders(m) && f.matchProperties(m)
}

func (f *Filter) matchHeaders(m *amqp.Message) bool {
	if len(f.Headers) == 0 {
		return true
	}
	headers, err := m.Headers()
	if err != nil {
		return false
	}
	for _, h := range f.Headers {
		v, ok := headers.Get(h.Name)
		if !ok || h.Value != nil && !sameValue(v, h.Value) || h.Text != nil && textOf(v) != *h.Text {
			return false
		}
	}
	return true
}

func (f *Filter) matchProperties(m *amqp.Message) bool {
	if len(f.Properties) == 0 {
		return true
	}
	p, err := m.Properties.Decode()
	if err != nil {
		return false
	}
	for _, want := range f.Properties {
		text, flag := propertyTexts[want.Name](&p)
		if !p.Present.Has(flag) || text != want.Text {
			return false
		}
	}
	return true
}
