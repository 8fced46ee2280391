package mgmt

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/mgmt/definitions"
)

func TestExchanges(t *testing.T) {
	const x = "/api/exchanges/%2F/lev-x"
	take(t, []step{
		{"GET", x, "", 404, nothingThere, 0},
		{"DELETE", x, "", 404, nothingThere, 0},
		{"PUT", x, `{"type":"lev-type"}`, 400, badReason(`"unknown exchange type 'lev-type'"`), 0},
		{"PUT", x, `{"type":1}`, 400, badReason(`["not_string","type"]`), 400},
		{"PUT", x, `{"type":"topic","durable":"maybe"}`, 400, badReason(`["not_boolean","maybe"]`), 0},
		{"PUT", x, `{"type":"topic","arguments":{"alternate-exchange":1}}`, 400, badReason(`"invalid type 'long' for arg 'alternate-exchange' in exchange 'lev-x' in vhost '/'"`), 0},
		{"PUT", "/api/exchanges/%2F/amq.lev", `{"type":"topic"}`, 401, refusedHere, 0},
		{"PUT", "/api/exchanges/%2F/amq.default", `{"type":"direct"}`, 401, refusedHere, 0},
		{"PUT", "/api/exchanges/%2F/amq.direct", `{"type":"direct"}`, 400, badReason(`"inequivalent arg 'durable' for exchange 'amq.direct' in vhost '/': received 'false' but current is 'true'"`), 0},
		{"PUT", "/api/exchanges/%2F/" + strings.Repeat("a", 256), `{}`, 400, badReason(`"exchange should be less than 255 bytes, actually was 256\n"`), 201},
		{"DELETE", "/api/exchanges/%2F/" + strings.Repeat("a", 256), ``, 404, ``, 204},
		{"DELETE", "/api/exchanges/%2F/amq.direct", ``, 401, refusedHere, 0},
		{"DELETE", "/api/exchanges/%2F/amq.default", ``, 401, refusedHere, 0},
		{"PUT", x, ``, 201, ``, 0},
		{"PUT", x, `{"type":"direct","durable":false}`, 204, ``, 0},
		{"PUT", x, `{"type":"topic"}`, 400, badReason(`"inequivalent arg 'type' for exchange 'lev-x' in vhost '/': received 'topic' but current is 'direct'"`), 0},
		{"DELETE", x, ``, 204, ``, 0},
		{"PUT", x, `{"type":"topic","auto_delete":true,"internal":true,"arguments":{"alternate-exchange":"ae"},"durable":true}`, 201, ``, 0},
		{"GET", x + "?columns=arguments,auto_delete,durable,incoming,internal,name,outgoing,type,vhost", ``, 200,
			`{"arguments":{"alternate-exchange":"ae"},"auto_delete":true,"durable":true,"incoming":[],"internal":true,"name":"lev-x","outgoing":[],"type":"topic","vhost":"/"}`, 0},
		{"DELETE", x, ``, 204, ``, 0},
		{"GET", "/api/exchanges/%2F/amq.default?columns=name,durable,type", ``, 200, `{"durable":true,"name":"","type":"direct"}`, 0},
		{"GET", "/api/exchanges/%2F?columns=name&name=amq.&page=1", ``, 200, `~"items":[{"name":"amq.direct"},{"name":"amq.fanout"},{"name":"amq.headers"},{"name":"amq.match"},`, 0},
		{"PUT", x, `{"type":"direct"}`, 201, ``, 0},
		{"PUT", "/api/policies/%2F/lev-p", `{"pattern":"^lev-x$","definition":{"alternate-exchange":"ae"},"apply-to":"exchanges"}`, 201, ``, 0},
		{"GET", x + "?columns=policy", ``, 200, `{"policy":"lev-p"}`, 0},
		{"DELETE", "/api/policies/%2F/lev-p", ``, 204, ``, 0},
		{"DELETE", x, ``, 204, ``, 0},
	})
}

