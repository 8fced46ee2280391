package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func rule(t testing.TB, scope Scope, p Policy) *Rule {
	t.Helper()
	if p.Definition == nil {
		p.Definition = map[string]any{"max-length": 1}
	}
	if p.ApplyTo == "" {
		p.ApplyTo = ToAll
	}
	r, err := New(scope, p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPattern(t *testing.T) {
	for _, c := range []struct{ pattern, matches, not string }{
		{"", "|a", ""},
		{"b", "abc|b", "a|"},
		{"^b", "b|bc", "ab"},
		{"^a$|^b$", "a|b", "ab"},
		{`^amq\.`, "amq.gen-1", "amqp|xamq."},
		{`^(?!amq\.).*`, "a||amq|xamq.", "amq.|amq.gen"},
		{`^(?!amq\.)`, "a|", "amq.gen"},
		{`^(?!amq\.)(?!mqtt-).+$`, "a|mqtt", "amq.x|mqtt-x|"},
		{`^(?=a)(?!ab).c$`, "ac", "abc|bc|xac"},
		{`^(?!(a|b)$)[^)|]+$`, "ab|c", "a|b|c)"},
		{`^(?![\])(]x)x?`, "x|", "(x|]x|)x"},
		{`^(?![])(]x)x?`, "x|", "(x|]x"},
		{`^(?!x\)).`, "x|xy", "x)"},
		{"(?i)^A", "a|A", "b"},
		{"é$", "café", "cafe"},
	} {
		r := rule(t, User, Policy{Name: "p", Pattern: c.pattern})
		for _, name := range strings.Split(c.matches, "|") {
			if !r.Matches(Classic, name) {
				t.Errorf("%s does not match %q", c.pattern, name)
			}
		}
		for _, name := range strings.Split(c.not, "|") {
			if r.Matches(Classic, name) && c.not != "" {
				t.Errorf("%s matches %q", c.pattern, name)
			}
		}
	}
}

func TestPatternRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		"[": "missing closing ]", "*": "missing argument to repetition operator", "a{2,1}": "invalid repeat count", `\`: "trailing backslash",
		`(a)\1`: "invalid escape sequence", "(?<!a)b": "(?<", "a(?!b)": "(?!", `(?!amq\.).*`: "(?!", "^(?!a": "(?!",
		"^(?!a)b|c": "(?!", "^(?!a)?b": "(?!", "^(?!(?!a))b": "(?!", "^(?!*)b": "missing argument", "^(?!a)(": "missing closing )",
		"a**": "invalid nested repetition", "((a{1000}){1000}){1000}": "invalid repeat count",
	} {
		_, err := New(User, Policy{Name: "p", Pattern: pattern, ApplyTo: ToAll, Definition: map[string]any{"max-length": 1}})
		const intro = "Validation failed\n\npattern should be regular expression but is invalid: error parsing regexp: "
		if err == nil || !strings.HasPrefix(err.Error(), intro) || !strings.Contains(err.Error()[len(intro):], want) {
			t.Errorf("%s: got %v, want it to say %s", pattern, err, want)
		}
	}
}

func TestMatchKinds(t *testing.T) {
	all := map[string]Kind{"classic": Classic, "quorum": Quorum, "stream": Streams, "exchange": Exchanges}
	for _, c := range []struct {
		applyTo, key string
		value        any
		want         string
	}{
		{ToAll, "max-length-bytes", 1, "classic quorum stream exchange"},
		{ToQueues, "max-length-bytes", 1, "classic quorum stream"},
		{ToClassic, "max-length-bytes", 1, "classic"},
		{ToQuorum, "max-length-bytes", 1, "quorum"},
		{ToStreams, "max-length-bytes", 1, "stream"},
		{ToExchanges, "max-length-bytes", 1, "exchange"},
		// A kind of queue that has not the key goes by another policy.
		{ToAll, "max-length", 1, "classic quorum exchange"},
		{ToAll, "max-age", "1D", "stream exchange"},
		{ToAll, "queue-mode", "lazy", "classic exchange"},
		{ToAll, "dead-letter-strategy", "at-least-once", "quorum exchange"},
		{ToAll, "delivery-limit", 1, "classic quorum exchange"},
		{ToAll, "alternate-exchange", "x", "classic quorum stream exchange"},
		{ToClassic, "max-age", "1D", ""},
	} {
		r := rule(t, User, Policy{Name: "p", ApplyTo: c.applyTo, Definition: map[string]any{c.key: c.value}})
		for name, kind := range all {
			if got, want := r.Matches(kind, "x"), strings.Contains(c.want, name); got != want {
				t.Errorf("%s with %s: for %s it is %t", c.applyTo, c.key, name, got)
			}
		}
	}
}

func TestSetOrder(t *testing.T) {
	var s Set
	if s.Match(Classic, "a") != nil || s.Named("p") != nil || len(s.Policies()) > 0 {
		t.Error("an empty set has something")
	}
	for _, p := range []Policy{{Name: "b"}, {Name: "low", Priority: -1}, {Name: "a"}, {Name: "high", Pattern: "^h", Priority: 5}} {
		s = s.With(rule(t, User, p))
	}
	names := func(s Set) (names string) {
		for _, p := range s.Policies() {
			names += p.Name + " "
		}
		return names
	}
	if got := names(s); got != "high a b low " {
		t.Errorf("the order is %s", got)
	}
	match := func(s Set, name string) string { return s.Match(Quorum, name).Policy().Name }
	if match(s, "h1") != "high" || match(s, "x") != "a" {
		t.Errorf("%s and %s hold", match(s, "h1"), match(s, "x"))
	}
	changed := s.With(rule(t, User, Policy{Name: "low", Priority: 9}))
	if names(changed) != "low high a b " || names(s) != "high a b low " || names(changed.Without("a")) != "low high b " {
		t.Errorf("%s, %s", names(changed), names(s))
	}
	if r := changed.Named("low"); r == nil || r.Policy().Priority != 9 || s.Without("a").Named("a") != nil {
		t.Error("Named finds another")
	}
}

func TestMerge(t *testing.T) {
	for _, c := range []struct{ user, operator, want string }{
		{`{"message-ttl":5,"expires":9,"max-length":5,"max-length-bytes":1,"overflow":"drop-head"}`,
			`{"message-ttl":7,"expires":2,"max-length":3,"max-length-bytes":2,"overflow":"reject-publish"}`,
			`{"message-ttl":5,"expires":2,"max-length":3,"max-length-bytes":1,"overflow":"reject-publish"}`},
		{`{"max-length":5,"dead-letter-exchange":"x"}`, `{"message-ttl":0}`, `{"max-length":5,"dead-letter-exchange":"x","message-ttl":0}`},
		{`{"delivery-limit":-1}`, `{"delivery-limit":5}`, `{"delivery-limit":5}`},
		{`{"delivery-limit":5}`, `{"delivery-limit":-1}`, `{"delivery-limit":5}`},
		{`{"delivery-limit":5}`, `{"delivery-limit":7}`, `{"delivery-limit":5}`},
		{`{"max-in-memory-length":5,"max-in-memory-bytes":5}`, `{"max-in-memory-length":4,"max-in-memory-bytes":6}`,
			`{"max-in-memory-length":4,"max-in-memory-bytes":5}`},
		{`{"queue-version":1,"target-group-size":3}`, `{"queue-version":2,"target-group-size":5}`, `{"queue-version":2,"target-group-size":5}`},
		{`{"delayed-retry-type":"all","delayed-retry-min":1,"delayed-retry-max":9}`,
			`{"delayed-retry-type":"failed","delayed-retry-min":3,"delayed-retry-max":5}`,
			`{"delayed-retry-type":"failed","delayed-retry-min":3,"delayed-retry-max":5}`},
	} {
		user := rule(t, User, Policy{Name: "u", Definition: definition(t, c.user)})
		operator := rule(t, Operator, Policy{Name: "o", Definition: definition(t, c.operator)})
		want, _ := Plain(definition(t, c.want)).(map[string]any)
		if got := Merge(user, operator); !reflect.DeepEqual(got, want) {
			t.Errorf("%s under %s: got %v, want %v", c.user, c.operator, got, want)
		}
		before, _ := Plain(definition(t, c.user)).(map[string]any)
		if !reflect.DeepEqual(user.Policy().Definition, before) {
			t.Errorf("%s was changed to %v", c.user, user.Policy().Definition)
		}
		if !reflect.DeepEqual(Merge(user, nil), before) || !reflect.DeepEqual(Merge(nil, operator), operator.Policy().Definition) {
			t.Errorf("%s or %s alone comes to something else", c.user, c.operator)
		}
	}
	if Merge(nil, nil) != nil {
		t.Error("no policies come to something")
	}
}

// Whatever two valid policies say, they can be merged.
func FuzzPolicy(f *testing.F) {
	f.Add("^a", `{"max-length":1,"message-ttl":5}`, `{"max-length":2}`)
	f.Add(`^(?!amq\.).*`, `{"delayed-retry-type":"all","delayed-retry-min":1}`, `{"delayed-retry-min":3,"overflow":"drop-head"}`)
	f.Add("(", `{"foo":[1.5,{"a":null}]}`, `{"expires":1e3}`)
	f.Fuzz(func(t *testing.T, pattern, said, limit string) {
		make := func(scope Scope, text string) *Rule {
			var d map[string]any
			if json.Unmarshal([]byte(text), &d) != nil {
				return nil
			}
			r, err := New(scope, Policy{Name: "p", Pattern: pattern, ApplyTo: ToAll, Definition: d})
			if err != nil {
				return nil
			}
			r.Matches(Classic, said)
			return r
		}
		user, operator := make(User, said), make(Operator, limit)
		got := Merge(user, operator)
		for key, v := range got {
			if !keys[key].good(v) {
				t.Errorf("%s and %s come to %s %v", said, limit, key, v)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	var s Set
	for i := range 100 {
		s = s.With(rule(b, User, Policy{Name: fmt.Sprint(i), Pattern: fmt.Sprintf(`^tenant%d\.`, i)}))
	}
	for b.Loop() {
		if s.Match(Classic, "tenant99.orders.eu") == nil {
			b.Fatal("no match")
		}
	}
}
