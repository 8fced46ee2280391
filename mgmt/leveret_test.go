package mgmt

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

const ofQ = "/api/leveret/queues/%2F/q"

// filled is a bed with queues q and other, and messages 0 to n-1 in q, every third with a
// header, each second with a priority.
func filled(t testing.TB, n int) *described {
	t.Helper()
	d := newDescribed(t, newBed(t))
	for _, q := range []string{"q", "other"} {
		d.bed.want(201, "PUT", "/api/queues/%2F/"+q, "guest", `{"durable":true}`)
	}
	for i := range n {
		d.publish("q", fmt.Sprintf(`{"headers":{"third":%t,"n":%d},"priority":%d,"message_id":"m%d"}`, i%3 == 0, i, i%2, i), fmt.Sprint(i))
	}
	return d
}

func (d *described) publish(key, properties, payload string) {
	d.t.Helper()
	d.bed.want(200, "POST", "/api/exchanges/%2F/amq.default/publish", "guest",
		fmt.Sprintf(`{"routing_key":%q,"properties":%s,"payload":%q,"payload_encoding":"string"}`, key, properties, payload))
}

// browseAnswer is what a browse answers.
type browseAnswer struct {
	Messages []struct {
		ID              uint64
		State           string
		Payload         string
		PayloadBytes    int    `json:"payload_bytes"`
		PayloadEncoding string `json:"payload_encoding"`
		Truncated       bool   `json:"payload_truncated"`
		Redelivered     bool
		Exchange        string
		RoutingKey      string `json:"routing_key"`
		Properties      struct{ Headers map[string]any }
		Owner           *struct {
			Connection  string
			ConsumerTag string `json:"consumer_tag"`
			Channel     int
			Get         bool
			Since       time.Time
		}
	}
	NextCursor string `json:"next_cursor"`
	Ready      int
	Unacked    int
}

// browse browses a queue and returns the payloads.
func (d *described) browse(queue, query string) (a browseAnswer, payloads string) {
	d.t.Helper()
	text := d.want(200, "GET", "/api/leveret/queues/%2F/"+queue+"/messages"+query, "guest", "")
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		d.t.Fatal(err)
	}
	for _, m := range a.Messages {
		payloads += m.Payload + " "
	}
	return a, strings.TrimSpace(payloads)
}

