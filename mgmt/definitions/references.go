package definitions

import (
	"slices"
	"strings"

	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
)

// references finds out whether what entries refer to is in the file or in the
// broker.
type references struct {
	lists    *lists
	registry *vhost.Registry
	there    queues // of the broker
	lenient  bool
	skipped  []string

	users, rooms, exchanges, queues map[string]bool // of the file, by key
}

// resolve refuses what refers to nothing. If the file is lenient it leaves such
// bindings out, as RabbitMQ always does.
func (f *references) resolve() error {
	f.users, f.rooms = set(f.lists.users), set(f.lists.rooms)
	f.exchanges, f.queues = set(f.lists.exchanges), set(f.lists.queues)
	for _, p := range f.lists.permissions {
		if err := f.grant(p, p.User, p.VHost); err != nil {
			return err
		}
	}
	for _, p := range f.lists.topics {
		if err := f.grant(p, p.User, p.VHost); err != nil {
			return err
		}
	}
	for _, i := range f.placed() {
		if err := f.vhost(i.item, i.in); err != nil {
			return err
		}
	}
	bindings := make([]bindingItem, 0, len(f.lists.bindings))
	for _, b := range f.lists.bindings {
		switch missing := f.end(b); {
		case missing == "":
			bindings = append(bindings, b)
		case f.lenient || !b.ToExchange && strings.HasPrefix(b.Destination, reserved):
			f.skipped = append(f.skipped, b.where()+": no "+missing)
		default:
			return policy.Refusef("%s: no %s", b.where(), missing)
		}
	}
	f.lists.bindings = bindings
	return nil
}

func set[T item](items []T) map[string]bool {
	m := make(map[string]bool, len(items))
	for _, i := range items {
		m[i.key()] = true
	}
	return m
}

// placed is an entry that is in a vhost.
type placed struct {
	item item
	in   string
}

func (f *references) placed() (all []placed) {
	for _, i := range f.lists.parameters {
		all = append(all, placed{i, i.in})
	}
	for _, i := range f.lists.policies {
		all = append(all, placed{i, i.in})
	}
	for _, i := range f.lists.exchanges {
		all = append(all, placed{i, i.in})
	}
	for _, i := range f.lists.queues {
		all = append(all, placed{i, i.in})
	}
	for _, i := range f.lists.bindings {
		all = append(all, placed{i, i.in})
	}
	return all
}

func (f *references) grant(i item, name, vhost string) error {
	if _, ok := f.registry.User(name); !ok && !f.users[user{Account: auth.Account{User: auth.User{Name: name}}}.key()] {
		return policy.Refusef("%s: no user '%s'", i.where(), name)
	}
	return f.vhost(i, vhost)
}

func (f *references) vhost(i item, name string) error {
	if name == "" {
		return policy.Refusef("%s: vhost is missing", i.where())
	}
	if _, err := f.registry.VHost(name); err != nil && !f.rooms[room{name: name}.key()] {
		return policy.Refusef("%s: no vhost '%s'", i.where(), name)
	}
	return nil
}

// end names an end of a binding that is nowhere, empty if both are there.
func (f *references) end(b bindingItem) (missing string) {
	if b.Source == "" {
		return "" // the default exchange, which the broker refuses in its own words
	}
	if !f.exchange(b.in, b.Source) {
		return exchangeItem{in: b.in, name: b.Source}.where()
	}
	if b.ToExchange {
		if !f.exchange(b.in, b.Destination) {
			return exchangeItem{in: b.in, name: b.Destination}.where()
		}
		return ""
	}
	if !f.queue(b.in, b.Destination) {
		return queueItem{in: b.in, name: b.Destination}.where()
	}
	return ""
}

// exchange reports whether there is an exchange, or will be.
func (f *references) exchange(in, name string) bool {
	if f.exchanges[exchangeItem{in: in, name: name}.key()] {
		return true
	}
	v, err := f.registry.VHost(in)
	if err != nil { // a new one, which has what each has
		return slices.ContainsFunc(exchange.Predeclared(in), func(x *exchange.Exchange) bool { return x.Name() == name })
	}
	return v.ExchangeNamed(name) != nil
}

func (f *references) queue(in, name string) bool {
	if f.queues[queueItem{in: in, name: name}.key()] {
		return true
	}
	_, there := f.there[queueItem{in: in, name: name}.key()]
	return there
}
