package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
)

// listener returns a client that is told all events. Those about itself have come.
func (b *broker) listener() *peer {
	p := b.peer()
	ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "events"})
	ask[*amqp.QueueBindOk](p, 1, &amqp.QueueBind{Queue: "events", Exchange: vhost.EventExchange, RoutingKey: "#"})
	b.settle()
	p.consumeAs(1, &amqp.BasicConsume{Queue: "events", ConsumerTag: "e", NoAck: true})
	p.wantEvent("binding.created", "source_name=amq.rabbitmq.event", "destination_name=events")
	p.wantEvent("consumer.created", "consumer_tag=e", "queue=events", "ack_required=false")
	return p
}

// wantEvent wants an event next, with these headers among others.
func (p *peer) wantEvent(key string, headers ...string) {
	p.t.Helper()
	d, e := expectContent[*amqp.BasicDeliver](p, 1)
	if d.Exchange != vhost.EventExchange || d.RoutingKey != key || e.body != "" || e.props.DeliveryMode != 2 {
		p.t.Fatalf("want %s, got %v", key, e)
	}
	at, _ := e.props.Headers.Get("timestamp_in_ms")
	if now := time.Now(); at != now.UnixMilli() || e.props.Timestamp != amqp.Timestamp(now.Unix()) {
		p.t.Errorf("%s: it was %v, %v", key, at, e.props.Timestamp)
	}
	var got []string
	for _, f := range e.props.Headers {
		got = append(got, fmt.Sprintf("%s=%v", f.Name, f.Value))
	}
	for _, h := range headers {
		if !slices.Contains(got, h) {
			p.t.Errorf("%s: no %s among %q", key, h, got)
		}
	}
}

// The routing keys and headers are those of RabbitMQ 3.10 with its plugin.
func TestEvents_Topology(t *testing.T) {
	inBubble(t, Options{NodeName: "leveret@here"}, func(b *broker) {
		e, p := b.listener(), b.peer()
		e.skipEvents(3) // the login, the connection, the channel
		ask[*amqp.ExchangeDeclareOk](p, 1, &amqp.ExchangeDeclare{Exchange: "x", Type: "topic",
			Arguments: amqp.Table{{Name: "alternate-exchange", Value: "amq.fanout"}}})
		e.wantEvent("exchange.created", "name=x", "vhost=/", "type=topic", "durable=false", "auto_delete=false", "internal=false", "policy=",
			`arguments=[{<<"alternate-exchange">>,longstr,<<"amq.fanout">>}]`, "user_who_performed_action=guest")
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Durable: true, Arguments: amqp.Table{{Name: "x-max-length", Value: int64(5)}}})
		e.wantEvent("queue.created", "name=q", "vhost=/", "durable=true", "auto_delete=false", "exclusive=false", "owner_pid=",
			"arguments=[{<<\"x-max-length\">>,long,5}]", "user_who_performed_action=guest")
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Durable: true, Arguments: amqp.Table{{Name: "x-max-length", Value: int64(5)}}})
		ask[*amqp.QueueBindOk](p, 1, &amqp.QueueBind{Queue: "q", Exchange: "x", RoutingKey: "k"})
		e.wantEvent("binding.created", "source_name=x", "source_kind=exchange", "destination_name=q", "destination_kind=queue",
			"routing_key=k", "arguments=[]", "vhost=/", "user_who_performed_action=guest")
		ask[*amqp.ExchangeBindOk](p, 1, &amqp.ExchangeBind{Destination: "x", Source: "amq.topic", RoutingKey: "t"})
		e.wantEvent("binding.created", "source_name=amq.topic", "destination_name=x", "destination_kind=exchange")
		ask[*amqp.ExchangeUnbindOk](p, 1, &amqp.ExchangeUnbind{Destination: "x", Source: "amq.topic", RoutingKey: "t"})
		e.wantEvent("binding.deleted", "source_name=amq.topic", "destination_name=x", "user_who_performed_action=guest")
		ask[*amqp.QueueDeleteOk](p, 1, &amqp.QueueDelete{Queue: "q"})
		e.wantEvent("binding.deleted", "source_name=x", "destination_name=q", "user_who_performed_action=rmq-internal")
		e.wantEvent("queue.deleted", "name=q", "vhost=/", "user_who_performed_action=guest")
		ask[*amqp.ExchangeDeleteOk](p, 1, &amqp.ExchangeDelete{Exchange: "x"})
		e.wantEvent("exchange.deleted", "name=x", "vhost=/", "user_who_performed_action=guest")
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "mine", Exclusive: true})
		e.wantEvent("queue.created", "name=mine", "exclusive=true", "owner_pid=<leveret@here.2.0>")
		p.bye()
		e.wantEvent("queue.deleted", "name=mine", "user_who_performed_action=rmq-internal")
	})
}

