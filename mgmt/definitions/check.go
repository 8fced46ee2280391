package definitions

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
)

// Check holds a file against a broker and changes nothing there. The error is a
// *policy.Refused that names an entry and what is wrong with it: it contradicts
// another or what the broker has, it refers to what is in neither, or the broker
// would refuse it.
func (f *File) Check(r *vhost.Registry) error {
	_, _, err := f.check(r)
	return err
}

// check returns what is to be applied, and what was left out.
func (f *File) check(r *vhost.Registry) (l lists, skipped []string, err error) {
	l = f.lists
	if err = l.unify(); err != nil {
		return l, nil, err
	}
	l.spreadLimits()
	there := queuesFor(r, l)
	refs := references{lists: &l, registry: r, there: there, lenient: f.lenient}
	if err = refs.resolve(); err != nil {
		return l, nil, err
	}
	if err = l.checkLimits(r, there); err != nil {
		return l, nil, err
	}
	trial, err := rehearsal(r, l, there)
	if err != nil {
		return l, nil, err
	}
	defer trial.Close()
	if _, err = l.applyTo(trial, true); err != nil {
		return l, nil, reasonOf(err)
	}
	return l, append(f.Warnings(), refs.skipped...), nil
}

// unify leaves out what is there twice, and refuses it if it is not the same.
func (l *lists) unify() (err error) {
	unify(&l.users, &err)
	unify(&l.rooms, &err)
	unify(&l.permissions, &err)
	unify(&l.topics, &err)
	unify(&l.parameters, &err)
	unify(&l.globals, &err)
	unify(&l.policies, &err)
	unify(&l.exchanges, &err)
	unify(&l.queues, &err)
	unify(&l.bindings, &err)
	return err
}

func unify[T item](items *[]T, err *error) {
	if *err != nil {
		return
	}
	seen := make(map[string]T, len(*items))
	out := make([]T, 0, len(*items))
	for _, i := range *items {
		first, twice := seen[i.key()]
		switch {
		case !twice:
			seen[i.key()] = i
			out = append(out, i)
		case !reflect.DeepEqual(first, i):
			*err = policy.Refusef("%s is there twice, and not the same%s", i.where(), differenceOf(first, i))
			return
		}
	}
	*items = out
}

// differenceOf names the fields in which two entries differ, where entries have
// fields as a file has them.
func differenceOf(a, b any) string {
	x, okX := a.(interface{ entry() object })
	y, okY := b.(interface{ entry() object })
	if !okX || !okY {
		return ""
	}
	var names []string
	other := y.entry()
	for i, m := range x.entry() {
		if !reflect.DeepEqual(m, other[i]) {
			names = append(names, m.name)
		}
	}
	return ": " + strings.Join(names, ", ")
}

// spreadLimits makes the parameters vhost-limits of what is said in the entries of
// vhosts, unless there are such parameters.
func (l *lists) spreadLimits() {
	said := map[string]bool{}
	for _, p := range l.parameters {
		said[p.key()] = true
	}
	parameters := l.parameters[:len(l.parameters):len(l.parameters)]
	for _, v := range l.rooms {
		p := parameter{v.name, vhost.Parameter{Component: vhostLimits, Name: "limits", Value: v.limits}}
		if v.limits != nil && !said[p.key()] {
			parameters = append(parameters, p)
		}
	}
	l.parameters = parameters
}

// checkLimits refuses more new queues than a vhost may have now. The limit that the
// file itself sets does not count, as in RabbitMQ.
func (l *lists) checkLimits(r *vhost.Registry, there queues) error {
	added := map[string]int64{}
	var order []string
	for _, q := range l.queues {
		v, err := r.VHost(q.in)
		if _, is := there[q.key()]; is || err != nil || v.Limits().Queues < 0 {
			continue
		}
		if added[q.in]++; added[q.in] == 1 {
			order = append(order, q.in)
		}
	}
	for _, name := range order {
		v, err := r.VHost(name)
		if err != nil {
			continue
		}
		if n, most := int64(len(v.Queues())), v.Limits().Queues; n+added[name] > most {
			return policy.Refusef("Adding %d queue(s) to virtual host \"%s\" would exceed the limit of %d queue(s).\n\n"+
				"This virtual host currently has %d queue(s) defined.\n\nImport aborted!", added[name], name, most, n)
		}
	}
	return nil
}

// reasonOf makes an error of the rehearsal one for the client.
func reasonOf(err error) error {
	var at *failure
	if !errors.As(err, &at) {
		return err
	}
	var (
		wire    *amqp.Error
		refused *policy.Refused
		text    string
	)
	switch {
	case errors.As(at.err, &wire):
		text = strings.ToLower(wire.Code.String()) + ": " + wire.Text
	case errors.As(at.err, &refused):
		text = refused.Error()
	case errors.Is(at.err, auth.ErrNoUser):
		text = "no such user"
	default:
		return err
	}
	if !strings.Contains(text, at.where) {
		text = at.where + ": " + text
	}
	return policy.Refusef("%s", text)
}

// rehearsal is a broker in memory with what a broker has of what the entries are
// about, so that they can be tried there.
func rehearsal(r *vhost.Registry, l lists, there queues) (*vhost.Registry, error) {
	trial, err := vhost.New(vhost.Options{})
	if err != nil {
		return nil, err
	}
	for _, a := range r.Users() {
		if err := trial.PutUser(a); err != nil {
			return nil, fmt.Errorf("rehearsing the import: %w", err)
		}
	}
	for _, v := range r.VHosts() {
		to, err := trial.AddVHost(v.Name())
		if err == nil {
			err = to.SetMetadata(v.Metadata())
		}
		if err != nil {
			return nil, fmt.Errorf("rehearsing the import: %w", err)
		}
	}
	copyExchanges(r, trial, l)
	copyQueues(trial, l, there)
	return trial, nil
}

// copyExchanges brings the exchanges that entries name into the rehearsal. One that
// cannot be made there is not there for the entries either, which say why.
func copyExchanges(from, to *vhost.Registry, l lists) {
	copyOf := func(in, name string) {
		v, err := from.VHost(in)
		if err != nil {
			return
		}
		x := v.ExchangeNamed(name)
		if there, err := to.VHost(in); err == nil && x != nil && x.Name() != "" {
			_ = there.DeclareExchange(vhost.ExchangeDeclare{Name: x.Name(), Type: x.Type(), Durable: x.Durable(),
				AutoDelete: x.AutoDelete(), Internal: x.Internal(), Arguments: x.Arguments()})
		}
	}
	for _, x := range l.exchanges {
		copyOf(x.in, x.name)
	}
	for _, b := range l.bindings {
		copyOf(b.in, b.Source)
		if b.ToExchange {
			copyOf(b.in, b.Destination)
		}
	}
}

// nobody is a connection, whose exclusive queues the entries run into.
const nobody = 1

// copyQueues is copyExchanges for queues.
func copyQueues(to *vhost.Registry, l lists, there queues) {
	copyOf := func(q queueItem) {
		o, ok := there[q.key()]
		if v, err := to.VHost(q.in); err == nil && ok {
			_, _ = v.DeclareQueue(vhost.QueueDeclare{Name: o.Name, Durable: o.Durable, Exclusive: o.Owner != 0,
				AutoDelete: o.AutoDelete, Arguments: o.Arguments}, nobody)
		}
	}
	for _, q := range l.queues {
		copyOf(q)
	}
	for _, b := range l.bindings {
		if !b.ToExchange {
			copyOf(queueItem{in: b.in, name: b.Destination})
		}
	}
}
