package server

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
)

// A publish that is refused closes the channel and is not confirmed; what came
// before it is.
func TestBasicPublish_1_8_3_7_Refusals(t *testing.T) {
	internal := func(p *peer) {
		ask[*amqp.ExchangeDeclareOk](p, 1, &amqp.ExchangeDeclare{Exchange: "x", Type: "fanout", Internal: true})
	}
	used := func(p *peer) {
		p.exchange("x", "direct")
		p.publish(1, post{exchange: "x", key: "k"})
		ask[*amqp.ExchangeDeleteOk](p, 1, &amqp.ExchangeDelete{Exchange: "x"})
	}
	expiration := func(s string) post {
		return post{key: "q", props: amqp.BasicProperties{Expiration: s, Present: amqp.HasExpiration}}
	}
	headers := func(args ...any) post { return post{key: "q", props: amqp.BasicProperties{Headers: table(args...)}} }
	for _, c := range []struct {
		name    string
		prepare func(p *peer)
		m       post
		code    amqp.ReplyCode
		text    string
	}{
		{"absent exchange", nil, post{exchange: "absent"}, 404, "NOT_FOUND - no exchange 'absent' in vhost '/'"},
		{"deleted exchange", used, post{exchange: "x", key: "k"}, 404, "NOT_FOUND - no exchange 'x' in vhost '/'"},
		{"internal exchange", internal, post{exchange: "x"}, 403, "ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '/'"},
		{"the exchange for traces", nil, post{exchange: "amq.rabbitmq.trace"},
			403, "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'"},
		{"immediate", nil, post{key: "q", immediate: true}, 540, "NOT_IMPLEMENTED - immediate=true"},
		{"expiration -1", nil, expiration("-1"), 406, "PRECONDITION_FAILED - invalid expiration '-1': {value_negative,-1}"},
		{"expiration abc", nil, expiration("abc"), 406, "PRECONDITION_FAILED - invalid expiration 'abc': no_integer"},
		{"expiration 10ms", nil, expiration("10ms"), 406, `PRECONDITION_FAILED - invalid expiration '10ms': {leftover_string,"ms"}`},
		{"expiration empty", nil, expiration(""), 406, "PRECONDITION_FAILED - invalid expiration '': no_integer"},
		{"expiration 1.5", nil, expiration("1.5"), 406, `PRECONDITION_FAILED - invalid expiration '1.5': {leftover_string,".5"}`},
		{"expiration with a space", nil, expiration(" 5"), 406, "PRECONDITION_FAILED - invalid expiration ' 5': no_integer"},
		{"expiration above ten years", nil, expiration("315360000001"),
			406, "PRECONDITION_FAILED - invalid expiration '315360000001': {value_too_large,315360000001}"},
		{"expiration with a percent sign", nil, expiration("%d%s"), 406, "PRECONDITION_FAILED - invalid expiration '%d%s': no_integer"},
		{"CC a string", nil, headers("CC", "x"), 406, `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}`},
		{"CC void", nil, headers("CC", nil), 406, `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",void}`},
		{"CC a number", nil, headers("CC", int32(5)), 406, `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",signedint}`},
		{"BCC a string", nil, headers("BCC", "x"), 406, `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"BCC",longstr}`},
		{"user-id of another", nil, post{key: "q", props: amqp.BasicProperties{UserID: "someone"}},
			406, "PRECONDITION_FAILED - user_id property set to 'someone' but authenticated user was 'guest'"},
		{"reply-to without consumer", nil, post{key: "q", props: amqp.BasicProperties{ReplyTo: replyTo}},
			406, "PRECONDITION_FAILED - fast reply consumer does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p, other := b.peer(), b.peer()
				p.open(2)
				p.queue("q")
				if c.prepare != nil {
					c.prepare(p)
				}
				ask[*amqp.ConfirmSelectOk](p, 1, &amqp.ConfirmSelect{})
				p.fill("q", "before")
				p.wantAck(1, 1, false)
				for _, body := range []string{"m", "", strings.Repeat("long", 50_000)} {
					if c.code.Hard() && body != "m" {
						break // one is enough: the connection is gone
					}
					c.m.body = body
					p.publish(1, c.m)
					p.wantClose(1, c.code, c.text, amqp.IDBasicPublish)
					if !c.code.Hard() {
						p.open(1)
						p.probe(2)
					}
				}
				other.wantBodies("q", "before")
			})
		})
	}
}

