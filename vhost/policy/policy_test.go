package policy

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// definition decodes one as management does.
func definition(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// wantRefused checks all of a refusal; want "" is none. Of a parameter that is not
// valid, want is without the first lines.
func wantRefused(t *testing.T, name string, err error, want string) {
	t.Helper()
	var refused *Refused
	switch {
	case want == "" && err == nil:
	case want == "" || !errors.As(err, &refused):
		t.Errorf("%s: got %v, want %q", name, err, want)
	case err.Error() != "Validation failed\n\n"+want+"\n":
		t.Errorf("%s:\n got %q\nwant %q after the first lines", name, err.Error(), want)
	}
}

// Where RabbitMQ 3.10 knows the key, the words are what it answered.
func TestNewRefuses(t *testing.T) {
	for _, c := range []struct{ definition, want string }{
		{`{"message-ttl":0}`, ""},
		{`{"message-ttl":-1}`, "-1 is not a valid message TTL"},
		{`{"message-ttl":1.5}`, "1.5 is not a valid message TTL"},
		{`{"message-ttl":"a"}`, `<<"a">> is not a valid message TTL`},
		{`{"message-ttl":null}`, "null is not a valid message TTL"},
		{`{"message-ttl":[]}`, "[] is not a valid message TTL"},
		{`{"message-ttl":{}}`, "#{} is not a valid message TTL"},
		{`{"message-ttl":100.0}`, "100.0 is not a valid message TTL"},
		{`{"message-ttl":315360000000}`, ""},
		{`{"message-ttl":315360000001}`, "315360000001 is not a valid message TTL"},
		{`{"message-ttl":1180591620717411303424}`, "1180591620717411303424 is not a valid message TTL"},
		{`{"expires":1}`, ""},
		{`{"expires":0}`, "0 is not a valid queue expiry"},
		{`{"max-length":0,"max-length-bytes":0}`, ""},
		{`{"max-length":-1}`, "-1 is not a valid maximum length"},
		{`{"max-length":true}`, "true is not a valid maximum length"},
		{`{"max-length":1e300}`, "1.0e300 is not a valid maximum length"},
		{`{"max-length":{"b":[1,"x"],"a":null}}`, `#{<<"a">> => null,<<"b">> => [1,<<"x">>]} is not a valid maximum length`},
		{`{"max-length":9223372036854775808}`, "9223372036854775808 is not a valid maximum length"},
		{`{"max-length-bytes":-1}`, "-1 is not a valid maximum length in bytes"},
		{`{"max-in-memory-length":-1}`, "-1 is not a valid maximum memory in bytes"},
		{`{"max-in-memory-bytes":-1}`, "-1 is not a valid maximum memory in bytes"},
		{`{"overflow":"reject-publish-dlx"}`, ""},
		{`{"overflow":"drop"}`, `<<"drop">> is not a valid overflow value`},
		{`{"overflow":0}`, "0 is not a valid overflow value"},
		{`{"delivery-limit":-1}`, ""}, // none, as in 4.3
		{`{"delivery-limit":"5"}`, `<<"5">> is not a valid delivery limit`},
		{`{"alternate-exchange":1}`, "1 is not a valid alternate exchange name"},
		{`{"dead-letter-exchange":"","dead-letter-routing-key":""}`, ""},
		{`{"dead-letter-exchange":false}`, "false is not a valid dead letter exchange name"},
		{`{"dead-letter-routing-key":7}`, "7 is not a valid dead letter routing key"},
		{`{"dead-letter-strategy":"at-least-once"}`, ""},
		{`{"dead-letter-strategy":"a"}`, `<<"a">> is not a valid dead letter strategy`},
		{`{"queue-mode":"lazy","queue-version":2}`, ""},
		{`{"queue-mode":"a"}`, `<<"a">> is not a valid queue-mode value`},
		{`{"queue-version":3}`, "3 is not a valid queue-version value"},
		{`{"queue-leader-locator":"balanced"}`, ""},
		{`{"queue-leader-locator":"a"}`, `<<"a">> is not a valid queue leader locator value`},
		{`{"queue-master-locator":"a"}`, `<<"a">> invalid queue-master-locator value`},
		{`{"initial-cluster-size":-1}`, "-1 is not a valid cluster size"},
		{`{"target-group-size":0}`, "0 is not a valid qq target count value"},
		{`{"max-age":"1D","stream-max-segment-size-bytes":3000000000,"stream-filter-size-bytes":16}`, ""},
		{`{"max-age":"1x"}`, `<<"1x">> is not a valid max age`},
		{`{"stream-max-segment-size-bytes":3000000001}`, "3000000001 is not a valid segment size"},
		{`{"stream-filter-size-bytes":15}`, "15 is not a valid filter size. Valid range is 16-255"},
		{`{"ha-mode":"exactly","ha-params":2,"ha-sync-mode":"automatic"}`, ""},
		{`{"ha-mode":"nodes","ha-params":["a",1]}`, `[<<"a">>,1] is not a valid ha-params value`},
		{`{"ha-mode":"a"}`, `<<"a">> is not a valid ha-mode value`},
		{`{"ha-sync-mode":"automatic"}`, "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown"},

		{`{"consumer-timeout":1000,"consumer-disconnected-timeout":0}`, ""},
		{`{"consumer-timeout":-1}`, "-1 is not a valid consumer timeout"},
		{`{"delayed-retry-type":"failed","delayed-retry-min":1,"delayed-retry-max":1}`, ""},
		{`{"delayed-retry-min":5}`, ""}, // the type may be the operator's
		{`{"delayed-retry-type":"some"}`, `<<"some">> is not a valid delayed retry type`},
		{`{"delayed-retry-min":2,"delayed-retry-max":1}`, "delayed-retry-min is greater than delayed-retry-max"},
		{`{"retry-backoff":"linear","retry-min":1,"retry-max":1,"retry-jitter":100,"retry-limit":0}`, ""},
		{`{"retry-backoff":"quadratic"}`, `<<"quadratic">> is not a valid retry backoff`},
		{`{"retry-min":1}`, "retry-backoff must be specified to specify retry-min"},
		{`{"retry-limit":1,"max-length":1}`, "retry-backoff must be specified to specify retry-limit"},
		{`{"retry-backoff":"constant","retry-min":0}`, "0 is not a valid retry minimum"},
		{`{"retry-backoff":"constant","retry-jitter":101}`, "101 is not a valid retry jitter"},
		{`{"retry-backoff":"constant","retry-min":2,"retry-max":1}`, "retry-min is greater than retry-max"},
		{`{"retry-backoff":"constant","delayed-retry-type":"all"}`, "retry-backoff and delayed-retry-type are mutually exclusive"},
		{`{"retry-backoff":"constant","delayed-retry-type":"disabled"}`, ""},

		{`{}`, "no policy provided"},
		{`{"foo":1}`, `[{<<"foo">>,1}] are not recognised policy settings`},
		{`{"foo":1,"bar":"x","max-length":5}`, `[{<<"bar">>,<<"x">>},{<<"foo">>,1}] are not recognised policy settings`},
		{`{"federation-upstream":"x"}`, `[{<<"federation-upstream">>,<<"x">>}] are not recognised policy settings`},
		{`{"message-ttl":-1,"foo":1}`, "-1 is not a valid message TTL"},
		{`{"message-ttl":-1,"max-length":-2}`, "-2 is not a valid maximum length"},
	} {
		_, err := New(User, Policy{Name: "p", Pattern: "^x", ApplyTo: ToAll, Definition: definition(t, c.definition)})
		wantRefused(t, c.definition, err, c.want)
	}
}

func TestNewRefusesForOperators(t *testing.T) {
	for key, good := range map[string]any{
		"message-ttl": 1, "expires": 1, "max-length": 1, "max-length-bytes": 1, "max-in-memory-length": 1, "max-in-memory-bytes": 1,
		"overflow": "drop-head", "delivery-limit": 1, "queue-version": 2, "target-group-size": 3,
		"delayed-retry-type": "all", "delayed-retry-min": 1, "delayed-retry-max": 1,
	} {
		_, err := New(Operator, Policy{Name: "p", ApplyTo: ToAll, Definition: map[string]any{key: good}})
		wantRefused(t, key, err, "")
	}
	for key, bad := range map[string]any{
		"dead-letter-exchange": "x", "dead-letter-routing-key": "x", "dead-letter-strategy": "at-least-once",
		"alternate-exchange": "x", "queue-mode": "lazy", "consumer-timeout": "x", "retry-backoff": "linear", "ha-mode": "all", "max-age": "1D",
	} {
		_, err := New(Operator, Policy{Name: "p", ApplyTo: ToAll, Definition: map[string]any{key: bad}})
		wantRefused(t, key, err, `[{<<"`+key+`">>,<<"`+bad.(string)+`">>}] are not recognised policy settings`)
	}
	_, err := New(Operator, Policy{Name: "p", ApplyTo: ToAll, Definition: map[string]any{"max-length": "x"}})
	wantRefused(t, "value", err, `<<"x">> is not a valid maximum length`)
}

// All faults are told, in RabbitMQ's order.
func TestNewTellsAllFaults(t *testing.T) {
	_, err := New(User, Policy{Pattern: "(", ApplyTo: "x", Definition: map[string]any{"max-length": -1}})
	wantRefused(t, "policy", err, strings.Join([]string{
		"name must not be empty",
		"-1 is not a valid maximum length",
		"apply-to 'x' unrecognised; should be one of: 'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges', or 'all'",
		"pattern should be regular expression but is invalid: error parsing regexp: missing closing ): `(`",
	}, "\n"))
}

func TestNewCopiesTheDefinition(t *testing.T) {
	said := map[string]any{"max-length": 5.0, "ha-mode": "nodes", "ha-params": []any{"a"}}
	r, err := New(User, Policy{Name: "p", Pattern: "x", ApplyTo: ToQueues, Priority: -3, Definition: said})
	if err != nil {
		t.Fatal(err)
	}
	said["max-length"] = 6.0
	said["ha-params"].([]any)[0] = "b"
	want := Policy{"p", "x", ToQueues, -3, map[string]any{"max-length": int64(5), "ha-mode": "nodes", "ha-params": []any{"a"}}}
	if got := r.Policy(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		value, want string
		policy      Policy
	}{
		{value: `{"pattern":"^a","definition":{"max-length":1}}`,
			policy: Policy{"p", "^a", ToAll, 0, map[string]any{"max-length": int64(1)}}},
		{value: `{"pattern":"","definition":{},"priority":-7,"apply-to":"streams"}`,
			policy: Policy{"p", "", ToStreams, -7, map[string]any{}}},
		{value: `{}`, want: "Key \"definition\" not found in p\nKey \"pattern\" not found in p"},
		{value: `{"pattern":7,"definition":{},"priority":"1"}`,
			want: "pattern should be a binary but was 7\npriority should be a number, actually was <<\"1\">>"},
		{value: `{"pattern":null,"definition":[1],"priority":1.5,"apply-to":7,"more":true}`,
			want: "Unrecognised terms [{<<\"more\">>,true}] in p\napply-to should be binary, actually was 7\n" +
				"definition must be a dictionary: [1]\npattern should be a binary but was null\npriority should be a number, actually was 1.5"},
	} {
		got, err := Parse("p", definition(t, c.value))
		wantRefused(t, c.value, err, c.want)
		if c.want == "" && !reflect.DeepEqual(got, c.policy) {
			t.Errorf("%s: got %+v, want %+v", c.value, got, c.policy)
		}
	}
}

func TestTerm(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{"", "<<>>"}, {"a\"b\n\\", `<<"a\"b\n\\">>`}, {"hé", `<<"hé"/utf8>>`}, {"\x00a", "<<0,97>>"}, {"\xff", "<<255>>"},
		{1e20, "1.0e20"}, {0.1, "0.1"}, {-2.5, "-2.5"}, {int64(math.MinInt64), "-9223372036854775808"},
		{[]any{int64(1), "a", map[string]any{"b": int64(2)}}, `[1,<<"a">>,#{<<"b">> => 2}]`},
	} {
		if got := Term(c.v); got != c.want {
			t.Errorf("%#v: got %s, want %s", c.v, got, c.want)
		}
	}
}
