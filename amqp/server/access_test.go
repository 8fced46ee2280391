package server

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost/auth"
)

// access is a method with the rights that it takes, and how it is refused for want of
// each of them.
type access struct {
	name                   string
	m                      amqp.Method
	configure, write, read string
	lacks                  []lack
}

type lack struct{ configure, write, read, verb, what string }

var accesses = []access{
	{"exchange.declare", &amqp.ExchangeDeclare{Exchange: "new", Type: "direct"}, "^new$", "", "", []lack{{"^ne$", ".*", ".*", "configure", "exchange 'new'"}}},
	{"exchange.declare of one that is there", &amqp.ExchangeDeclare{Exchange: "x", Type: "topic"}, "^x$", "", "", []lack{{"", ".*", ".*", "configure", "exchange 'x'"}}},
	{"exchange.declare with an alternate", &amqp.ExchangeDeclare{Exchange: "new", Type: "direct", Arguments: table("alternate-exchange", "ae")}, "^new$", "^ae$", "^new$",
		[]lack{{"new", "ae", "ae", "read", "exchange 'new'"}, {"new", "new", "new", "write", "exchange 'ae'"}, {"ae", "ae", "new", "configure", "exchange 'new'"}}},
	{"exchange.delete", &amqp.ExchangeDelete{Exchange: "x"}, "^x$", "", "", []lack{{"y", ".*", ".*", "configure", "exchange 'x'"}}},
	{"exchange.delete of none", &amqp.ExchangeDelete{Exchange: "absent"}, "absent", "", "", []lack{{"y", ".*", ".*", "configure", "exchange 'absent'"}}},
	{"exchange.bind", &amqp.ExchangeBind{Destination: "y", Source: "x"}, "", "^y$", "^x$", []lack{{".*", "x", ".*", "write", "exchange 'y'"}, {".*", ".*", "y", "read", "exchange 'x'"}}},
	{"exchange.unbind", &amqp.ExchangeUnbind{Destination: "y", Source: "x"}, "", "^y$", "^x$", []lack{{".*", "x", ".*", "write", "exchange 'y'"}, {".*", ".*", "y", "read", "exchange 'x'"}}},
	{"queue.declare", &amqp.QueueDeclare{Queue: "new"}, "^new$", "", "", []lack{{"q", ".*", ".*", "configure", "queue 'new'"}}},
	{"queue.declare of one that is there", &amqp.QueueDeclare{Queue: "q"}, "^q$", "", "", []lack{{"", ".*", ".*", "configure", "queue 'q'"}}},
	{"queue.declare with dead letters", &amqp.QueueDeclare{Queue: "new", Arguments: table("x-dead-letter-exchange", "dlx")}, "new", "^dlx$", "^new$",
		[]lack{{"new", "dlx", "dlx", "read", "queue 'new'"}, {"new", "new", "new", "write", "exchange 'dlx'"}}},
	{"queue.declare with dead letters to the default exchange", &amqp.QueueDeclare{Queue: "new", Arguments: table("x-dead-letter-exchange", "")}, "new", "^amq.default$", "^new$",
		[]lack{{"new", "^$", "new", "write", "exchange 'amq.default'"}}},
	{"queue.delete", &amqp.QueueDelete{Queue: "q"}, "^q$", "", "", []lack{{"x", ".*", ".*", "configure", "queue 'q'"}}},
	{"queue.purge", &amqp.QueuePurge{Queue: "q"}, "", "", "^q$", []lack{{".*", ".*", "x", "read", "queue 'q'"}}},
	{"queue.bind", &amqp.QueueBind{Queue: "q", Exchange: "x"}, "", "^q$", "^x$", []lack{{".*", "x", ".*", "write", "queue 'q'"}, {".*", ".*", "q", "read", "exchange 'x'"}}},
	{"queue.unbind", &amqp.QueueUnbind{Queue: "q", Exchange: "x"}, "", "^q$", "^x$", []lack{{".*", "x", ".*", "write", "queue 'q'"}, {".*", ".*", "q", "read", "exchange 'x'"}}},
	{"basic.get", &amqp.BasicGet{Queue: "q"}, "", "", "^q$", []lack{{".*", ".*", "", "read", "queue 'q'"}}},
	{"basic.consume", &amqp.BasicConsume{Queue: "q"}, "", "", "^q$", []lack{{".*", ".*", "x", "read", "queue 'q'"}}},
}

