package mgmt

import "testing"

const (
	toDefault = "/api/exchanges/%2F/amq.default/publish"
	fromQueue = "/api/queues/%2F/lev-q/get"
	levQueue  = "/api/queues/%2F/lev-q"
)

// payloadOf is the body of a publish to the queue, with properties.
func payloadOf(properties, payload string) string {
	return `{"properties":` + properties + `,"routing_key":"lev-q","payload":` + payload + `,"payload_encoding":"string"}`
}

func TestPublish(t *testing.T) {
	take(t, []step{
		{"PUT", levQueue, `{"durable":true}`, 201, ``, 0},
		{"POST", toDefault, ``, 400, badReason(`"[{key_missing,routing_key},\n {key_missing,properties},\n {key_missing,payload},\n {key_missing,payload_encoding}]"`), 0},
		{"POST", toDefault, `{"routing_key":"q","payload":"x","payload_encoding":"string"}`, 400, badReason(`"[{key_missing,properties}]"`), 0},
		{"POST", toDefault, `[]`, 400, badReason(`"not_json"`), 0},
		{"POST", toDefault, payloadOf(`{}`, `1`), 400, badReason(`"payload_not_string"`), 0},
		{"POST", toDefault, payloadOf(`"x"`, `"x"`), 400, badReason(`"properties should be an object"`), 500},
		{"POST", toDefault, `{"properties":{},"routing_key":1,"payload":"x","payload_encoding":"string"}`, 400, badReason(`["not_string","routing_key"]`), 200},
		{"POST", toDefault, `{"properties":{},"routing_key":"q","payload":"x","payload_encoding":"foo"}`, 400, badReason(`["unsupported_encoding","foo"]`), 0},
		{"POST", toDefault, `{"properties":{},"routing_key":"q","payload":"aGk","payload_encoding":"base64"}`, 400, badReason(`["not_base64","aGk"]`), 0},
		{"POST", toDefault, payloadOf(`{"delivery_mode":"2"}`, `"x"`), 400, badReason(`["not_int","delivery_mode"]`), 0},
		{"POST", toDefault, payloadOf(`{"priority":300}`, `"x"`), 400, badReason(`"priority: 300 is not between 0 and 255"`), 200},
		{"DELETE", levQueue + "/contents", ``, 204, ``, 0},
		{"POST", toDefault, payloadOf(`{"timestamp":"now"}`, `"x"`), 400, badReason(`["not_int","timestamp"]`), 0},
		{"POST", toDefault, payloadOf(`{"expiration":60000}`, `"x"`), 400, badReason(`["not_string","expiration"]`), 0},
		{"POST", toDefault, payloadOf(`{"expiration":"abc"}`, `"x"`), 400, badReason(`"406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer"`), 0},
		{"POST", toDefault, payloadOf(`{"user_id":"bob"}`, `"x"`), 400, badReason(`"406 PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'guest'"`), 0},
		{"POST", toDefault, payloadOf(`{"headers":{"n":null}}`, `"x"`), 400, badReason(`"null_not_allowed"`), 0},
		{"POST", toDefault, payloadOf(`{"headers":{"CC":"q"}}`, `"x"`), 400, badReason(`"406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\"CC\",longstr}"`), 0},
		{"POST", toDefault, payloadOf(`{"reply_to":"amq.rabbitmq.reply-to"}`, `"x"`), 400, badReason(`"406 PRECONDITION_FAILED - fast reply consumer does not exist"`), 0},
		{"POST", "/api/exchanges/%2F/lev-none/publish", payloadOf(`{}`, `"x"`), 400, badReason(`"404 NOT_FOUND - no exchange 'lev-none' in vhost '/'"`), 0},
		{"PUT", "/api/exchanges/%2F/lev-internal", `{"type":"fanout","internal":true}`, 201, ``, 0},
		{"POST", "/api/exchanges/%2F/lev-internal/publish", payloadOf(`{}`, `"x"`), 400, badReason(`"403 ACCESS_REFUSED - cannot publish to internal exchange 'lev-internal' in vhost '/'"`), 0},
		{"DELETE", "/api/exchanges/%2F/lev-internal", ``, 204, ``, 0},
		{"POST", fromQueue, `{"count":5,"ackmode":"ack_requeue_false","encoding":"auto"}`, 200, `[]`, 0}, // nothing of that came

		{"POST", toDefault, `{"properties":{},"routing_key":"lev-none","payload":"x","payload_encoding":"string"}`, 200, `{"routed":false}`, 0},
		{"POST", toDefault, payloadOf(`{"headers":{"CC":["lev-none"],"BCC":["lev-q"]}}`, `"cc"`), 200, `{"routed":true}`, 0},
		{"POST", fromQueue, `{"count":5,"ackmode":"ack_requeue_false","encoding":"auto"}`, 200,
			`[{"payload_bytes":2,"redelivered":false,"exchange":"","routing_key":"lev-q","message_count":0,"properties":{"headers":{"CC":["lev-none"]}},"payload":"cc","payload_encoding":"string"}]`, 0},
		{"DELETE", levQueue, ``, 204, ``, 0},
		{"PUT", levQueue, `{"arguments":{"x-max-length":1,"x-overflow":"reject-publish"}}`, 201, ``, 0},
		{"POST", toDefault, payloadOf(`{}`, `"x"`), 200, `{"routed":true}`, 0},
		{"POST", toDefault, payloadOf(`{}`, `"x"`), 400, badReason(`"rejected Unable to publish message. Check queue limits."`), 0},
		{"DELETE", levQueue, ``, 204, ``, 0},
	})
}

