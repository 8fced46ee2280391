package policy

import (
	"maps"
	"slices"
	"strings"
)

// Kind is a set of kinds of things that policies are for.
type Kind uint8

// The kinds of things.
const (
	Classic Kind = 1 << iota
	Quorum
	Streams
	Exchanges
	queues = Classic | Quorum | Streams
)

// What ApplyTo may say.
const (
	ToAll       = "all"
	ToQueues    = "queues"
	ToClassic   = "classic_queues"
	ToQuorum    = "quorum_queues"
	ToStreams   = "streams"
	ToExchanges = "exchanges"
)

var applyTo = map[string]Kind{
	ToAll: queues | Exchanges, ToQueues: queues, ToClassic: Classic, ToQuorum: Quorum, ToStreams: Streams, ToExchanges: Exchanges,
}

// Scope says who made a policy.
type Scope uint8

// The scopes. A thing has at most one policy of each.
const (
	// User is the scope of ordinary policies.
	User Scope = iota
	// Operator is the scope of operator policies, which know few keys and limit what
	// users say.
	Operator
)

// Policy is a policy as it is said.
type Policy struct {
	Name string
	// Pattern is a regular expression that names of queues and exchanges must match,
	// somewhere if it is not anchored.
	Pattern string
	// ApplyTo is one of the constants.
	ApplyTo string
	// Priority says which of those that match holds: the highest, and among equals
	// the first by name.
	Priority int64
	// Definition is what it sets, as values of JSON. Once a Rule has it, nobody
	// changes it.
	Definition map[string]any
}

// Rule is a policy that is valid.
type Rule struct {
	policy  Policy
	pattern Pattern
	kinds   Kind
}

// New checks a policy. Its definition is copied, with whole numbers as int64. The
// error is a Refused that says all that is wrong.
func New(scope Scope, p Policy) (*Rule, error) {
	r := &Rule{policy: p, kinds: applyTo[p.ApplyTo]}
	var faults []string
	note := func(fault string) {
		if fault != "" {
			faults = append(faults, fault)
		}
	}
	if p.Name == "" {
		note("name must not be empty")
	}
	r.policy.Definition, _ = Plain(p.Definition).(map[string]any)
	note(checkDefinition(scope, r.policy.Definition))
	if r.kinds == 0 {
		note("apply-to '" + p.ApplyTo + "' unrecognised; should be one of: 'queues', 'classic_queues', " +
			"'quorum_queues', 'streams', 'exchanges', or 'all'")
	}
	var err error
	if r.pattern, err = Compile(p.Pattern); err != nil {
		note("pattern should be regular expression but is invalid: " + err.Error())
	}
	for name := range r.policy.Definition {
		r.kinds &^= keys[name].never
	}
	if err := Invalid(faults...); err != nil {
		return nil, err
	}
	return r, nil
}

// checkDefinition returns the first fault: RabbitMQ looks at the values that it
// knows first, by name.
func checkDefinition(scope Scope, d map[string]any) (fault string) {
	if len(d) == 0 {
		return "no policy provided"
	}
	names := slices.Sorted(maps.Keys(d))
	var unknown []string
	for _, name := range names {
		k, ok := keys[name]
		switch {
		case !ok || scope == Operator && k.merge == nil:
			unknown = append(unknown, name)
		case !k.good(d[name]):
			return Term(d[name]) + " " + k.complaint
		}
	}
	if len(unknown) > 0 {
		return Pairs(d, unknown) + " are not recognised policy settings"
	}
	if _, ok := d["ha-mode"]; !ok && slices.ContainsFunc(names, isMirror) {
		return "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown"
	}
	return checkRetry(d)
}

func isMirror(name string) bool { return strings.HasPrefix(name, "ha-") }

// checkRetry refuses what says half of a retry, or two things at once.
func checkRetry(d map[string]any) (fault string) {
	_, backoff := d["retry-backoff"]
	for _, name := range []string{"retry-min", "retry-max", "retry-jitter", "retry-limit"} {
		if _, ok := d[name]; ok && !backoff {
			return "retry-backoff must be specified to specify " + name
		}
	}
	if kind, ok := d["delayed-retry-type"]; ok && backoff && kind != "disabled" {
		return "retry-backoff and delayed-retry-type are mutually exclusive"
	}
	for _, kind := range []string{"retry", "delayed-retry"} {
		low, hasLow := d[kind+"-min"].(int64)
		high, hasHigh := d[kind+"-max"].(int64)
		if hasLow && hasHigh && low > high {
			return kind + "-min is greater than " + kind + "-max"
		}
	}
	return ""
}

// Policy returns what the rule was made of.
func (r *Rule) Policy() Policy { return r.policy }

// Matches reports whether the rule is for a thing of that kind and name.
func (r *Rule) Matches(kind Kind, name string) bool {
	return r.kinds&kind != 0 && r.pattern.Matches(name)
}