func TestAccess_RabbitMQ_RightsOfMethods(t *testing.T) {
	for _, c := range accesses {
		t.Run(c.name, func(t *testing.T) {
			withAnn(t, func(b *broker) {
				guest := b.peer()
				guest.queue("q")
				for _, x := range []string{"x", "y", "ae", "dlx"} {
					guest.exchange(x, "topic")
				}
				b.allow("", "", "")
				p := b.ann()
				for _, l := range c.lacks {
					b.allow(l.configure, l.write, l.read)
					p.send(1, c.m)
					p.wantClose(1, 403, b.denied(l.verb, l.what), idOf(c.m))
					p.open(1)
				}
				b.allow(c.configure, c.write, c.read)
				p.send(1, c.m)
				p.answered(c.name)
			})
		})
	}
}

// A passive declare takes no right, up to RabbitMQ 4.2.
func TestAccess_RabbitMQ_PassiveDeclares(t *testing.T) {
	withAnn(t, func(b *broker) {
		b.peer().queue("q")
		b.allow("", "", "")
		p := b.ann()
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Passive: true})
		ask[*amqp.ExchangeDeclareOk](p, 1, &amqp.ExchangeDeclare{Exchange: "amq.topic", Passive: true})
	})
}

func TestAccess_RabbitMQ_ServerNamedQueues(t *testing.T) {
	withAnn(t, func(b *broker) {
		b.allow(`^amq\.gen`, "", "")
		p := b.ann()
		name := ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Exclusive: true}).Queue
		p.send(1, &amqp.BasicGet{Queue: name})
		p.wantClose(1, 403, b.denied("read", "queue '"+name+"'"), amqp.IDBasicGet)
	})
}

func TestAccess_RabbitMQ_Publish(t *testing.T) {
	withAnn(t, func(b *broker) {
		guest := b.peer()
		guest.queue("q")
		b.allow("", "^amq.direct$", "")
		p := b.ann()
		p.publish(1, post{exchange: "amq.direct", key: "q", body: "routed nowhere"})
		p.probe(1)
		p.publish(1, post{key: "q", body: "m"})
		p.wantClose(1, 403, b.denied("write", "exchange 'amq.default'"), amqp.IDBasicPublish)
		p.open(1)
		p.publish(1, post{exchange: "absent", body: "m"}) // whether it exists is not to be learned
		p.wantClose(1, 403, b.denied("write", "exchange 'absent'"), amqp.IDBasicPublish)
		b.allow("", "absent|^amq.default$", "")
		p.open(1)
		p.publish(1, post{exchange: "absent", body: "m"})
		p.wantClose(1, 404, "NOT_FOUND - no exchange 'absent' in vhost '/'", amqp.IDBasicPublish)
		p.open(1)
		p.publish(1, post{key: "q", body: "let through"})
		p.probe(1)
		guest.wantBodies("q", "let through")
	})
}

// Rights hold for open channels as soon as they change. RabbitMQ's channels go on with
// what they remember until they are idle.
func TestAccess_ChangesHoldAtOnce(t *testing.T) {
	withAnn(t, func(b *broker) {
		b.ours("RabbitMQ's channels remember what was allowed until they are idle")
		guest := b.peer()
		guest.queue("q")
		b.allow(".*", ".*", ".*")
		p := b.ann()
		p.publish(1, post{key: "q", body: "1"})
		p.publish(1, post{key: "q", body: "2"})
		p.wantGet(1, "q", true, handed{"", 1, false, "1"})
		b.allow(".*", "", "")
		p.publish(1, post{key: "q", body: "3"})
		p.wantClose(1, 403, b.denied("write", "exchange 'amq.default'"), amqp.IDBasicPublish)
		p.open(1)
		p.send(1, &amqp.BasicGet{Queue: "q"})
		p.wantClose(1, 403, b.denied("read", "queue 'q'"), amqp.IDBasicGet)
		b.must(b.srv.VHosts().DeletePermissions("ann", "/"))
		p.open(1) // the connection stays
		p.send(1, &amqp.QueueDeclare{Queue: "new"})
		p.wantClose(1, 403, b.denied("configure", "queue 'new'"), amqp.IDQueueDeclare)
		b.allow("", ".*", "")
		p.open(1)
		p.publish(1, post{key: "q", body: "4"})
		p.probe(1)
		guest.wantBodies("q", "2", "4")
	})
}