func TestGetModes(t *testing.T) {
	get := func(mode, more string) string {
		return `{"count":1,"encoding":"auto","ackmode":"` + mode + `"` + more + `}`
	}
	got := func(payload, redelivered, left string) string {
		return `[{"payload_bytes":1,"redelivered":` + redelivered + `,"exchange":"","routing_key":"lev-q","message_count":` + left +
			`,"properties":[],"payload":"` + payload + `","payload_encoding":"string"}]`
	}
	take(t, []step{
		{"PUT", levQueue, `{"durable":true}`, 201, ``, 0},
		{"PUT", "/api/queues/%2F/lev-dead", `{}`, 201, ``, 0},
		{"POST", fromQueue, ``, 400, badReason(`"[{key_missing,ackmode},{key_missing,count},{key_missing,encoding}]"`), 0},
		{"POST", fromQueue, `{"count":1,"ackmode":"ack_requeue_true"}`, 400, badReason(`"[{key_missing,encoding}]"`), 0},
		{"POST", fromQueue, `{"count":"x","ackmode":"ack_requeue_true","encoding":"auto"}`, 400, badReason(`["not_integer","x"]`), 0},
		{"POST", fromQueue, `{"count":1,"ackmode":"ack_requeue_true","encoding":"zzz"}`, 400, badReason(`"Unsupported encoding. Please use auto or base64."`), 0},
		{"POST", fromQueue, get("zzz", ""), 400, badReason(`"ackmode: \"zzz\" is none of ack_requeue_true, ack_requeue_false, reject_requeue_true and reject_requeue_false"`), 500},
		{"POST", fromQueue, get("ack_requeue_true", `,"truncate":"a"`), 400, badReason(`["not_integer","a"]`), 0},
		{"POST", fromQueue, get("ack_requeue_true", `,"truncate":-1`), 400, badReason(`"truncate: -1 is negative"`), 200},
		{"POST", "/api/queues/%2F/lev-none/get", get("ack_requeue_true", ""), 404, `{"error":"not_found","reason":"NOT_FOUND - no queue 'lev-none' in vhost '/'"}`, 0},
		{"POST", fromQueue, get("ack_requeue_true", ""), 200, `[]`, 0},
		{"POST", toDefault, payloadOf(`{}`, `"1"`), 200, `{"routed":true}`, 0},
		{"POST", toDefault, payloadOf(`[]`, `"2"`), 200, `{"routed":true}`, 500},
		{"POST", fromQueue, get("ack_requeue_true", ""), 200, got("1", "false", "1"), 200},
		{"POST", fromQueue, get("reject_requeue_true", ""), 200, got("1", "true", "1"), 200},
		{"POST", fromQueue, get("ack_requeue_false", ""), 200, got("1", "true", "1"), 200},
		{"POST", fromQueue, `{"count":"1","requeue":true,"encoding":"auto"}`, 200, got("2", "false", "0"), 400},
		{"POST", fromQueue, get("reject_requeue_false", ""), 200, got("2", "true", "0"), 200},
		{"POST", fromQueue, get("ack_requeue_true", ""), 200, `[]`, 0},
		{"POST", toDefault, payloadOf(`{}`, `"3"`), 200, `{"routed":true}`, 0},
		{"POST", fromQueue, `{"count":0,"ackmode":"ack_requeue_false","encoding":"auto"}`, 200, `[]`, 0},
		{"POST", fromQueue, `{"count":-1,"ackmode":"ack_requeue_true","encoding":"auto"}`, 200, got("3", "false", "0"), 0},
		{"POST", fromQueue, `{"count":1.5,"requeue":false,"encoding":"auto"}`, 200, got("3", "true", "0"), 400},
		{"DELETE", levQueue, ``, 204, ``, 0},

		{"PUT", levQueue, `{"arguments":{"x-dead-letter-exchange":"","x-dead-letter-routing-key":"lev-dead"}}`, 201, ``, 0},
		{"POST", toDefault, payloadOf(`{}`, `"4"`), 200, `{"routed":true}`, 0},
		{"POST", fromQueue, get("reject_requeue_false", ""), 200, got("4", "false", "0"), 0},
		{"POST", "/api/queues/%2F/lev-dead/get", get("ack_requeue_false", ""), 200, `~"x-first-death-reason":"rejected"`, 0},
		{"DELETE", levQueue, ``, 204, ``, 0},
		{"DELETE", "/api/queues/%2F/lev-dead", ``, 204, ``, 0},
	})
}

