package mgmt

import (
	"strings"
	"testing"
)

// refusedHere is what RabbitMQ says of all that AMQP answers 403.
const refusedHere = `{"error":"not_authorised","reason":"Access refused."}`

func TestPutQueue(t *testing.T) {
	const q = "/api/queues/%2F/lev-q"
	take(t, []step{
		{"GET", q, "", 404, nothingThere, 0},
		{"DELETE", q, "", 404, nothingThere, 0},
		{"PUT", q, `{bad`, 400, badReason(`"not_json"`), 0},
		{"PUT", q, `[1]`, 400, badReason(`"not_json"`), 0},
		{"PUT", q, `{"durable":"yes"}`, 400, badReason(`["not_boolean","yes"]`), 0},
		{"PUT", q, `{"auto_delete":1}`, 400, badReason(`["not_boolean",1]`), 0},
		{"PUT", q, `{"arguments":"x"}`, 400, badReason(`"arguments: should be an object, actually was \"x\""`), 500},
		{"PUT", q, `{"arguments":{"a":[{"b":null}]}}`, 400, badReason(`"null_not_allowed"`), 0},
		{"PUT", q, `{"arguments":{"x-message-ttl":"a"}}`, 400, badReason(`"invalid arg 'x-message-ttl' for queue 'lev-q' in vhost '/': \"expected integer, got longstr\""`), 0},
		{"PUT", q, `{"arguments":{"x-message-ttl":-1}}`, 400, badReason(`"invalid arg 'x-message-ttl' for queue 'lev-q' in vhost '/': {value_negative,-1}"`), 0},
		{"PUT", q, `{"arguments":{"x-queue-type":"quorum"}}`, 400, badReason(`"invalid property 'non-durable' for queue 'lev-q' in vhost '/'"`), 0},
		{"PUT", "/api/queues/%2F/amq.lev", `{}`, 401, refusedHere, 0},
		{"PUT", "/api/queues/%2F/" + strings.Repeat("a", 256), `{}`, 400, badReason(`"queue should be less than 255 bytes, actually was 256\n"`), 0},
		{"PUT", "/api/queues/%2F/lev%00", `{}`, 400, badReason(`"name of queue must not contain a null character"`), 201},
		{"DELETE", "/api/queues/%2F/lev%00", ``, 404, ``, 204},
		{"PUT", "/api/queues/%2F/lev%FF", `{}`, 400, badReason(`"name of queue should be UTF-8"`), 201},
		{"DELETE", "/api/queues/%2F/lev%FF", ``, 404, ``, 204},
		{"PUT", "/api/queues/lev-nowhere/q", `{}`, 404, `{"error":"not_found","reason":"vhost_not_found"}`, 0},
		{"GET", q, "", 404, nothingThere, 0}, // nothing of that was done by half

		{"PUT", q, `{"durable":"true","foo":1,"arguments":{"x-max-length":10,"f":1.5,"l":[1,"x",{"y":true}],"t":{"z":false},"whole":1.0}}`, 201, ``, 0},
		{"PUT", q, `{"durable":true,"arguments":{"x-max-length":10}}`, 204, ``, 0},
		{"GET", q + "?columns=name,vhost,durable,auto_delete,exclusive,arguments,type", "", 200, `{"name":"lev-q","vhost":"/","durable":true,"auto_delete":false,"exclusive":false,` +
			`"arguments":{"x-max-length":10,"f":1.5,"l":[1,"x",{"y":true}],"t":{"z":false},"whole":1.0},"type":"classic"}`, 0},
		{"PUT", q, `{"durable":false,"arguments":{"x-max-length":10}}`, 400, badReason(`"inequivalent arg 'durable' for queue 'lev-q' in vhost '/': received 'false' but current is 'true'"`), 0},
		{"PUT", q, `{"durable":true,"auto_delete":true}`, 400, badReason(`"inequivalent arg 'auto_delete' for queue 'lev-q' in vhost '/': received 'true' but current is 'false'"`), 0},
		{"PUT", q, `{"durable":true,"arguments":{"x-max-length":11}}`, 400, badReason(`"inequivalent arg 'x-max-length' for queue 'lev-q' in vhost '/': received '11' but current is '10'"`), 0},
		{"GET", "/api/queues/%2F?columns=name&name=lev-q&page=1", "", 200, `~"filtered_count":1,"item_count":1,"items":[{"name":"lev-q"}],"page":1,"page_count":1,"page_size":100,"total_count":`, 0},
		{"DELETE", q, "", 204, ``, 0},

		{"PUT", q, ``, 201, ``, 0},
		{"GET", q + "?columns=durable,auto_delete,arguments", "", 200, `{"durable":false,"auto_delete":false,"arguments":{}}`, 0},
		{"PUT", q, `{"arguments":[]}`, 204, ``, 0},
		{"DELETE", q, "", 204, ``, 0},
		{"PUT", "/api/queues/%2F/lev%20a%2Fb%C3%A9/", `{}`, 201, ``, 0},
		{"GET", "/api/queues/%2F/lev%20a%2Fb%C3%A9/?columns=name", ``, 200, `{"name":"lev a/bé"}`, 0},
		{"DELETE", "/api/queues/%2F/lev%20a%2Fb%C3%A9/", ``, 204, ``, 0},
	})
}