func TestAccess_RabbitMQ_Topics(t *testing.T) {
	withAnn(t, func(b *broker) {
		guest := b.peer()
		guest.queue("q")
		guest.bind("q", "amq.topic", "#")
		guest.exchange("free", "topic")
		b.allow(".*", ".*", ".*")
		b.allowTopic("amq.topic", "^{username}\\.", "^a\\.")
		b.allowTopic("amq.direct", "^$", "^$") // is no topic exchange
		p := b.ann()
		p.publish(1, post{exchange: "amq.topic", key: "ann.1", body: "m"}, post{exchange: "amq.direct", key: "any"}, post{exchange: "free", key: "any"})
		ask[*amqp.QueueBindOk](p, 1, &amqp.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a.*"})
		ask[*amqp.QueueBindOk](p, 1, &amqp.QueueBind{Queue: "q", Exchange: "amq.direct", RoutingKey: "b"})
		ask[*amqp.QueueUnbindOk](p, 1, &amqp.QueueUnbind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a.*"})
		p.publish(1, post{exchange: "amq.topic", key: "bob.1", body: "m"})
		p.wantClose(1, 403, b.denied("write", "topic 'bob.1' in exchange 'amq.topic'"), amqp.IDBasicPublish)
		p.open(1)
		p.send(1, &amqp.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "b"})
		p.wantClose(1, 403, b.denied("read", "topic 'b' in exchange 'amq.topic'"), amqp.IDQueueBind)
		p.open(1)
		p.send(1, &amqp.QueueUnbind{Queue: "q", Exchange: "amq.topic", RoutingKey: "#"})
		p.wantClose(1, 403, b.denied("read", "topic '#' in exchange 'amq.topic'"), amqp.IDQueueUnbind)
		p.open(1)
		p.send(1, &amqp.ExchangeBind{Destination: "amq.fanout", Source: "amq.topic", RoutingKey: "b"})
		p.wantClose(1, 403, b.denied("read", "topic 'b' in exchange 'amq.topic'"), amqp.IDExchangeBind)
		guest.wantBodies("q", "m")
		b.ours("RabbitMQ 3.10 does not look at CC")
		for _, header := range []string{"CC", "BCC"} {
			p.open(1)
			p.publish(1, post{exchange: "amq.topic", key: "ann.1", body: "m", props: amqp.BasicProperties{Headers: table(header, amqp.Array{"ann.2", "bob.2"})}})
			p.wantClose(1, 403, b.denied("write", "topic 'bob.2' in exchange 'amq.topic'"), amqp.IDBasicPublish)
		}
		guest.wantBodies("q")
	})
}

// One channel asks for more than it remembers, in turns.
func TestAccess_MoreThanIsRemembered(t *testing.T) {
	withAnn(t, func(b *broker) {
		b.allow("^[a-t]$", "^[a-t]$", "^[a-t]$")
		p := b.ann()
		for range 2 {
			for c := 'a'; c <= 't'; c++ {
				ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: string(c)})
				ask[*amqp.QueuePurgeOk](p, 1, &amqp.QueuePurge{Queue: string(c)})
			}
		}
		p.send(1, &amqp.QueueDeclare{Queue: "u"})
		p.wantClose(1, 403, b.denied("configure", "queue 'u'"), amqp.IDQueueDeclare)
	})
}

func TestConnectionOpen_RabbitMQ_VHostAccess(t *testing.T) {
	withAnn(t, func(b *broker) {
		b.refused(ann, "access to vhost '/' refused for user 'ann'")
		b.allow("", "", "")
		b.ann()
	})
}

// deciding is a program that decides itself who may log in, and no more.
type deciding struct{ panicky }

// opinionated decides what users may do, too.
type opinionated struct {
	panicky
	rights *auth.Rights
}

func (o opinionated) Rights(user, vhost string) *auth.Rights {
	if vhost == "/" && user == "guest" {
		return o.rights
	}
	return nil
}

func (o opinionated) RightsVersion() uint64 { return 1 }