// What is published comes back as it was, in whatever form.
func TestPropertiesAndPayloads(t *testing.T) {
	const all = `{"cluster_id":"cl","app_id":"a","user_id":"guest","type":"t","timestamp":1500000000,"message_id":"m","expiration":"60000",` +
		`"reply_to":"r","correlation_id":"c","priority":3,"delivery_mode":2,` +
		`"headers":{"a":1,"b":true,"f":1.5,"l":[1,"x"],"s":"é","t":{"u":{}},"whole":2.0},"content_encoding":"utf-8","content_type":"text/plain"}`
	get := func(more string) string { return `{"count":1,"ackmode":"ack_requeue_true"` + more + `}` }
	body := func(bytes, properties, payload, encoding string) string {
		return `~"payload_bytes":` + bytes + `,"redelivered":true,"exchange":"","routing_key":"lev-q","message_count":0,"properties":` +
			properties + `,"payload":"` + payload + `","payload_encoding":"` + encoding + `"}]`
	}
	take(t, []step{
		{"PUT", levQueue, `{"durable":true}`, 201, ``, 0},
		{"POST", toDefault, `{"properties":` + all[:len(all)-1] + `,"bogus":5},"routing_key":"lev-q","payload":"aM Op","payload_encoding":"base64","mandatory":0}`, 200, `{"routed":true}`, 0},
		{"POST", fromQueue, get(`,"encoding":"auto"`), 200, ``, 0},
		{"POST", fromQueue, get(`,"encoding":"auto"`), 200, body("3", all, "hé", "string"), 0},
		{"POST", fromQueue, get(`,"encoding":"base64"`), 200, body("3", all, "aMOp", "base64"), 0},
		{"POST", fromQueue, get(`,"encoding":"auto","truncate":2`), 200, body("3", all, "aMM=", "base64"), 0},
		{"POST", fromQueue, get(`,"encoding":"auto","truncate":"1"`), 200, body("3", all, "h", "string"), 0},
		{"DELETE", levQueue + "/contents", ``, 204, ``, 0},
		{"POST", toDefault, payloadOf(`{"headers":{},"app_id":""}`, `""`), 200, `{"routed":true}`, 0},
		{"POST", fromQueue, get(`,"encoding":"auto"`), 200, ``, 0},
		{"POST", fromQueue, get(`,"encoding":"auto"`), 200, body("0", `{"app_id":"","headers":{}}`, "", "string"), 0},
		{"DELETE", levQueue, ``, 204, ``, 0},
	})
}
