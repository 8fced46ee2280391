package definitions

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/queue"
)

// Apply holds the file against a broker, as Check does, and then brings the
// broker to what it says, in RabbitMQ's order. What is there and is not in the
// file stays. The report says what was done; when Apply returns it is in the store.
// The error is that of Check, with nothing changed, or says what the broker could
// not do nevertheless: its store fails, it is closing, or somebody else made
// something of that name meanwhile. Then what went before is done.
func (f *File) Apply(r *vhost.Registry) (Report, error) {
	l, skipped, err := f.check(r)
	if err != nil {
		return Report{Skipped: []string{}}, err
	}
	rep, err := l.applyTo(r, false)
	rep.Skipped = append([]string{}, skipped...)
	return rep, err
}

// at is how many entries are applied at once: so many changes may share a sync of
// the store.
const at = 64

// failure is why an entry could not be applied.
type failure struct {
	where string
	err   error
}

// Error names the entry.
func (e *failure) Error() string { return e.where + ": " + e.err.Error() }

// Unwrap returns the error of the broker.
func (e *failure) Unwrap() error { return e.err }

// applyTo does what the entries say. RabbitMQ has limits of vhosts before queues, but
// does not let them stop the queues of the same file: here they come last.
func (l lists) applyTo(r *vhost.Registry, strict bool) (rep Report, err error) {
	b := before(r, l)
	b.strict = strict
	var limits, parameters []parameter
	for _, p := range l.parameters {
		if p.Component == vhostLimits {
			limits = append(limits, p)
		} else {
			parameters = append(parameters, p)
		}
	}
	for _, step := range []func() error{
		func() error { return each(1, &rep.Users, l.users, b.user) },
		func() error { return each(1, &rep.VHosts, l.rooms, b.room) },
		func() error { return each(at, &rep.Permissions, l.permissions, b.permission) },
		func() error { return each(at, &rep.TopicPermissions, l.topics, b.topic) },
		func() error { return each(at, &rep.Exchanges, l.exchanges, b.exchange) },
		func() error { return each(1, &rep.GlobalParameters, l.globals, b.global) },
		func() error { return each(1, &rep.Policies, l.policies, b.policy) },
		func() error { return each(1, &rep.Parameters, parameters, b.parameter) },
		func() error { return each(at, &rep.Queues, l.queues, b.queue) },
		func() error { return each(at, &rep.Bindings, l.bindings, b.binding) },
		func() error { return each(1, &rep.Parameters, limits, b.parameter) },
	} {
		if err := step(); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

// each applies entries, so many at once, and counts them. It returns the first
// error, and begins no more then.
func each[T item](atOnce int, count *Count, items []T, apply func(T) (effect, error)) (err error) {
	var (
		mu      sync.Mutex // guards count and err
		workers sync.WaitGroup
		free    = make(chan struct{}, atOnce)
	)
	for _, i := range items {
		free <- struct{}{}
		mu.Lock()
		failed := err != nil
		mu.Unlock()
		if failed {
			break
		}
		workers.Go(func() {
			defer func() { <-free }()
			done, fault := apply(i)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case fault == nil:
				count.add(done)
			case err == nil:
				err = &failure{i.where(), fault}
			}
		})
	}
	workers.Wait()
	return err
}

// broker is where entries are applied, and what was there before.
type broker struct {
	*vhost.Registry
	// immutable
	permissions map[string]permission
	topics      map[string]topicPermission
	globals     map[string]vhost.Parameter
	limits      map[string]vhost.Parameter // of users
	queues      queues
	bindings    map[string]bool // by key
	// strict is for a check: what is there already is held against the file too.
	strict bool
}

// before looks at what a broker has of what the entries are about.
func before(r *vhost.Registry, l lists) *broker {
	b := &broker{
		Registry: r, permissions: map[string]permission{}, topics: map[string]topicPermission{},
		globals: byName(r.GlobalParameters()), limits: byName(r.AllUserLimits()), queues: queuesFor(r, l), bindings: map[string]bool{},
	}
	for _, p := range r.Permissions() {
		b.permissions[permission(p).key()] = permission(p)
	}
	for _, p := range r.TopicPermissions() {
		b.topics[topicPermission(p).key()] = topicPermission(p)
	}
	for _, v := range vhostsOf(r, l.bindings, func(i bindingItem) string { return i.in }) {
		for _, is := range v.Bindings() {
			b.bindings[bindingItem{v.Name(), is}.key()] = true
		}
	}
	return b
}

// queues are the queues of a broker, exclusive ones with them, by key.
type queues map[string]queue.Options

// queuesFor returns the queues of the vhosts in which entries are about queues.
func queuesFor(r *vhost.Registry, l lists) queues {
	all := queues{}
	of := vhostsOf(r, l.queues, func(i queueItem) string { return i.in })
	of = append(of, vhostsOf(r, l.bindings, func(i bindingItem) string { return i.in })...)
	for _, v := range of {
		for _, q := range v.Queues() {
			all[queueItem{in: v.Name(), name: q.Name()}.key()] = q.Options()
		}
	}
	return all
}

// vhostsOf returns the vhosts that there are of those in which entries are.
func vhostsOf[T any](r *vhost.Registry, items []T, in func(T) string) (all []*vhost.VHost) {
	seen := map[string]bool{}
	for _, i := range items {
		if name := in(i); !seen[name] {
			seen[name] = true
			if v, err := r.VHost(name); err == nil {
				all = append(all, v)
			}
		}
	}
	return all
}

func byName(list []vhost.Parameter) map[string]vhost.Parameter {
	m := make(map[string]vhost.Parameter, len(list))
	for _, p := range list {
		m[p.Name] = p
	}
	return m
}

func (b *broker) permission(p permission) (effect, error) {
	old, there := b.permissions[p.key()]
	switch {
	case there && old == p:
		return unchanged, nil
	case !there:
		return made, b.SetPermissions(p.User, p.VHost, p.Permissions)
	}
	return changed, b.SetPermissions(p.User, p.VHost, p.Permissions)
}

func (b *broker) topic(p topicPermission) (effect, error) {
	old, there := b.topics[p.key()]
	switch {
	case there && old == p:
		return unchanged, nil
	case !there:
		return made, b.SetTopicPermissions(p.User, p.VHost, p.Exchange, p.TopicPermissions)
	}
	return changed, b.SetTopicPermissions(p.User, p.VHost, p.Exchange, p.TopicPermissions)
}

func (b *broker) global(p globalParameter) (effect, error) {
	old, there := b.globals[p.name]
	switch {
	case there && sameJSON(old.Value, p.value):
		return unchanged, nil
	case !there:
		return made, b.SetGlobalParameter(p.name, p.value)
	}
	return changed, b.SetGlobalParameter(p.name, p.value)
}

// user enters a user. Limits are added to those that there are, as in RabbitMQ.
func (b *broker) user(u user) (effect, error) {
	old, there := b.User(u.Name)
	differs := !there || u.Password != "" || u.Hash != old.Hash || !sameTags(u.Tags, old.Tags)
	limited := u.limits != nil && !containsJSON(b.limits[u.Name].Value, u.limits)
	if differs {
		if err := b.PutUser(u.Account); err != nil {
			return 0, err
		}
	}
	if limited {
		if err := b.SetUserLimits(u.Name, u.limits); err != nil {
			return 0, err
		}
	}
	if !there {
		return made, nil
	}
	return changedIf(differs || limited), nil
}

func sameTags(a, b []string) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// sameJSON reports whether two values are the same, whatever the order of members.
func sameJSON(a, b []byte) bool {
	x, errX := decodeValue(a)
	y, errY := decodeValue(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// containsJSON reports whether an object, or none, has the members of another.
func containsJSON(of, part []byte) bool {
	if of == nil {
		return false
	}
	x, errX := decodeValue(of)
	y, errY := decodeValue(part)
	all, _ := x.(map[string]any)
	some, _ := y.(map[string]any)
	if errX != nil || errY != nil {
		return false
	}
	for name, v := range some {
		if is, ok := all[name]; !ok || !reflect.DeepEqual(is, v) {
			return false
		}
	}
	return true
}

// in returns a vhost, which may have gone while the file was applied.
func (b *broker) in(name string) (*vhost.VHost, error) {
	v, err := b.VHost(name)
	if err != nil {
		return nil, fmt.Errorf("no vhost '%s'", name)
	}
	return v, nil
}