func TestBasicPublish_1_8_1_PropertiesComeBack(t *testing.T) {
	props := amqp.BasicProperties{
		ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 3, CorrelationID: "c", ReplyTo: "r",
		Expiration: "60000", MessageID: "m", Timestamp: 1700000000, Type: "t", UserID: "guest", AppID: "app", ClusterID: "cl",
		Headers: amqp.Table{
			{Name: "b", Value: int8(-1)}, {Name: "B", Value: uint8(200)}, {Name: "s", Value: int16(-300)}, {Name: "u", Value: uint16(60000)},
			{Name: "I", Value: int32(-5)}, {Name: "i", Value: uint32(4000000000)}, {Name: "l", Value: int64(1 << 40)},
			{Name: "f", Value: float32(1.5)}, {Name: "d", Value: 2.5}, {Name: "t", Value: true}, {Name: "D", Value: amqp.Decimal{Scale: 2, Value: 314}},
			{Name: "S", Value: "str"}, {Name: "T", Value: amqp.Timestamp(1)}, {Name: "F", Value: table("k", "v")},
			{Name: "A", Value: amqp.Array{"x", int32(1), nil}}, {Name: "V", Value: nil}, {Name: "x", Value: []byte("bytes")},
		},
	}
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		for _, want := range []amqp.BasicProperties{{}, props,
			{Present: amqp.HasContentType | amqp.HasHeaders | amqp.HasCorrelationID | amqp.HasPriority | amqp.HasTimestamp}} {
			p.publish(1, post{key: "q", body: "m", props: want})
			p.b.settle()
			p.send(1, &amqp.BasicGet{Queue: "q", NoAck: true})
			_, e := expectContent[*amqp.BasicGetOk](p, 1)
			sent, err := want.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.props.Append(nil)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("sent %+v, got %+v, %v", want, e.props, err)
			}
		}
	})
}

// Any delivery mode but 2 is transient.
func TestBasicPublish_1_8_1_OddDeliveryMode(t *testing.T) {
	conforms(t, func(b *broker) {
		b.ours("3.10 refuses what is not 1 or 2, 4.x as here")
		p := b.peer()
		p.queue("q")
		for _, mode := range []uint8{0, 1, 3, 255} {
			p.publish(1, post{key: "q", body: "m", props: amqp.BasicProperties{DeliveryMode: mode, Present: amqp.HasDeliveryMode}})
			p.b.settle()
			p.send(1, &amqp.BasicGet{Queue: "q", NoAck: true})
			if _, e := expectContent[*amqp.BasicGetOk](p, 1); e.props.DeliveryMode != mode || !e.props.Present.Has(amqp.HasDeliveryMode) {
				t.Errorf("sent delivery mode %d, got %v", mode, e)
			}
		}
	})
}

func TestBasicPublish_1_8_3_7_ReturnsUnroutableMandatory(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		body := strings.Repeat("long", 100_000)
		p.publish(1, post{key: "absent", body: "not mandatory"}, post{key: "absent", body: "", mandatory: true},
			post{exchange: "amq.topic", key: "absent", body: body, mandatory: true, props: amqp.BasicProperties{
				MessageID: "m", Headers: table("h", int32(1), "CC", amqp.Array{"x"}, "BCC", amqp.Array{"y"})}})
		p.wantReturn(1, "", "absent", "")
		props := p.wantReturn(1, "amq.topic", "absent", body)
		if want := table("h", int32(1), "CC", amqp.Array{"x"}); props.MessageID != "m" || !reflect.DeepEqual(props.Headers, want) {
			t.Errorf("returned with %+v", props)
		}
		p.wantNothing(1)
	})
}

