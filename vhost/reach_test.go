package vhost

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/policy"
)

// reach writes down where a message would go.
func (f *fixture) reach(exchange, key string, headers amqp.Table) string {
	f.t.Helper()
	r, err := f.Reach(exchange, message(exchange, key, "", headers))
	f.must(err)
	var all []string
	for _, q := range r.Queues {
		text := q.Queue.Name() + ":"
		for _, h := range q.Via {
			text += fmt.Sprintf(" %s(%s)", h.Exchange, h.Key)
			if h.Alternate {
				text += "alternate"
			}
		}
		all = append(all, text)
	}
	for _, h := range r.Held {
		all = append(all, fmt.Sprintf("held by %s for %v", h.Exchange, time.Until(h.Due)))
	}
	return strings.Join(all, ", ")
}

func TestReach(t *testing.T) {
	inBubble(t, func(f *fixture) {
		for _, q := range []string{"q1", "q2", "q3", "q4"} {
			f.queue(q)
		}
		f.exchange("t", "topic", "alternate-exchange", "f")
		f.exchange("f", "fanout")
		f.exchange("h", "headers")
		f.exchange("history", "x-recent-history")
		f.exchange("delayed", "x-delayed-message", "x-delayed-type", "direct")
		f.bind("q1", "t", "no.match")
		f.bind("q1", "t", "eu.#")
		f.bind("q2", "t", "eu.*")
		f.bindX("h", "t", "#.de")
		f.must(f.BindQueue("q3", "h", "", args("x-match", "all", "n", int32(1)), me))
		f.bind("q4", "f", "")
		f.bind("q1", "history", "")
		f.bind("q2", "delayed", "k")
		f.bindX("t", "f", "") // a circle
		for _, c := range []struct {
			exchange, key string
			headers       amqp.Table
			want          string
		}{
			{"", "q1", nil, "q1: (q1)"},
			{"", "none", nil, ""},
			{"t", "eu.de", nil, "q1: t(eu.#), q2: t(eu.*)"},
			{"t", "eu.de", args("n", int32(1)), "q1: t(eu.#), q2: t(eu.*), q3: t(#.de) h()"},
			{"t", "us", nil, "q4: t()alternate f()"},
			{"history", "k", nil, "q1: history()"},
			{"delayed", "k", nil, "q2: delayed(k)"},
			{"delayed", "k", args("x-delay", int32(5000)), "held by delayed for 5s"},
		} {
			if got := f.reach(c.exchange, c.key, c.headers); got != c.want {
				t.Errorf("%q %q %v: %s, want %s", c.exchange, c.key, c.headers, got, c.want)
			}
		}
		f.bind("q2", "history", "") // gets what the exchange remembers
		for _, q := range []string{"q1", "q2", "q3", "q4"} {
			f.wantReady(q, 0)
		}
		_, err := f.Reach("none", message("none", "", "", nil))
		f.wantError("no exchange", err, amqp.CodeNotFound, "no exchange 'none' in vhost '/'")
	})
}

// trial writes down what a change of a policy would do.
func trial(t PolicyTrial) string {
	var all []string
	for _, c := range t.Changes {
		kind := "queue"
		if c.IsExchange {
			kind = "exchange"
		}
		all = append(all, fmt.Sprintf("%s %s (%s): %q+%q %v -> %q+%q %v", kind, c.Name, c.Type, c.Before.Policy,
			c.Before.OperatorPolicy, c.Before.Definition, c.After.Policy, c.After.OperatorPolicy, c.After.Definition))
	}
	return fmt.Sprintf("%s; %d matched, %d unchanged", strings.Join(all, "; "), t.Matched, t.Unchanged)
}

func TestTryPolicy(t *testing.T) {
	f := newFixture(t)
	f.queue("a1")
	f.queue("a2")
	f.queue("b")
	f.exchange("ax", "topic")
	old := policy.Policy{Name: "old", Pattern: "^a1", ApplyTo: policy.ToAll, Definition: map[string]any{"max-length": int64(5)}}
	f.must(f.SetPolicy(old))
	for _, c := range []struct {
		name string
		try  func() (PolicyTrial, error)
		want string
	}{
		{"higher", func() (PolicyTrial, error) {
			return f.TryPolicy(policy.User, policy.Policy{Name: "new", Pattern: "^a[12x]", ApplyTo: policy.ToAll, Priority: 1, Definition: map[string]any{"expires": int64(9)}})
		}, `queue a1 (classic): "old"+"" map[max-length:5] -> "new"+"" map[expires:9]; queue a2 (classic): ""+"" map[] -> "new"+"" map[expires:9]; ` +
			`exchange ax (topic): ""+"" map[] -> "new"+"" map[expires:9]; 3 matched, 0 unchanged`},
		{"operator", func() (PolicyTrial, error) {
			return f.TryPolicy(policy.Operator, policy.Policy{Name: "limit", Pattern: "^a1", ApplyTo: policy.ToQueues, Definition: map[string]any{"max-length": int64(3)}})
		}, `queue a1 (classic): "old"+"" map[max-length:5] -> "old"+"limit" map[max-length:3]; 1 matched, 0 unchanged`},
		{"the same", func() (PolicyTrial, error) { return f.TryPolicy(policy.User, old) }, "; 1 matched, 1 unchanged"},
		{"delete", func() (PolicyTrial, error) { return f.TryDeletePolicy(policy.User, "old") },
			`queue a1 (classic): "old"+"" map[max-length:5] -> ""+"" map[]; 0 matched, 0 unchanged`},
	} {
		got, err := c.try()
		if err != nil || trial(got) != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.name, trial(got), err, c.want)
		}
	}
	if all := f.Policies(); len(all) != 1 || all[0].Name != "old" {
		t.Errorf("policies have changed: %v", all)
	}
	if _, err := f.TryDeletePolicy(policy.User, "none"); err == nil {
		t.Error("none can be deleted")
	}
	if _, err := f.TryPolicy(policy.User, policy.Policy{Name: "bad", Pattern: "(", ApplyTo: policy.ToAll, Definition: map[string]any{"expires": int64(9)}}); err == nil {
		t.Error("a pattern that does not compile is taken")
	}
}
