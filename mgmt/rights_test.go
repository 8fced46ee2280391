package mgmt

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// places are what the captures of patterns stand for in the requests of the table of
// rights. {vhost} and {in} are "/", in which all have permissions, or "private".
var places = []string{
	"{queue}", "q", "{exchange}", "amq.direct", "{destination}", "amq.fanout", "{props}", "~", "{channel}", "none", "{connection}", "none",
	"{user}", "none", "{node}", "leveret@test", "{within}", "1", "{unit}", "days", "{port}", "5672", "{protocol}", "amqp", "{pattern}", "x",
	"{password}", "x", "{component}", "vhost-limits", "{id}", "1",
}

// nameFor is what {name} stands for.
func nameFor(pattern string) string {
	for part, name := range map[string]string{
		"/feature-flags/": "quorum_queue", "/vhost-limits/": "max-queues", "/user-limits/": "max-channels", "/parameters/{component}": "limits",
	} {
		if strings.Contains(pattern, part) {
			return name
		}
	}
	return "p"
}

// bodies are what requests of the table send, by the first part of the pattern that
// fits.
var bodies = [][2]string{
	{"/reach", `{}`},
	{"/redrive", `{"rate":-1}`}, // or the job of one would be in the way of the next
	{"/messages/delete", `{"all":true}`},
	{"/messages/", `{"all":true,"to":{"queue":"q"}}`},
	{"/publish", `{"properties":{},"routing_key":"","payload":"","payload_encoding":"string"}`},
	{"/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}`},
	{"/actions", `{"action":"sync"}`},
	{"/bulk-delete", `{"users":["none"]}`},
	{"/hash_password", `{"password":"x"}`},
	{"/cluster-name", `{"name":"x"}`},
	{"/exchanges/", `{"type":"direct","durable":true}`},
	{"-limits/", `{"value":5}`},
	{"/global-parameters/", `{"value":5}`},
	{"/parameters/", `{"value":{"max-queues":5}}`},
	{"policies/", `{"pattern":"^x","definition":{"max-length":5}}`},
	{"topic-permissions/", `{"exchange":"amq.topic","write":"","read":""}`},
	{"/permissions/", `{"configure":"","write":"","read":""}`},
	{"/users/", `{"password":"none","tags":""}`},
}

func bodyFor(e endpoint) string {
	if e.method != http.MethodPut && e.method != http.MethodPost {
		return ""
	}
	for _, b := range bodies {
		if strings.Contains(e.pattern, b[0]) {
			return b[1]
		}
	}
	return "{}"
}

// rightsBed has what the requests of the table are about, in both vhosts.
func rightsBed(t *testing.T) *bed {
	b := newQuietBed(t)
	for _, v := range []string{"%2F", "private"} {
		b.want(201, "PUT", "/api/queues/"+v+"/q", "guest", `{}`)
		b.want(201, "POST", "/api/bindings/"+v+"/e/amq.direct/q/q", "guest", `{}`)
		b.want(201, "POST", "/api/bindings/"+v+"/e/amq.direct/e/amq.fanout", "guest", `{}`)
		b.want(201, "PUT", "/api/policies/"+v+"/p", "guest", `{"pattern":"^x","definition":{"max-length":5}}`)
		b.want(201, "PUT", "/api/operator-policies/"+v+"/p", "guest", `{"pattern":"^x","definition":{"max-length":5}}`)
		b.want(204, "PUT", "/api/vhost-limits/"+v+"/max-queues", "guest", `{"value":50}`)
	}
	b.want(204, "PUT", "/api/user-limits/none/max-channels", "guest", `{"value":5}`)
	b.want(201, "PUT", "/api/global-parameters/p", "guest", `{"value":5}`)
	return b
}

// Who may do what: every endpoint, and everybody. A row is the statuses for management,
// policymaker, monitoring and administrator in a vhost where they have permissions, and
// then in one where they have none. Nobody else is let in, unless the row is open.
func TestRights(t *testing.T) {
	for _, e := range endpoints() {
		name := e.method + " " + e.pattern
		row, ok := rights[name]
		if !ok {
			t.Errorf("%s has no row in the table of rights; it does %s", name, strings.Join(askAll(t, e), " | "))
			continue
		}
		if got := strings.Join(askAll(t, e), " | "); got != row {
			t.Errorf("%s\n%s, want\n%s", name, got, row)
		}
	}
	for name := range rights {
		if !slices.ContainsFunc(endpoints(), func(e endpoint) bool { return e.method+" "+e.pattern == name }) {
			t.Errorf("%s has a row and is no endpoint", name)
		}
	}
}

// askAll returns the row of an endpoint.
func askAll(t *testing.T, e endpoint) (row []string) {
	vhosts := []string{"%2F"}
	if strings.Contains(e.pattern, "{vhost}") || strings.Contains(e.pattern, "{in}") {
		vhosts = append(vhosts, "private")
	}
	for _, vhost := range vhosts {
		synctest.Test(t, func(t *testing.T) {
			b := rightsBed(t)
			path := strings.NewReplacer(append(slices.Clone(places), "{vhost}", vhost, "{in}", vhost, "{name}", nameFor(e.pattern))...).Replace(e.pattern)
			ask := func(user string) string {
				status, _ := b.ask(e.method, path, user, bodyFor(e))
				return fmt.Sprint(status)
			}
			outside := []string{ask(""), ask("administrator:wrong"), ask("none")}
			var inside []string
			for _, user := range tags[1:] {
				inside = append(inside, ask(user))
			}
			text := strings.Join(inside, " ")
			if !slices.Equal(outside, []string{"401", "401", "401"}) {
				text = "open " + strings.Join(slices.Compact(append(outside, inside...)), " ")
			}
			row = append(row, text)
		})
	}
	return row
}