func TestBasicPublish_RabbitMQ_CCAndBCC(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		for _, name := range []string{"a", "b", "c"} {
			p.queue(name)
		}
		headers := table("mine", "kept", "BCC", amqp.Array{"c", int32(5), "absent", "a"}, "CC", amqp.Array{"b", "b"})
		p.publish(1, post{key: "a", body: "m", props: amqp.BasicProperties{Headers: headers, ContentType: "t"}})
		for i, name := range []string{"a", "b", "c"} {
			p.b.settle()
			m, props := p.wantGet(1, name, true, handed{"", uint64(i + 1), false, "m"})
			want := table("mine", "kept", "CC", amqp.Array{"b", "b"})
			if m.RoutingKey != "a" || m.MessageCount != 0 || props.ContentType != "t" || !reflect.DeepEqual(props.Headers, want) {
				t.Errorf("queue %s: got %+v with %+v", name, m, props)
			}
		}
		p.publish(1, post{key: "absent", body: "by CC", mandatory: true, props: amqp.BasicProperties{Headers: table("CC", amqp.Array{"b"})}})
		p.wantBodies("b", "by CC")
		p.publish(1, post{exchange: "amq.fanout", body: "none", mandatory: true, props: amqp.BasicProperties{Headers: table("CC", amqp.Array{"b"})}})
		p.wantReturn(1, "amq.fanout", "", "none")
	})
}

func TestBasicPublish_RabbitMQ_ImpersonatorMaySayWhoItWas(t *testing.T) {
	users := auth.New()
	account := auth.Account{User: auth.User{Name: "guest", Tags: []string{"impersonator"}}, Password: "guest"}
	err := users.Put(account)
	if err == nil {
		err = users.SetPermissions("guest", "/", auth.All)
	}
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, Options{Auth: users}, func(b *broker) {
		p := b.peer()
		q(p)
		p.publish(1, post{key: "q", body: "m", props: amqp.BasicProperties{UserID: "someone"}})
		if _, props := p.wantGet(1, "q", true, handed{"", 1, false, "m"}); props.UserID != "someone" {
			t.Errorf("got user-id %q", props.UserID)
		}
	})
}

func TestBasicPublish_RabbitMQ_OddExpirations(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		p.publish(1, post{key: "q", body: "dead", props: amqp.BasicProperties{Expiration: "0"}})
		for _, s := range []string{"+50000", "315360000000", "0050000"} {
			p.publish(1, post{key: "q", body: s, props: amqp.BasicProperties{Expiration: s}})
		}
		p.wantBodies("q", "+50000", "315360000000", "0050000")
	})
}

func TestBasicPublish_RabbitMQ_MessageTooLarge(t *testing.T) {
	inBubble(t, Options{MaxMessageSize: 1000}, func(b *broker) {
		p := b.peer()
		p.open(2)
		p.queue("q")
		p.fill("q", strings.Repeat("a", 1000))
		p.fill("q", strings.Repeat("a", 1001))
		p.wantClose(1, 406, "PRECONDITION_FAILED - message size 1001 is larger than configured max size 1000", amqp.IDBasicPublish)
		p.wantCounts(2, "q", 1, 0)
	})
}

// A queue that is deleted and declared again is found, though the channel has
// published to its name before.
func TestBasicPublish_1_8_3_7_FollowsTheTopology(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		for range 3 {
			p.fill("q", "nowhere")
			p.queue("q")
			p.fill("q", "1", "2")
			p.wantBodies("q", "1", "2")
			ask[*amqp.QueueDeleteOk](other, 1, &amqp.QueueDelete{Queue: "q"})
			p.publish(1, post{key: "q", body: "m", mandatory: true})
			p.wantReturn(1, "", "q", "m")
		}
		p.queue("q")
		for range 3 {
			p.bind("q", "amq.topic", "follows.#")
			p.publish(1, post{exchange: "amq.topic", key: "follows.it", body: "m", mandatory: true})
			p.wantBodies("q", "m")
			ask[*amqp.QueueUnbindOk](other, 1, &amqp.QueueUnbind{Queue: "q", Exchange: "amq.topic", RoutingKey: "follows.#"})
			p.publish(1, post{exchange: "amq.topic", key: "follows.it", body: "m", mandatory: true})
			p.wantReturn(1, "amq.topic", "follows.it", "m")
		}
	})
}

// A channel's messages stay in order, whichever way they come to a queue.
func TestBasicPublish_4_7_OrderOfAChannel(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		p.bind("q", "amq.fanout", "")
		p.bind("q", "amq.direct", "k")
		var want []string
		for i := range 200 {
			m := post{exchange: []string{"", "amq.fanout", "amq.direct"}[i%3], key: []string{"q", "", "k"}[i%3], body: strings.Repeat("x", i)}
			p.addPost(1, m)
			want = append(want, m.body)
		}
		p.flush()
		p.probe(1)
		p.wantBodies("q", want...)
	})
}
