package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
)

// withAnn runs a test against a broker on which guest may do everything and ann has
// an account. Against RabbitMQ it needs the address of its management too.
func withAnn(t *testing.T, test func(b *broker)) {
	t.Helper()
	if os.Getenv("RABBITMQ_URL") != "" && os.Getenv("RABBITMQ_HTTP_URL") == "" {
		t.Skip("RABBITMQ_HTTP_URL is not set")
	}
	conforms(t, func(b *broker) {
		b.putUser("ann")
		if b.srv == nil {
			defer b.manage(http.MethodDelete, "users/ann", nil)
		}
		test(b)
	})
}

// manage asks RabbitMQ's management for something.
func (b *broker) manage(method, path string, body any) {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	request, err := http.NewRequest(method, os.Getenv("RABBITMQ_HTTP_URL")+"/api/"+path, strings.NewReader(string(text)))
	if err != nil {
		b.t.Fatal(err)
	}
	request.SetBasicAuth("guest", "guest")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode >= 300 {
		b.t.Fatalf("%s %s: %s", method, path, response.Status)
	}
}

func (b *broker) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// putUser makes a user whose password is the name.
func (b *broker) putUser(name string) {
	b.t.Helper()
	if b.srv == nil {
		b.manage(http.MethodPut, "users/"+name, map[string]string{"password": name, "tags": ""})
		return
	}
	b.must(b.srv.VHosts().PutUser(auth.Account{User: auth.User{Name: name}, Password: name}))
}

// allow says what ann may do in the vhost "/".
func (b *broker) allow(configure, write, read string) {
	b.t.Helper()
	if b.srv == nil {
		b.manage(http.MethodPut, "permissions/%2F/ann", map[string]string{"configure": configure, "write": write, "read": read})
		return
	}
	b.must(b.srv.VHosts().SetPermissions("ann", "/", auth.Permissions{Configure: configure, Write: write, Read: read}))
}

// allowTopic says which keys of an exchange ann may use.
func (b *broker) allowTopic(exchange, write, read string) {
	b.t.Helper()
	if b.srv == nil {
		b.manage(http.MethodPut, "topic-permissions/%2F/ann", map[string]string{"exchange": exchange, "write": write, "read": read})
		return
	}
	b.must(b.srv.VHosts().SetTopicPermissions("ann", "/", exchange, auth.TopicPermissions{Write: write, Read: read}))
}

// addVHost makes a vhost in which guest may do everything.
func (b *broker) addVHost(name string) {
	b.t.Helper()
	if b.srv == nil {
		b.manage(http.MethodPut, "vhosts/"+url.PathEscape(name), nil)
		return
	}
	_, err := b.srv.VHosts().AddVHost(name)
	b.must(err)
	b.must(b.srv.VHosts().SetPermissions("guest", name, auth.All))
}

// denied is the text of a refusal in the vhost "/". RabbitMQ 3.10 does not say the verb.
func (b *broker) denied(verb, what string) string {
	if b.srv == nil {
		return fmt.Sprintf("ACCESS_REFUSED - access to %s in vhost '/' refused for user 'ann'", what)
	}
	return fmt.Sprintf("ACCESS_REFUSED - %s access to %s in vhost '/' refused for user 'ann'", verb, what)
}

// ann returns a client of hers with channel 1 open.
func (b *broker) ann() *peer {
	b.t.Helper()
	p := b.connect(ann)
	p.open(1)
	return p
}

// answered is what comes for a method that is allowed: anything that is no close.
func (p *peer) answered(what string) {
	p.t.Helper()
	e := p.next(what)
	if m, closed := e.m.(*amqp.ChannelClose); closed {
		p.t.Errorf("%s: refused with %s", what, m.ReplyText)
		p.send(e.ch, &amqp.ChannelCloseOk{}, &amqp.ChannelOpen{})
		expect[*amqp.ChannelOpenOk](p, e.ch)
	}
}
