package mgmt

import (
	"encoding/json"
	"math"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/mgmt/definitions"
)

// textProperty is a property that is a text.
type textProperty struct {
	name string
	flag amqp.PropertyFlags
	at   func(*amqp.BasicProperties) *string
}

// The properties in the order in which RabbitMQ shows them: those before the timestamp,
// those between it and the priority, and those behind the headers.
var (
	firstTexts = []textProperty{
		{"cluster_id", amqp.HasClusterID, func(p *amqp.BasicProperties) *string { return &p.ClusterID }},
		{"app_id", amqp.HasAppID, func(p *amqp.BasicProperties) *string { return &p.AppID }},
		{"user_id", amqp.HasUserID, func(p *amqp.BasicProperties) *string { return &p.UserID }},
		{"type", amqp.HasType, func(p *amqp.BasicProperties) *string { return &p.Type }},
	}
	nextTexts = []textProperty{
		{"message_id", amqp.HasMessageID, func(p *amqp.BasicProperties) *string { return &p.MessageID }},
		{"expiration", amqp.HasExpiration, func(p *amqp.BasicProperties) *string { return &p.Expiration }},
		{"reply_to", amqp.HasReplyTo, func(p *amqp.BasicProperties) *string { return &p.ReplyTo }},
		{"correlation_id", amqp.HasCorrelationID, func(p *amqp.BasicProperties) *string { return &p.CorrelationID }},
	}
	lastTexts = []textProperty{
		{"content_encoding", amqp.HasContentEncoding, func(p *amqp.BasicProperties) *string { return &p.ContentEncoding }},
		{"content_type", amqp.HasContentType, func(p *amqp.BasicProperties) *string { return &p.ContentType }},
	}
)

// shownProperties are the properties of a message as JSON; without any an empty list,
// as in RabbitMQ.
func shownProperties(wire amqp.Properties) (any, error) {
	if len(wire) == 0 {
		return []any{}, nil
	}
	p, err := wire.Decode()
	if err != nil {
		return nil, err
	}
	var o object
	texts := func(list []textProperty) {
		for _, t := range list {
			if p.Present.Has(t.flag) {
				o = append(o, member{t.name, *t.at(&p)})
			}
		}
	}
	texts(firstTexts)
	if p.Present.Has(amqp.HasTimestamp) {
		o = append(o, member{"timestamp", uint64(p.Timestamp)})
	}
	texts(nextTexts)
	if p.Present.Has(amqp.HasPriority) {
		o = append(o, member{"priority", p.Priority})
	}
	if p.Present.Has(amqp.HasDeliveryMode) {
		o = append(o, member{"delivery_mode", p.DeliveryMode})
	}
	if p.Present.Has(amqp.HasHeaders) {
		o = append(o, member{"headers", definitions.TableObject(p.Headers)})
	}
	texts(lastTexts)
	if o == nil {
		return []any{}, nil
	}
	return o, nil
}

// wireProperties reads properties that a client has written as JSON. What is no
// property is ignored, as by RabbitMQ.
func wireProperties(raw json.RawMessage) (amqp.Properties, error) {
	m, err := propertyMembers(raw)
	if err != nil || len(m) == 0 {
		return nil, err
	}
	var p amqp.BasicProperties
	for _, list := range [][]textProperty{firstTexts, nextTexts, lastTexts} {
		for _, t := range list {
			if m[t.name] == nil {
				continue
			}
			if *t.at(&p), err = m.text(t.name); err != nil {
				return nil, err
			}
			p.Present |= t.flag
		}
	}
	if err := readNumbers(&p, m); err != nil {
		return nil, err
	}
	if m["headers"] != nil {
		p.Present |= amqp.HasHeaders
		if p.Headers, err = m.table("headers"); err != nil {
			return nil, err
		}
	}
	if p.Present == 0 {
		return nil, nil
	}
	wire, err := p.Append(nil)
	if err != nil {
		return nil, badRequest("properties: %s", err)
	}
	return wire, nil
}

// propertyMembers are the members of properties. An empty list has none: that is how
// RabbitMQ shows a message without properties.
func propertyMembers(raw json.RawMessage) (members, error) {
	var m members
	if err := json.Unmarshal(raw, &m); err == nil && m != nil {
		return m, nil
	}
	var list []any
	if err := json.Unmarshal(raw, &list); err == nil && list != nil && len(list) == 0 {
		return nil, nil
	}
	return nil, badRequest("properties should be an object")
}

// readNumbers reads the properties that are numbers.
func readNumbers(p *amqp.BasicProperties, m members) error {
	for _, n := range []struct {
		name string
		flag amqp.PropertyFlags
		most float64
		set  func(float64)
	}{
		{"delivery_mode", amqp.HasDeliveryMode, math.MaxUint8, func(v float64) { p.DeliveryMode = uint8(v) }},
		{"priority", amqp.HasPriority, math.MaxUint8, func(v float64) { p.Priority = uint8(v) }},
		{"timestamp", amqp.HasTimestamp, 1 << 53, func(v float64) { p.Timestamp = amqp.Timestamp(v) }},
	} {
		if m[n.name] == nil {
			continue
		}
		v, ok := m.value(n.name).(float64)
		switch {
		case !ok || v != math.Trunc(v):
			return wrong("not_int", n.name)
		case v < 0 || v > n.most:
			return badRequest("%s: %v is not between 0 and %v", n.name, v, n.most)
		}
		n.set(v)
		p.Present |= n.flag
	}
	return nil
}
