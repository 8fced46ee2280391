package mgmt

import (
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/amqp/server"
)

var messageEndpoints = []endpoint{
	{http.MethodPost, "/api/exchanges/{vhost}/{exchange}/publish", entrant, (*API).publish},
	{http.MethodPost, "/api/queues/{vhost}/{queue}/get", entrant, (*API).takeMessages},
}

// publish publishes a message, and answers when it is stored.
func (a *API) publish(w http.ResponseWriter, r *request) error {
	p, err := publishing(r)
	if err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	switch outcome, err := actor.Publish(r.Context(), p); {
	case err != nil:
		return closedChannel(err)
	case outcome.Refused:
		return badRequest("rejected Unable to publish message. Check queue limits.")
	default:
		return respond(w, http.StatusOK, object{{"routed", outcome.Routed}})
	}
}

// closedChannel words what AMQP would close a channel with, as RabbitMQ does where it
// uses one: with the code.
func closedChannel(err error) error {
	var wire *amqp.Error
	if errors.As(err, &wire) && wire.Code != amqp.CodeInternalError {
		return badRequest("%d %s", wire.Code, wire.ReplyText())
	}
	return err
}

// publishing reads the message that a request wants published.
func publishing(r *request) (p server.Publishing, err error) {
	m, err := r.members()
	if err != nil {
		return p, err
	}
	if err := m.need("routing_key", "properties", "payload", "payload_encoding"); err != nil {
		return p, err
	}
	p.Exchange = exchangeName(r.names["exchange"])
	if p.Key, err = m.text("routing_key"); err != nil {
		return p, err
	}
	if err := checkLength("routing_key", p.Key); err != nil {
		return p, err
	}
	if p.Body, err = payload(m); err != nil {
		return p, err
	}
	p.Properties, err = wireProperties(m["properties"])
	return p, err
}

// payload is the body of a message.
func payload(m members) ([]byte, error) {
	text, ok := m.value("payload").(string)
	if !ok {
		return nil, badRequest("payload_not_string")
	}
	switch encoding := m.value("payload_encoding"); encoding {
	case "string":
		return []byte(text), nil
	case "base64":
		body, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, wrong("not_base64", text)
		}
		return body, nil
	default:
		return nil, wrong("unsupported_encoding", encoding)
	}
}

// getting is what a request wants got.
type getting struct {
	count    int
	mode     server.GetMode
	truncate int
	base64   bool // else text, where it is text
}

// getModes are the modes by RabbitMQ's names.
var getModes = map[string]server.GetMode{
	"ack_requeue_true":     server.GetRequeue,
	"ack_requeue_false":    server.GetAck,
	"reject_requeue_true":  server.GetRejectRequeue,
	"reject_requeue_false": server.GetReject,
}

// takeMessages takes messages out of a queue, or looks at them.
func (a *API) takeMessages(w http.ResponseWriter, r *request) error {
	g, err := gettingOf(r)
	if err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	list, err := actor.Get(r.names["queue"], g.count, g.mode)
	if err != nil {
		return notGot(err)
	}
	messages := make([]object, len(list))
	for i := range list {
		if messages[i], err = g.show(&list[i]); err != nil {
			return err
		}
	}
	return respond(w, http.StatusOK, messages)
}

// notGot words why there is nothing, as RabbitMQ does.
func notGot(err error) error {
	var wire *amqp.Error
	if errors.As(err, &wire) {
		switch wire.Code {
		case amqp.CodeNotFound:
			return notFound(wire.ReplyText())
		case amqp.CodeAccessRefused:
			return notAuthorised(wire.ReplyText())
		}
	}
	return closedChannel(err)
}

// gettingOf reads the body of a get. What RabbitMQ had before it had ackmode is
// understood where that is not given: requeue, a boolean.
func gettingOf(r *request) (g getting, err error) {
	m, err := r.members()
	if err != nil {
		return g, err
	}
	if m["ackmode"] == nil && m["requeue"] != nil {
		requeue, err := m.flag("requeue")
		if err != nil {
			return g, err
		}
		m["ackmode"] = []byte(`"ack_requeue_false"`)
		if requeue {
			m["ackmode"] = []byte(`"ack_requeue_true"`)
		}
	}
	if err := m.need("ackmode", "count", "encoding"); err != nil {
		return g, err
	}
	name, err := m.text("ackmode")
	if err != nil {
		return g, err
	}
	var ok bool
	if g.mode, ok = getModes[name]; !ok {
		return g, badRequest("ackmode: %q is none of ack_requeue_true, ack_requeue_false, reject_requeue_true and reject_requeue_false", name)
	}
	return g, g.read(m)
}

// read reads the rest of the body.
func (g *getting) read(m members) (err error) {
	if g.count, err = m.number("count", 0); err != nil {
		return err
	}
	if g.count < 0 {
		g.count = math.MaxInt // as in RabbitMQ, where it counts down to 0
	}
	if g.truncate, err = m.number("truncate", math.MaxInt); err != nil {
		return err
	}
	if g.truncate < 0 {
		return badRequest("truncate: %d is negative", g.truncate)
	}
	switch encoding := m.value("encoding"); encoding {
	case "base64":
		g.base64 = true
	case "auto":
	default:
		return badRequest("Unsupported encoding. Please use auto or base64.")
	}
	return nil
}

// show is a message as it is shown.
func (g *getting) show(got *server.Got) (object, error) {
	m := got.Message
	properties, err := shownProperties(got.Properties)
	if err != nil {
		return nil, err
	}
	body := m.Body[:min(len(m.Body), g.truncate)]
	text, encoding := string(body), "string"
	if g.base64 || !utf8.Valid(body) {
		text, encoding = base64.StdEncoding.EncodeToString(body), "base64"
	}
	return object{
		{"payload_bytes", len(m.Body)}, {"redelivered", got.Redelivered},
		{"exchange", m.Exchange}, {"routing_key", m.RoutingKey}, {"message_count", got.Left},
		{"properties", properties}, {"payload", text}, {"payload_encoding", encoding},
	}, nil
}