func TestBrowse(t *testing.T) {
	d := filled(t, 7)
	for query, want := range map[string]string{
		"":                                       "0 1 2 3 4 5 6",
		"?limit=3":                               "0 1 2",
		"?limit=3&offset=2":                      "2 3 4",
		"?header=third:true":                     "0 3 6",
		"?header=third:true&header=n:3":          "3",
		"?header=other":                          "",
		"?property=message_id:m5":                "5",
		"?priority_min=1&size_max=1":             "1 3 5",
		"?exchange=&routing_key=q&limit=1":       "0",
		"?routing_key_pattern=^x":                "",
		"?redelivered=true":                      "",
		"?state=unacked,delayed":                 "",
		"?age_max_ms=3600000&limit=2":            "0 1",
		"?age_min_ms=3600000":                    "",
		"?truncate=0&limit=2":                    "",
		"?max_bytes=2":                           "0 1",
		"?encoding=base64&limit=1":               "MA==",
		"?header=third:true&offset=1&size_min=1": "3 6",
	} {
		if _, got := d.browse("q", query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	var all []string
	for cursor := ""; ; {
		a, got := d.browse("q", "?limit=2&cursor="+cursor)
		all = append(all, got)
		if cursor = a.NextCursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(all, "|"); strings.TrimRight(got, "|") != "0 1|2 3|4 5|6" {
		t.Errorf("pages: %s", got)
	}
	var q struct {
		Messages     int
		MessageStats struct{ Deliver, Get int } `json:"message_stats"`
	}
	if d.get("/api/queues/%2F/q", &q); q.Messages != 7 || q.MessageStats.Get+q.MessageStats.Deliver != 0 {
		t.Errorf("the queue has changed: %+v", q)
	}
	d.bed.want(200, "POST", "/api/queues/%2F/q/get", "guest", `{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}`)
	if a, _ := d.browse("q", "?limit=1"); a.Messages[0].Redelivered || a.Ready != 6 {
		t.Errorf("after a get: %+v", a)
	}
}

func TestBrowseTruncates(t *testing.T) {
	d := filled(t, 0)
	d.publish("q", `{}`, "héllo")
	a, got := d.browse("q", "?truncate=2") // in the middle of the é
	if m := a.Messages[0]; got != "h" || !m.Truncated || m.PayloadBytes != 6 || m.PayloadEncoding != "string" {
		t.Errorf("truncated to %+v", m)
	}
	if a, got = d.browse("q", "?truncate=6"); got != "héllo" || a.Messages[0].Truncated {
		t.Errorf("not truncated: %+v", a)
	}
}

// TestBrowseOwners: what is unacked is shown with who has it.
func TestBrowseOwners(t *testing.T) {
	d := filled(t, 2)
	c := d.dial(d.listen(), "guest")
	ch := must[*amqp091.Channel](t)(c.Channel())
	if _, ok, err := ch.Get("q", false); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := ch.Qos(1, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries := must[<-chan amqp091.Delivery](t)(ch.Consume("q", "tag", false, false, false, false, nil))
	<-deliveries
	a, got := d.browse("q", "?state=unacked")
	if got != "0 1" || a.Unacked != 2 || a.Ready != 0 {
		t.Fatalf("%+v", a)
	}
	if o := a.Messages[0].Owner; o == nil || !o.Get || o.ConsumerTag != "" {
		t.Errorf("after basic.get: %+v", o)
	}
	if o := a.Messages[1].Owner; o == nil || o.Connection != nameOf(c) || o.ConsumerTag != "tag" || o.Channel != 1 || time.Since(o.Since) > time.Minute {
		t.Errorf("of a consumer: %+v", o)
	}
}

func TestCarry(t *testing.T) {
	d := filled(t, 9)
	for _, c := range []struct{ what, body, want string }{
		{"move", `{"filter":{"headers":{"third":true}},"to":{"queue":"other"},"dry_run":true}`, `"moved":3`},
		{"move", `{"filter":{"headers":{"third":true}},"to":{"queue":"other"}}`, `"moved":3`},
		{"copy", `{"all":true,"limit":2,"to":{"exchange":"amq.default","routing_key":"other"}}`, `"copied":2`},
		{"copy", `{"all":true,"to":{"exchange":"amq.fanout"}}`, `"unroutable":6`},
		{"delete", `{"ids":[2,3,99]}`, `"deleted":2`},
	} {
		if got := d.want(200, "POST", ofQ+"/messages/"+c.what, "guest", c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s, want %s", c.what, c.body, got, c.want)
		}
	}
	if _, got := d.browse("q", ""); got != "4 5 7 8" {
		t.Errorf("left: %s", got)
	}
	if _, got := d.browse("other", ""); got != "0 3 6 1 2" {
		t.Errorf("arrived: %s", got)
	}
}

// TestLeveretRefusals: what makes no sense is refused, by name.
func TestLeveretRefusals(t *testing.T) {
	d := filled(t, 1)
	d.bed.want(201, "PUT", "/api/exchanges/%2F/delayed", "guest", `{"type":"x-delayed-message","arguments":{"x-delayed-type":"direct"}}`)
	for _, c := range []struct {
		status             int
		method, path, body string
		reason             string
	}{
		{400, "GET", ofQ + "/messages?limit=0", "", "limit: "},
		{400, "GET", ofQ + "/messages?limit=501", "", "limit: "},
		{400, "GET", ofQ + "/messages?offset=-1", "", "offset: "},
		{400, "GET", ofQ + "/messages?foo=1", "", `there is no query \"foo\"`},
		{400, "GET", ofQ + "/messages?cursor=x", "", "cursor: "},
		{400, "GET", ofQ + "/messages?state=gone", "", "state: "},
		{400, "GET", ofQ + "/messages?priority_min=256", "", "priority_min: "},
		{400, "GET", ofQ + "/messages?size_min=-1", "", "size_min: "},
		{400, "GET", ofQ + "/messages?redelivered=maybe", "", "redelivered: "},
		{400, "GET", ofQ + "/messages?property=foo:1", "", "property: "},
		{400, "GET", ofQ + "/messages?encoding=hex", "", "encoding: "},
		{400, "GET", ofQ + "/messages?routing_key_pattern=(", "", "routing_key_pattern: "},
		{404, "GET", "/api/leveret/queues/%2F/none/messages", "", "Not Found"},
		{404, "GET", "/api/leveret/queues/none/q/messages", "", "Not Found"},
		{400, "POST", ofQ + "/messages/move", `{"to":{"queue":"other"}}`, "which messages"},
		{400, "POST", ofQ + "/messages/move", `{"all":true}`, "to should have"},
		{400, "POST", ofQ + "/messages/move", `{"all":true,"to":{"queue":"a","exchange":"b"}}`, "to should have"},
		{400, "POST", ofQ + "/messages/move", `{"all":true,"to":{"queue":"a","routing_key":"b"}}`, "to: "},
		{400, "POST", ofQ + "/messages/move", `{"all":true,"tow":{"queue":"a"}}`, `there is no member \"tow\"`},
		{400, "POST", ofQ + "/messages/move", `{"all":1,"to":{"queue":"a"}}`, "all: "},
		{400, "POST", ofQ + "/messages/move", `{"filter":{"priority_min":1000},"to":{"queue":"a"}}`, "filter.priority_min: "},
		{400, "POST", ofQ + "/messages/move", `{"filter":{"headers":{"a":[1]}},"to":{"queue":"a"}}`, "headers.a: "},
		{400, "POST", ofQ + "/messages/move", `{"filter":{"properties":{"foo":"1"}},"to":{"queue":"a"}}`, "properties: "},
		{400, "POST", ofQ + "/messages/move", `{"all":true,"limit":0,"to":{"queue":"a"}}`, "limit: "},
		{400, "POST", ofQ + "/messages/move", `{"all":true} {}`, "not_json"},
		{400, "POST", ofQ + "/messages/move", `[`, "not_json"},
		{404, "POST", ofQ + "/messages/move", `{"all":true,"to":{"queue":"none"}}`, "no queue 'none'"},
		{404, "POST", ofQ + "/messages/move", `{"all":true,"to":{"exchange":"none"}}`, "no exchange 'none'"},
		{400, "POST", ofQ + "/messages/delete", `{"all":true,"to":{"queue":"q"}}`, "to: "},
		{400, "POST", ofQ + "/redrive", `{"rate":-1}`, "rate: "},
		{400, "POST", ofQ + "/redrive", `{"death":"second"}`, "death: "},
		{400, "POST", ofQ + "/redrive", `{"by":"hand"}`, "by: "},
		{404, "POST", "/api/leveret/queues/%2F/none/redrive", `{}`, "no queue 'none'"},
		{404, "GET", "/api/leveret/redrives/1", "", "Not Found"},
		{404, "DELETE", "/api/leveret/redrives/1", "", "Not Found"},
		{404, "GET", "/api/leveret/exchanges/%2F/none/scheduled", "", "no exchange 'none'"},
		{404, "GET", "/api/leveret/exchanges/%2F/amq.direct/scheduled", "", "delays nothing"},
		{400, "GET", "/api/leveret/exchanges/%2F/delayed/scheduled?limit=x", "", "limit: "},
		{400, "DELETE", "/api/leveret/exchanges/%2F/delayed/scheduled/x", "", "is no id"},
		{404, "DELETE", "/api/leveret/exchanges/%2F/delayed/scheduled/7", "", "Not Found"},
		{404, "POST", "/api/leveret/exchanges/%2F/none/reach", `{}`, "no exchange 'none'"},
		{400, "POST", "/api/leveret/exchanges/%2F/amq.direct/reach", `{"routing_key":1}`, "routing_key: "},
		{400, "POST", "/api/leveret/exchanges/%2F/amq.direct/reach", `{"headers":7}`, "headers: "},
		{400, "POST", "/api/leveret/policies/%2F/p/dry-run", `{"pattern":"("}`, "definition"},
		{400, "POST", "/api/leveret/policies/%2F/p/dry-run", `{"pattern":"(","definition":{"max-length":5}}`, "Validation failed"},
		{404, "POST", "/api/leveret/policies/%2F/p/dry-run", `{"delete":true}`, "Not Found"},
		{501, "GET", "/api/leveret/backup", "", "in memory only"},
	} {
		if got := d.want(c.status, c.method, c.path, "guest", c.body); !strings.Contains(got, c.reason) {
			t.Errorf("%s %s %s: %s, want it to say %s", c.method, c.path, c.body, got, c.reason)
		}
	}
	if _, got := d.browse("q", ""); got != "0" {
		t.Errorf("something was done: %s", got)
	}
	large := `{"all":true,"ids":[` + strings.Repeat("1,", 11<<20) + `1]}`
	if status, _ := d.ask("POST", ofQ+"/messages/delete", "guest", large); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of %d bytes: %d", len(large), status)
	}
}