func TestBindings(t *testing.T) {
	const at = "/api/bindings/%2F/e/lev-x"
	binding := func(source, destination, kind, key, args, props string) string {
		return `{"source":"` + source + `","vhost":"/","destination":"` + destination + `","destination_type":"` + kind +
			`","routing_key":"` + key + `","arguments":` + args + `,"properties_key":"` + props + `"}`
	}
	plain := func(key, props string) string { return binding("lev-x", "lev-q", "queue", key, "{}", props) }
	toX := binding("lev-x", "lev-y", "exchange", "ee", "{}", "ee")
	odd := plain("a/b~c %+é", "a%2Fb%7Ec+%25%2B%C3%A9")
	take(t, []step{
		{"PUT", levQueue, ``, 201, ``, 0},
		{"PUT", "/api/exchanges/%2F/lev-x", ``, 201, ``, 0},
		{"PUT", "/api/exchanges/%2F/lev-y", ``, 201, ``, 0},
		{"POST", at + "/q/lev-q", `{"routing_key":"k","arguments":"s"}`, 400, badReason(`"arguments: should be an object, actually was \"s\""`), 500},
		{"POST", at + "/q/lev-none", ``, 404, `{"error":"not_found","reason":"no queue 'lev-none' in vhost '/'"}`, 0},
		{"POST", "/api/bindings/%2F/e/lev-none/q/lev-q", ``, 404, `{"error":"not_found","reason":"no exchange 'lev-none' in vhost '/'"}`, 0},
		{"POST", at + "/e/lev-none", ``, 404, `{"error":"not_found","reason":"no exchange 'lev-none' in vhost '/'"}`, 0},
		{"POST", "/api/bindings/%2F/e/amq.default/q/lev-q", `{"routing_key":"x"}`, 401, refusedHere, 0},
		{"POST", at + "/e/amq.default", `{"routing_key":"x"}`, 401, refusedHere, 0},
		{"POST", at + "/q/lev-q", ``, 201, ``, 0},
		{"POST", at + "/q/lev-q", `{}`, 201, ``, 0},
		{"POST", at + "/q/lev-q", `{"routing_key":"k","arguments":[]}`, 201, ``, 0},
		{"POST", at + "/q/lev-q", `{"routing_key":"~"}`, 201, ``, 0},
		{"POST", at + "/q/lev-q", `{"routing_key":"a/b~c %+é"}`, 201, ``, 0},
		{"POST", at + "/e/lev-y", `{"routing_key":"ee"}`, 201, ``, 0},
		{"GET", at + "/q/lev-q", ``, 200, "[" + plain("", "~") + "," + odd + "," + plain("k", "k") + "," + plain("~", "%7E") + "]", 0},
		{"GET", at + "/e/lev-y", ``, 200, "[" + toX + "]", 0},
		{"GET", "/api/exchanges/%2F/lev-x/bindings/source", ``, 200, "~" + toX + "]", 0},
		{"GET", "/api/exchanges/%2F/lev-y/bindings/destination", ``, 200, "[" + toX + "]", 0},
		{"GET", "/api/exchanges/%2F/lev-y/bindings/nope", ``, 404, nothingThere, 400},
		{"GET", "/api/queues/%2F/lev-q/bindings?columns=source,routing_key", ``, 200, `[{"source":"","routing_key":"lev-q"},{"source":"lev-x","routing_key":""},` +
			`{"source":"lev-x","routing_key":"a/b~c %+é"},{"source":"lev-x","routing_key":"k"},{"source":"lev-x","routing_key":"~"}]`, 0},
		{"GET", "/api/bindings/%2F", ``, 200, "~" + odd, 0},
		{"GET", "/api/bindings", ``, 200, "~" + toX, 0},
		{"GET", at + "/q/lev-none", ``, 200, `[]`, 0},
		{"GET", "/api/bindings/%2F/e/lev-none/q/lev-q", ``, 200, `[]`, 0},
		{"GET", at + "/q/lev-q/~", ``, 200, plain("", "~"), 0},
		{"GET", at + "/q/lev-q/%257E", ``, 200, plain("~", "%7E"), 0},
		{"GET", at + "/q/lev-q/" + url.PathEscape("a%2Fb%7Ec+%25%2B%C3%A9"), ``, 200, odd, 0},
		{"GET", at + "/q/lev-q/k", ``, 200, plain("k", "k"), 0},
		{"GET", at + "/q/lev-q/k~other", ``, 404, nothingThere, 0},
		{"GET", at + "/q/lev-q/nope", ``, 404, nothingThere, 0},
		{"GET", "/api/bindings/%2F/e/amq.default/q/lev-q/lev-q", ``, 200, binding("", "lev-q", "queue", "lev-q", "{}", "lev-q"), 0},
		{"DELETE", "/api/bindings/%2F/e/amq.default/q/lev-q/lev-q", ``, 401, refusedHere, 0},
		{"DELETE", "/api/exchanges/%2F/lev-x?if-unused=true", ``, 400, badReason(`"exchange 'lev-x' in vhost '/' in use"`), 0},
		{"DELETE", at + "/q/lev-q/k", ``, 204, ``, 0},
		{"DELETE", at + "/q/lev-q/k", ``, 404, nothingThere, 0},
		{"DELETE", at + "/e/lev-y/ee", ``, 204, ``, 0},
		{"DELETE", levQueue, ``, 204, ``, 0},
		{"DELETE", "/api/exchanges/%2F/lev-x?if-unused=true", ``, 204, ``, 0},
		{"DELETE", "/api/exchanges/%2F/lev-y", ``, 204, ``, 0},
	})
}

