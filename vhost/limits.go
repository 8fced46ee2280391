package vhost

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/policy"
)

// Unlimited is the value of a limit that is not set.
const Unlimited = -1

// The names of limits.
const (
	maxConnections = "max-connections"
	maxQueues      = "max-queues"
	maxChannels    = "max-channels"
)

// Limits are how much of something there may be in a vhost, or of a user's. One
// that is negative is none; 0 forbids it.
type Limits struct {
	// Connections is how many connections may be open.
	Connections int64
	// Queues is how many queues there may be in a vhost, exclusive ones with them.
	Queues int64
	// Channels is how many channels a user may have open on all connections.
	Channels int64
}

// vhostLimits is the parameter vhost-limits of a vhost and what it says.
type vhostLimits struct {
	setting
	Limits
}

// Limits returns the limits of a vhost.
func (v *VHost) Limits() Limits {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.limits.Limits
}

// SetLimits sets the limits of a vhost: an object with max-connections and
// max-queues, of which one that is not there is none. It holds for what is made from
// then on, and is in the store. The error is a *policy.Refused, or the store's.
func (v *VHost) SetLimits(value json.RawMessage) error {
	object, faults, err := parseLimits(nameLimits, value, maxConnections, maxQueues)
	if err == nil {
		err = policy.Invalid(faults...)
	}
	if err != nil {
		return err
	}
	return v.changeLimits(encodeLimits(object))
}

// ClearLimits takes all limits from a vhost. The error is a *policy.Refused if it has
// none, or the store's.
func (v *VHost) ClearLimits() error { return v.changeLimits(nil) }

func (v *VHost) changeLimits(value json.RawMessage) error {
	stored, err := v.enterLimits(value)
	if err != nil {
		return err
	}
	return stored.await()
}

func (v *VHost) enterLimits(value json.RawMessage) (*commit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkOpenLocked(); err != nil {
		return nil, err
	}
	if value == nil && v.limits.value == nil {
		return nil, noParameter()
	}
	l := vhostLimits{setting{value, v.limits.id}, limitsOf(value)}
	p := parameterDefinition{scope: inVHost, vhost: v.defined.vhost, component: componentLimits, name: nameLimits}
	if err := v.defined.setParameter(&l.setting, p); err != nil {
		return nil, err
	}
	if value == nil {
		l.id = 0
	}
	v.limits = l
	v.tellLimits(value)
	return v.defined.handOver(), nil
}

// checkQueueLimitLocked returns 406 if there may be no more queues.
func (v *VHost) checkQueueLimitLocked(name string) error {
	if n := v.limits.Queues; n >= 0 && int64(len(v.queues)) >= n {
		return amqp.PreconditionFailed("cannot declare queue '%s': queue limit in vhost '%s' (%d) is reached", name, v.name, n)
	}
	return nil
}

// SetUserLimits sets limits of a user: an object with max-connections and
// max-channels; what is not in it stays as it is. There need not be a user of that
// name. It holds for what is opened from then on, and is in the store. The error is
// a *policy.Refused, or the store's.
func (r *Registry) SetUserLimits(user string, value json.RawMessage) error {
	const name = "user-limits"
	object, faults, err := parseLimits(name, value, maxConnections, maxChannels)
	switch {
	case err != nil:
		return err
	case faults != nil:
		return policy.Refusef("%s", faults[0]) // without more words, as RabbitMQ
	}
	return r.setParameter(ofUser, nameLimits, user, func(old json.RawMessage) (json.RawMessage, error) {
		all := decodeLimits(old)
		maps.Copy(all, object)
		return encodeLimits(all), nil
	})
}

// ClearUserLimits takes limits from a user: that of a name, or all. One that is not
// there is no error; the error is the store's.
func (r *Registry) ClearUserLimits(user, limit string) error {
	return r.setParameter(ofUser, nameLimits, user, func(old json.RawMessage) (json.RawMessage, error) {
		left := decodeLimits(old)
		delete(left, limit)
		if limit == "all" || len(left) == 0 {
			return nil, nil
		}
		return encodeLimits(left), nil
	})
}

// UserLimits returns the limits of a user.
func (r *Registry) UserLimits(user string) Limits {
	r.mu.RLock()
	value := r.settings[ofUser][user].value
	r.mu.RUnlock()
	return limitsOf(value)
}

// AllUserLimits returns the limits of all users that have some, as they were said:
// the name of each is the user's.
func (r *Registry) AllUserLimits() []Parameter {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]Parameter, 0, len(r.settings[ofUser]))
	for _, user := range slices.Sorted(maps.Keys(r.settings[ofUser])) {
		out = append(out, Parameter{Name: user, Value: r.settings[ofUser][user].value})
	}
	return out
}

// parseLimits decodes an object of limits and says what is wrong with it, in
// RabbitMQ's words and order.
func parseLimits(name string, value json.RawMessage, known ...string) (object map[string]any, faults []string, err error) {
	if object, err = parseObject(name, value); err != nil {
		return nil, nil, err
	}
	object = policy.Plain(object).(map[string]any)
	var unknown []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	if unknown != nil {
		faults = append(faults, fmt.Sprintf("Unrecognised terms %s in %s", policy.Pairs(object, unknown), name))
	}
	for _, key := range slices.Backward(known) {
		switch v := object[key].(type) {
		case int64:
		case json.Number: // a whole one that is larger than any number of things
			object[key] = bound(v)
		default:
			if _, ok := object[key]; ok {
				faults = append(faults, fmt.Sprintf("%s should be a number, actually was %s", key, policy.Term(v)))
			}
		}
	}
	return object, faults, nil
}

func bound(n json.Number) int64 {
	if n[0] == '-' {
		return math.MinInt64
	}
	return math.MaxInt64
}

func encodeLimits(object map[string]any) json.RawMessage {
	value, _ := json.Marshal(object) // of numbers
	return value
}

// decodeLimits decodes what encodeLimits encoded, or nil.
func decodeLimits(value json.RawMessage) map[string]any {
	all := map[string]any{}
	if value != nil {
		_ = decodeJSON(string(value), &all) // it was checked
	}
	return all
}

func limitsOf(value json.RawMessage) Limits {
	if value == nil {
		return Limits{Unlimited, Unlimited, Unlimited}
	}
	all := decodeLimits(value)
	limit := func(name string) int64 {
		if n, ok := policy.Plain(all[name]).(int64); ok {
			return max(n, Unlimited)
		}
		return Unlimited
	}
	return Limits{limit(maxConnections), limit(maxQueues), limit(maxChannels)}
}