func TestDeleteAndPurgeQueue(t *testing.T) {
	const (
		q, quorum = "/api/queues/%2F/lev-q", "/api/queues/%2F/lev-qq"
		message   = `{"properties":{},"routing_key":"lev-q","payload":"x","payload_encoding":"string"}`
	)
	take(t, []step{
		{"PUT", q, `{}`, 201, ``, 0},
		{"PUT", quorum, `{"durable":true,"arguments":{"x-queue-type":"quorum"}}`, 201, ``, 0},
		{"POST", "/api/exchanges/%2F/amq.default/publish", message, 200, `{"routed":true}`, 0},
		{"DELETE", q + "?if-empty=true", "", 400, badReason(`"queue 'lev-q' in vhost '/' not empty"`), 0},
		{"DELETE", q + "/contents", "", 204, ``, 0},
		{"DELETE", "/api/queues/%2F/lev-none/contents", "", 404, nothingThere, 0},
		{"POST", q + "/get", `{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}`, 200, `[]`, 0},
		{"DELETE", "/api/queues/%2F/lev-none?if-empty=true", "", 404, nothingThere, 0},
		{"DELETE", quorum + "?if-unused=true", "", 400, badReason(`"cannot delete queue 'lev-qq' in vhost '/'. queue.delete operations with if-unused flag set are not supported by quorum queues"`), 0},
		{"DELETE", quorum, "", 204, ``, 0},
		{"POST", q + "/actions", `{}`, 400, badReason(`"[{key_missing,action}]"`), 0},
		{"POST", q + "/actions", `{"action":"foo"}`, 400, badReason(`["unknown","foo"]`), 0},
		{"POST", q + "/actions", `{"action":"sync"}`, 204, ``, 0},
		{"POST", "/api/queues/%2F/lev-none/actions", `{"action":"sync"}`, 404, nothingThere, 500},
		{"DELETE", q + "?if-empty=true&if-unused=true", "", 204, ``, 0},
	})
}

// What a user may do with queues is what they may do as a client.
func TestRightsToQueues(t *testing.T) {
	b := newBed(t)
	b.want(204, "PUT", "/api/permissions/%2F/management", "guest", `{"configure":"^a","write":"^a","read":"^a"}`)
	b.want(201, "PUT", "/api/queues/%2F/bq", "guest", `{}`)
	b.want(201, "PUT", "/api/queues/private/aq", "guest", `{}`)
	const otherVHost = `{"error":"not_authorised","reason":"User not authorised to access virtual host"}`
	for _, c := range []struct {
		user, method, path, body string
		status                   int
		answer                   string
	}{
		{"management", "PUT", "/api/queues/%2F/aq", `{}`, 201, ``},
		{"management", "PUT", "/api/queues/%2F/bq", `{}`, 401, refusedHere},
		{"management", "DELETE", "/api/queues/%2F/bq", ``, 401, refusedHere},
		{"management", "DELETE", "/api/queues/%2F/bq/contents", ``, 401, refusedHere},
		{"management", "POST", "/api/queues/%2F/bq/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}`, 401,
			`{"error":"not_authorised","reason":"ACCESS_REFUSED - read access to queue 'bq' in vhost '/' refused for user 'management'"}`},
		{"management", "POST", "/api/bindings/%2F/e/amq.direct/q/bq", `{}`, 401, refusedHere},
		{"management", "POST", "/api/exchanges/%2F/amq.direct/publish", `{"properties":{},"routing_key":"x","payload":"x","payload_encoding":"string"}`, 200, `{"routed":false}`},
		{"management", "PUT", "/api/exchanges/%2F/bx", `{"type":"direct"}`, 401, refusedHere},
		{"management", "GET", "/api/queues/%2F/bq?columns=name", ``, 200, `{"name":"bq"}`}, // to see is not to read
		{"management", "GET", "/api/queues/private/aq", ``, 401, otherVHost},
		{"management", "PUT", "/api/queues/private/aq", `{}`, 401, otherVHost},
		{"management", "GET", "/api/queues?columns=name", ``, 200, `[{"name":"aq"},{"name":"bq"}]`},
		{"monitoring", "GET", "/api/queues?columns=name,vhost", ``, 200, `[{"name":"aq","vhost":"/"},{"name":"bq","vhost":"/"},{"name":"aq","vhost":"private"}]`},
		{"monitoring", "GET", "/api/queues/private/aq?columns=name", ``, 200, `{"name":"aq"}`},
		{"monitoring", "DELETE", "/api/queues/private/aq", ``, 401, otherVHost},
		{"monitoring", "POST", "/api/queues/%2F/aq/actions", `{"action":"sync"}`, 401, `{"error":"not_authorised","reason":"Not administrator user"}`},
		{"none", "GET", "/api/queues", ``, 401, `{"error":"not_authorised","reason":"Not management user"}`},
		{"management", "DELETE", "/api/queues/%2F/aq", ``, 204, ``},
	} {
		if status, body := b.ask(c.method, c.path, c.user, c.body); status != c.status || body != c.answer {
			t.Errorf("%s: %s %s: %d %s, want %d %s", c.user, c.method, c.path, status, body, c.status, c.answer)
		}
	}
}
