package mgmt

import (
	"net/http"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost"
)

var exchangeEndpoints = []endpoint{
	{http.MethodGet, "/api/exchanges", anyUser, (*API).listExchanges},
	{http.MethodGet, "/api/exchanges/{vhost}", visible, (*API).listExchanges},
	{http.MethodGet, "/api/exchanges/{vhost}/{exchange}", visible, (*API).showExchange},
	{http.MethodPut, "/api/exchanges/{vhost}/{exchange}", entrant, (*API).putExchange},
	{http.MethodDelete, "/api/exchanges/{vhost}/{exchange}", entrant, (*API).deleteExchange},
}

// exchangeItem is an exchange as it is listed.
type exchangeItem struct {
	api      *API
	request  *request
	vhost    *vhost.VHost
	exchange *exchange.Exchange
}

// exchangeShape is an exchange in a list.
var exchangeShape = shape[exchangeItem]{
	{"arguments", func(i exchangeItem) any { return definitions.TableObject(i.exchange.Arguments()) }},
	{"auto_delete", func(i exchangeItem) any { return i.exchange.AutoDelete() }},
	{"durable", func(i exchangeItem) any { return i.exchange.Durable() }},
	{"internal", func(i exchangeItem) any { return i.exchange.Internal() }},
	{"message_stats", exchangeItem.messageStats},
	{"name", func(i exchangeItem) any { return i.exchange.Name() }},
	{"policy", exchangeItem.policy},
	{"type", func(i exchangeItem) any { return i.exchange.Type() }},
	{"user_who_performed_action", exchangeItem.maker},
	{"vhost", func(i exchangeItem) any { return i.vhost.Name() }},
}

// oneExchangeShape is an exchange that was asked for by name.
var oneExchangeShape = slices.Concat(exchangeShape, shape[exchangeItem]{
	{"incoming", func(exchangeItem) any { return []any{} }},
	{"outgoing", func(exchangeItem) any { return []any{} }},
})

func (i exchangeItem) messageStats() any {
	in, out := i.exchange.Counts()
	return messageStats(server.MessageCounts{PublishIn: in, PublishOut: out}, i.api.observeExchange(i.request, i.exchange), exchangeMessageNames...)
}

func (i exchangeItem) policy() any {
	if p := i.vhost.EffectivePolicy(i.exchange).Policy; p != "" {
		return p
	}
	return absent
}

// maker is who has declared the exchange: the broker, or somebody of whom it is not
// kept who it was.
func (i exchangeItem) maker() any {
	if i.exchange.IsDefault() || strings.HasPrefix(i.exchange.Name(), "amq.") {
		return "rmq-internal"
	}
	return ""
}

// listExchanges lists the exchanges of all vhosts that the user sees, or of one.
func (a *API) listExchanges(w http.ResponseWriter, r *request) error {
	var items []exchangeItem
	for _, v := range a.visibleVHosts(r) {
		for _, x := range v.Exchanges() {
			items = append(items, exchangeItem{a, r, v, x})
		}
	}
	return respondList(w, r, items, exchangeShape, func(i exchangeItem) string { return i.exchange.Name() })
}

// exchangeOf finds the exchange in the path.
func (a *API) exchangeOf(r *request) (exchangeItem, error) {
	x := r.vhost.ExchangeNamed(exchangeName(r.names["exchange"]))
	if x == nil {
		return exchangeItem{}, errNotFound
	}
	return exchangeItem{a, r, r.vhost, x}, nil
}

// showExchange shows one exchange.
func (a *API) showExchange(w http.ResponseWriter, r *request) error {
	item, err := a.exchangeOf(r)
	if err != nil {
		return err
	}
	return respondOne(w, r, item, oneExchangeShape)
}

// putExchange declares an exchange; direct, if the body does not name a type.
func (a *API) putExchange(w http.ResponseWriter, r *request) error {
	d, err := exchangeDeclare(r)
	if err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	isNew := r.vhost.ExchangeNamed(vhost.CleanName(d.Name)) == nil
	if err := actor.DeclareExchange(d); err != nil {
		return err
	}
	return created(w, isNew)
}

// exchangeDeclare reads what a request wants declared.
func exchangeDeclare(r *request) (d vhost.ExchangeDeclare, err error) {
	d.Name = exchangeName(r.names["exchange"])
	if d.Name != "" { // else others say that nobody declares the default exchange
		if err := checkName("exchange", d.Name); err != nil {
			return d, err
		}
	}
	m, err := r.members()
	if err != nil {
		return d, err
	}
	d.Type = exchange.TypeDirect
	if _, ok := m["type"]; ok {
		if d.Type, err = m.text("type"); err != nil {
			return d, err
		}
	}
	for name, flag := range map[string]*bool{"durable": &d.Durable, "auto_delete": &d.AutoDelete, "internal": &d.Internal} {
		if *flag, err = m.flag(name); err != nil {
			return d, err
		}
	}
	d.Arguments, err = m.table("arguments")
	return d, err
}

// deleteExchange deletes an exchange, with if-unused=true only if nothing is bound to it.
func (a *API) deleteExchange(w http.ResponseWriter, r *request) error {
	item, err := a.exchangeOf(r)
	if err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	if err := actor.DeleteExchange(item.exchange.Name(), r.URL.Query().Get("if-unused") == "true"); err != nil {
		return err
	}
	return done(w)
}