// skipEvents lets events pass that were wanted elsewhere.
func (p *peer) skipEvents(n int) {
	p.t.Helper()
	for range n {
		expectContent[*amqp.BasicDeliver](p, 1)
	}
}

func TestEvents_Sessions(t *testing.T) {
	inBubble(t, Options{NodeName: "leveret@here"}, func(b *broker) {
		e, p := b.listener(), b.peer()
		e.wantEvent("user.authentication.success", "name=guest", "auth_mechanism=PLAIN", "connection_type=network",
			"connection_name=pipe -> pipe", "protocol={0,9,1}", "ssl=false", "host=unknown", "peer_port=unknown")
		e.wantEvent("connection.created", "pid=<leveret@here.2.0>", "name=pipe -> pipe", "user=guest", "vhost=/", "node=leveret@here",
			"type=network", "auth_mechanism=PLAIN", "timeout=0", "frame_max=131072", "channel_max=2047", "ssl=false", "ssl_protocol=",
			fmt.Sprint("connected_at=", time.Now().UnixMilli()), "user_who_performed_action=guest",
			`client_properties=[{<<"capabilities">>,table,[{<<"authentication_failure_close">>,bool,true},`+
				`{<<"consumer_cancel_notify">>,bool,true},{<<"connection.blocked">>,bool,true}]}]`)
		e.wantEvent("channel.created", "pid=<leveret@here.2.1>", "name=pipe -> pipe (1)", "connection=<leveret@here.2.0>", "number=1",
			"user=guest", "vhost=/", "user_who_performed_action=guest")
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q"})
		e.wantEvent("queue.created", "name=q")
		ask[*amqp.BasicQosOk](p, 1, &amqp.BasicQos{PrefetchCount: 3})
		for _, tag := range []string{"a", "b", "c"} {
			p.consumeAs(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: tag})
			e.wantEvent("consumer.created", "consumer_tag="+tag, "exclusive=false", "ack_required=true", "channel=<leveret@here.2.1>",
				"queue=q", "vhost=/", "prefetch_count=3", "arguments=[]", "user_who_performed_action=guest")
		}
		p.consumeAs(1, &amqp.BasicConsume{Queue: replyTo, ConsumerTag: "r", NoAck: true}) // nobody else's business
		ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "a"})
		e.wantEvent("consumer.deleted", "consumer_tag=a", "channel=<leveret@here.2.1>", "queue=q", "vhost=/", "user_who_performed_action=guest")
		ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{})
		for range 2 {
			e.wantEvent("consumer.deleted", "queue=q", "user_who_performed_action=rmq-internal")
		}
		e.wantEvent("channel.closed", "pid=<leveret@here.2.1>", "user_who_performed_action=guest")
		p.open(2)
		e.wantEvent("channel.created", "number=2")
		p.consumeAs(2, &amqp.BasicConsume{Queue: "q", ConsumerTag: "d"})
		e.wantEvent("consumer.created", "consumer_tag=d")
		ask[*amqp.QueueDeleteOk](e, 1, &amqp.QueueDelete{Queue: "q"})
		e.wantEvent("queue.deleted", "name=q")
		e.wantEvent("consumer.deleted", "consumer_tag=d", "user_who_performed_action=rmq-internal")
		expect[*amqp.BasicCancel](p, 2)
		p.bye()
		e.wantEvent("channel.closed", "pid=<leveret@here.2.2>")
		e.wantEvent("connection.closed", "pid=<leveret@here.2.0>", "name=pipe -> pipe", "node=leveret@here")
		bad := b.greeted()
		bad.send(0, client{mechanism: "PLAIN", response: "\x00guest\x00no"}.startOk())
		expect[*amqp.ConnectionClose](bad, 0)
		e.patience = time.Minute
		d, ev := expectContent[*amqp.BasicDeliver](e, 1)
		why, _ := ev.props.Headers.Get("error")
		if d.RoutingKey != "user.authentication.failure" || !strings.Contains(fmt.Sprint(why), "guest") {
			t.Errorf("got %v", ev)
		}
	})
}

func TestEvents_Alarms(t *testing.T) {
	inBubble(t, Options{NodeName: "leveret@here"}, func(b *broker) {
		e := b.listener()
		b.srv.SetAlarm(AlarmMemory, true)
		b.srv.SetAlarm(AlarmMemory, true)
		b.srv.SetAlarm(AlarmDisk, false)
		b.srv.SetAlarm(AlarmDisk, true)
		b.srv.SetAlarm(AlarmMemory, false)
		e.wantEvent("alarm.set", "source=memory", "node=leveret@here")
		e.wantEvent("alarm.set", "source=disk")
		e.wantEvent("alarm.cleared", "source=memory")
		e.wantNothing(1)
	})
}