// Where a binding is said to be, there it is.
func TestBindingLocation(t *testing.T) {
	b := newBed(t)
	b.want(201, "PUT", "/api/queues/%2F/a%20b%2Fc", "guest", ``)
	const at = "/api/bindings/%2F/e/amq.direct/q/a%20b%2Fc"
	for _, c := range []struct{ body, location string }{
		{`{"routing_key":"a b"}`, "a+b%2Fc/a%2Bb"}, // as RabbitMQ has it
		{`{"routing_key":"a/b~c %+é"}`, "a+b%2Fc/a%252Fb%257Ec%2B%2525%252B%25C3%25A9"},
		{`{}`, "a+b%2Fc/~"},
	} {
		res, text := b.do("POST", at, "guest", c.body)
		if got := res.Header.Get("Location"); res.StatusCode != 201 || got != c.location {
			t.Errorf("%s: %d %s at %q, want %q", c.body, res.StatusCode, text, got, c.location)
		}
	}
	// RabbitMQ binds with a key that is the number.
	if status, text := b.ask("POST", at, "guest", `{"routing_key":1}`); status != 400 || text != badReason(`["not_string","routing_key"]`) {
		t.Errorf("a key that is no text: %d %s", status, text)
	}
	res, _ := b.do("POST", at, "guest", `{"routing_key":"k","arguments":{"a":1,"t":{"l":[1,"x"]}}}`)
	_, props, _ := strings.Cut(res.Header.Get("Location"), "/")
	if !strings.HasPrefix(props, "k~") || len(props) != len("k~")+6 {
		t.Fatalf("properties key %q, want k~ and six letters", props)
	}
	var found struct {
		RoutingKey string `json:"routing_key"`
		Arguments  map[string]any
	}
	b.get(at+"/"+props, &found)
	if found.RoutingKey != "k" || found.Arguments["a"] != 1.0 {
		t.Errorf("found %+v", found)
	}
	b.want(204, "DELETE", at+"/"+props, "guest", ``)
	b.want(404, "GET", at+"/"+props, "guest", ``)
}

// A binding is found by its properties key, and by no other's.
func FuzzPropertiesKey(f *testing.F) {
	for _, s := range [][2]string{{"", "{}"}, {"~", "{}"}, {"a b/c%+é", `{"a":1}`}, {"\xff~\x00", `{"x":[1.5,{"y":"z"}]}`}} {
		f.Add(s[0], s[1], s[0]+"x")
	}
	f.Fuzz(func(t *testing.T, key, raw, other string) {
		args, err := definitions.ParseTable([]byte(raw))
		if err != nil {
			t.Skip()
		}
		if _, err := amqp.AppendTable(nil, args); err != nil {
			t.Skip()
		}
		props := propertiesKey(key, args)
		if strings.ContainsAny(props, " /?#") || props == "" {
			t.Errorf("key %q has properties key %q, which is no segment", key, props)
		}
		wanted := parsePropertiesKey(props)
		if !wanted.fits(key, args) {
			t.Errorf("key %q, arguments %v: %q does not find it", key, args, props)
		}
		if other != key && wanted.fits(other, args) {
			t.Errorf("%q finds %q", props, other)
		}
		if len(args) > 0 && wanted.fits(key, nil) {
			t.Errorf("%q finds the one without arguments", props)
		}
		more := append(slices.Clone(args), amqp.Field{Name: "more", Value: true})
		if propertiesKey(key, more) == props {
			t.Errorf("%q is also of %v", props, more)
		}
	})
}
