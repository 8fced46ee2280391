package mgmt

import (
	"encoding/json"
	"net/http"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/mgmt/definitions"
)

var reachEndpoints = []endpoint{
	{http.MethodPost, "/api/leveret/exchanges/{vhost}/{exchange}/reach", visible, (*API).reach},
}

// reachBody is a message as far as routing looks at it.
type reachBody struct {
	RoutingKey string          `json:"routing_key"`
	Headers    json.RawMessage `json:"headers"`
	Properties json.RawMessage `json:"properties"`
}

// message is the message, as it would be published.
func (b *reachBody) message(to string) (*amqp.Message, error) {
	if err := checkLength("routing_key", b.RoutingKey); err != nil {
		return nil, err
	}
	var p amqp.BasicProperties
	if len(b.Properties) > 0 {
		wire, err := wireProperties(b.Properties)
		if err != nil {
			return nil, err
		}
		if p, err = wire.Decode(); err != nil {
			return nil, err
		}
	}
	headers, err := definitions.ParseTable(b.Headers)
	if err != nil {
		return nil, badRequest("headers: %s", err)
	}
	if len(headers) > 0 {
		p.Headers, p.Present = append(p.Headers, headers...), p.Present|amqp.HasHeaders
	}
	wire, err := p.Append(nil)
	if err != nil {
		return nil, badRequest("properties: %s", err)
	}
	m := amqp.NewMessage(to, []byte(b.RoutingKey), wire, 0)
	m.HasHeaders = p.Present.Has(amqp.HasHeaders)
	m.ExtraKeys = extraKeys(p.Headers)
	return m, nil
}

// extraKeys are the keys in CC and BCC.
func extraKeys(headers amqp.Table) (keys []string) {
	for _, name := range []string{"CC", "BCC"} {
		v, _ := headers.Get(name)
		list, _ := v.(amqp.Array)
		for _, k := range list {
			if s, ok := k.(string); ok {
				keys = append(keys, s)
			}
		}
	}
	return keys
}

// reach says where a message would go, without publishing it.
func (a *API) reach(w http.ResponseWriter, r *request) error {
	var b reachBody
	if err := r.strictly(&b); err != nil {
		return err
	}
	name := exchangeName(r.names["exchange"])
	m, err := b.message(name)
	if err != nil {
		return err
	}
	reached, err := r.vhost.Reach(name, m)
	if err != nil {
		return err
	}
	queues := make([]object, len(reached.Queues))
	for i, q := range reached.Queues {
		via := make([]object, len(q.Via))
		for k, h := range q.Via {
			via[k] = showHop(h)
		}
		queues[i] = object{{"name", q.Queue.Name()}, {"via", via}}
	}
	held := []object{}
	for _, h := range reached.Held {
		held = append(held, object{{"exchange", h.Exchange}, {"due", timeOrAbsent(h.Due)}})
	}
	return respond(w, http.StatusOK, object{{"routed", len(queues)+len(held) > 0}, {"queues", queues}, {"held_by", held}})
}

func showHop(h exchange.Hop) object {
	if h.Alternate {
		return object{{"exchange", h.Exchange}, {"alternate", true}}
	}
	return object{{"exchange", h.Exchange}, {"alternate", false}, {"binding_key", h.Key}, {"arguments", definitions.TableObject(h.Arguments)}}
}