func TestOptions_AuthWithoutRightsMayDoAll(t *testing.T) {
	inBubble(t, Options{Auth: deciding{}}, func(b *broker) {
		_, err := b.srv.VHosts().AddVHost("v")
		b.must(err)
		p := b.connect(client{vhost: "v"})
		p.open(1)
		p.queue("q")
		p.publish(1, post{key: "q", body: "m"})
		p.wantBodies("q", "m")
		if n := len(b.srv.VHosts().Users()); n != 0 {
			t.Errorf("there are %d users whom nobody asked for", n)
		}
	})
}

func TestOptions_AuthWithRights(t *testing.T) {
	rights, err := auth.NewRights(auth.Permissions{Configure: "^mine", Write: ".*", Read: "^mine"})
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, Options{Auth: opinionated{rights: rights}}, func(b *broker) {
		p := b.peer()
		p.queue("mine")
		p.send(1, &amqp.QueueDeclare{Queue: "other"})
		p.wantClose(1, 403, "ACCESS_REFUSED - configure access to queue 'other' in vhost '/' refused for user 'guest'", amqp.IDQueueDeclare)
		_, err := b.srv.VHosts().AddVHost("v")
		b.must(err)
		p = b.greeted()
		tune := ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
		p.send(0, client{}.tuneOk(tune), &amqp.ConnectionOpen{VirtualHost: "v"})
		p.wantClose(0, 530, "NOT_ALLOWED - access to vhost 'v' refused for user 'guest'", amqp.IDConnectionOpen)
	})
}

func TestOptions_FirstUser(t *testing.T) {
	first := FirstUser{Name: "root", Password: "toor", VHost: "v"}
	inBubble(t, Options{FirstUser: first, LoopbackUsers: []string{}}, func(b *broker) {
		p := b.connect(client{mechanism: "PLAIN", response: "\x00root\x00toor", vhost: "v"})
		p.open(1)
		p.queue("q")
		if users := b.srv.VHosts().Users(); len(users) != 1 {
			t.Errorf("users are %v", users)
		}
	})
	inBubble(t, Options{FirstUser: FirstUser{None: true}}, func(b *broker) {
		if users := b.srv.VHosts().Users(); len(users) != 0 {
			t.Errorf("users are %v", users)
		}
	})
}

// Who guesses passwords waits the longer the more of them were wrong, and the log
// has none of them.
func TestLogin_FailuresCostTime(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		const text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."
		for i := range 12 {
			p, start := b.greeted(), time.Now()
			p.send(0, client{mechanism: "PLAIN", response: "\x00guest\x00hunter2"}.startOk())
			p.wantClose(0, 403, text, 0)
			took := time.Since(start)
			if least := time.Duration(min(i, 2)+1) * 150 * time.Millisecond; took < least || took > 3*time.Second {
				t.Errorf("failure %d took %s", i+1, took)
			}
		}
		start := time.Now()
		b.peer() // from this machine nobody is shut out
		if took := time.Since(start); took > 0 {
			t.Errorf("a login that is right took %s", took)
		}
		if log := b.log.String(); strings.Contains(log, "hunter2") || !strings.Contains(log, "user 'guest' - invalid credentials") {
			t.Errorf("the log:\n%s", log)
		}
		p := b.greeted()
		p.send(0, client{mechanism: "PLAIN", response: "\x00guest\x00"}.startOk())
		synctest.Wait()
		start = time.Now()
		b.srv.Close()
		if took := time.Since(start); took > 0 {
			t.Errorf("the broker waited %s for a login that is held back", took)
		}
	})
}

// The users of a store are those of the next broker that opens it.
func TestOptions_UsersComeBack(t *testing.T) {
	store := memory.New()
	inBubbleWith(t, func() Options { return Options{Store: store} }, func(b *broker) {
		b.putUser("ann")
		b.allow("", "", "^q$")
		b.must(b.srv.VHosts().DeleteUser("guest"))
	})
	inBubbleWith(t, func() Options { return Options{Store: store.Reopen(), FirstUser: FirstUser{Name: "root"}} }, func(b *broker) {
		p := b.ann()
		p.send(1, &amqp.BasicGet{Queue: "q"})
		p.wantClose(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", amqp.IDBasicGet)
		if users := b.srv.VHosts().Users(); len(users) != 1 {
			t.Errorf("users are %v", users)
		}
	})
}