func TestEvents_Settings(t *testing.T) {
	inBubble(t, Options{NodeName: "leveret@here"}, func(b *broker) {
		e, r := b.listener(), b.srv.VHosts()
		v, err := r.VHost("/")
		b.must(err)
		rule := policy.Policy{Name: "p", Pattern: "^a", ApplyTo: "queues", Priority: 2, Definition: map[string]any{"max-length": 3}}
		_, err = r.AddVHost("ev")
		b.must(err)
		for range 7 {
			e.wantEvent("exchange.created", "vhost=ev", "user_who_performed_action=rmq-internal")
		}
		e.wantEvent("vhost.created", "name=ev", "description=", "tags=[]", "tracing=false")
		for _, c := range []struct {
			err    error
			events []string // key and headers each
		}{
			{r.PutUser(auth.Account{User: auth.User{Name: "u", Tags: []string{"management"}}, Password: "p"}),
				[]string{"user.created; name=u", "user.tags.set; name=u; tags=[management]"}},
			{r.PutUser(auth.Account{User: auth.User{Name: "u"}, Password: "p2"}),
				[]string{"user.password.changed; name=u", "user.tags.set; name=u; tags=[]"}},
			{r.SetPermissions("u", "ev", auth.All), []string{"permission.created; user=u; vhost=ev; configure=.*; write=.*; read=.*"}},
			{r.SetTopicPermissions("u", "ev", "amq.topic", auth.TopicPermissions{Write: "w", Read: "r"}),
				[]string{"topic.permission.created; user=u; vhost=ev; exchange=amq.topic; write=w; read=r"}},
			{r.DeleteTopicPermissions("u", "ev", ""), []string{"topic.permission.deleted; user=u; vhost=ev"}},
			{r.DeletePermissions("u", "ev"), []string{"permission.deleted; user=u; vhost=ev"}},
			{v.SetPolicy(rule), []string{"policy.set; name=p; vhost=/; pattern=^a; apply-to=queues; definition=[{max-length 3}]; priority=2"}},
			{v.DeletePolicy("p"), []string{"policy.cleared; name=p; vhost=/"}},
			{v.SetOperatorPolicy(rule), []string{"parameter.set; component=operator_policy; name=p; vhost=/", "policy.set; name=p; pattern=^a"}},
			{v.DeleteOperatorPolicy("p"), []string{"parameter.cleared; component=operator_policy; name=p", "operator.policy.cleared; name=p"}},
			{r.SetGlobalParameter("g", json.RawMessage(`{"a":1.5}`)), []string{"parameter.set; component=global; name=g; value=[{a 1.5}]"}},
			{r.DeleteGlobalParameter("g"), []string{"parameter.cleared; component=global; name=g"}},
			{v.SetLimits(json.RawMessage(`{"max-queues":9}`)),
				[]string{"parameter.set; component=vhost-limits; name=limits; value=[{max-queues 9}]", "vhost.limits.set; name=limits; max-queues=9"}},
			{v.ClearLimits(), []string{"parameter.cleared; component=vhost-limits", "vhost.limits.cleared; name=limits"}},
			{r.SetUserLimits("u", json.RawMessage(`{"max-channels":9}`)), []string{"user.limits.set; name=limits; username=u; max-channels=9"}},
			{r.ClearUserLimits("u", "all"), []string{"user.limits.cleared; name=limits; username=u"}},
			{r.DeleteUser("u"), []string{"user.deleted; name=u"}},
			{r.PutUser(auth.Account{User: auth.User{Name: ""}}), nil},
			{r.SetPermissions("none", "ev", auth.All), nil},
		} {
			if c.events != nil {
				b.must(c.err)
			}
			for _, want := range c.events {
				key, headers, _ := strings.Cut(want, "; ")
				e.wantEvent(key, strings.Split(headers, "; ")...)
			}
		}
		b.must(r.DeleteVHost("ev"))
		e.skipEvents(5)
		e.wantEvent("exchange.deleted", "vhost=ev") // but for the default exchange, which is none
		e.wantEvent("vhost.deleted", "name=ev")
		e.wantNothing(1)
	})
}

// With nobody who listens nothing is made; who stops listening is told no more.
func TestEvents_Unheard(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		if b.srv.VHosts().Listened() {
			t.Fatal("nobody is there")
		}
		e := b.listener()
		ask[*amqp.QueueUnbindOk](e, 1, &amqp.QueueUnbind{Queue: "events", Exchange: vhost.EventExchange, RoutingKey: "#"})
		if b.srv.VHosts().Listened() {
			t.Error("nobody is left")
		}
		ask[*amqp.QueueDeclareOk](e, 1, &amqp.QueueDeclare{Queue: "q"})
		e.wantNothing(1)
		e.publish(1, post{exchange: vhost.EventExchange})
		e.wantClose(1, 403, "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.event' in vhost '/'", amqp.IDBasicPublish)
	})
}
