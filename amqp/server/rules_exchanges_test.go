package server_test

import (
	"fmt"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// spread declares an exchange and queues that are bound to it with these keys.
func spread(b *bed, kind string, args amqp091.Table, keys ...string) (exchange string, queues []string) {
	b.t.Helper()
	exchange = b.exchange(kind, args)
	for _, key := range keys {
		queue := exclusive(b.t, b.ch, nil)
		must(b.t, b.ch.QueueBind(queue, key, exchange, false, nil))
		queues = append(queues, queue)
	}
	return exchange, queues
}

// homes publishes messages with bodies and keys 0 to n-1 and says which queue got
// each, once.
func homes(b *bed, exchange string, queues []string, n int) map[string]int {
	b.t.Helper()
	for i := range n {
		if !b.send(exchange, fmt.Sprint(i), text(fmt.Sprint(i))) {
			b.t.Fatal("refused")
		}
	}
	home := map[string]int{}
	for i, queue := range queues {
		for _, body := range drain(b.t, b.ch, queue) {
			if _, twice := home[body]; twice {
				b.t.Errorf("two queues got %s", body)
			}
			home[body] = i
		}
	}
	if len(home) != n {
		b.t.Errorf("%d of %d messages came", len(home), n)
	}
	return home
}

// sizes is how many messages each queue got.
func sizes(home map[string]int, queues int) []int {
	n := make([]int, queues)
	for _, i := range home {
		n[i]++
	}
	return n
}

func TestRules_ConsistentHash_Weights(t *testing.T) {
	b := bare(t)
	x, queues := spread(b, "x-consistent-hash", nil, "1", "9")
	home := homes(b, x, queues, 500)
	if n := sizes(home, 2); n[0] == 0 || n[1] < 3*n[0] {
		t.Errorf("the weights 1 and 9 get %v", n)
	}
	for body, i := range homes(b, x, queues, 500) {
		if home[body] != i {
			t.Errorf("%s goes elsewhere the second time", body)
		}
	}
}

// When a queue leaves, only its own keys move; when it comes back they do, too.
func TestRules_ConsistentHash_KeysStay(t *testing.T) {
	b := bare(t)
	x, queues := spread(b, "x-consistent-hash", nil, "10", "10", "10")
	before := homes(b, x, queues, 300)
	must(t, b.ch.QueueUnbind(queues[2], "10", x, nil))
	without := homes(b, x, queues, 300)
	for body, i := range without {
		if before[body] != 2 && before[body] != i || i == 2 {
			t.Fatalf("%s went to queue %d, and now to %d", body, before[body], i)
		}
	}
	must(t, b.ch.QueueBind(queues[2], "10", x, false, nil))
	for body, i := range homes(b, x, queues, 300) {
		if before[body] != i {
			t.Fatalf("%s went to queue %d, and now to %d", body, before[body], i)
		}
	}
}

// A message without the header or the property goes somewhere, always the same.
func TestRules_ConsistentHash_Headers(t *testing.T) {
	b := bare(t)
	for name, with := range map[string]func(i int) amqp091.Publishing{
		"hash-header": func(i int) amqp091.Publishing {
			return text(fmt.Sprint(i), headers(amqp091.Table{"id": fmt.Sprint(i % 50)}))
		},
		"hash-property": func(i int) amqp091.Publishing {
			m := text(fmt.Sprint(i))
			m.MessageId = fmt.Sprint(i % 50)
			return m
		},
	} {
		value := "id"
		if name == "hash-property" {
			value = "message_id"
		}
		x, queues := spread(b, "x-consistent-hash", amqp091.Table{name: value}, "5", "5", "5")
		for i := range 100 {
			b.send(x, "another key "+fmt.Sprint(i), with(i))
		}
		of := map[int]int{}
		used := 0
		for n, queue := range queues {
			bodies := drain(t, b.ch, queue)
			if len(bodies) > 0 {
				used++
			}
			for _, body := range bodies {
				var i int
				_, _ = fmt.Sscan(body, &i)
				if at, ok := of[i%50]; ok && at != n {
					t.Errorf("%s: %d is in two queues", name, i%50)
				}
				of[i%50] = n
			}
		}
		if used < 2 || len(of) != 50 {
			t.Errorf("%s: %d queues have messages, of %d keys", name, used, len(of))
		}
	}
}

func TestRules_ConsistentHash_BadWeights(t *testing.T) {
	b := bare(t)
	x, _ := spread(b, "x-consistent-hash", nil)
	queue := exclusive(t, b.ch, nil)
	for key, text := range map[string]string{
		"a": `The binding key must be an integer: <<"a">>`, "": "The binding key must be an integer: <<>>",
		"0": "The binding key must be greater than 0", "-5": "The binding key must be greater than 0", "1.5": `The binding key must be an integer: <<"1.5">>`,
	} {
		wantError(t, channel(t, b.conn).QueueBind(queue, key, x, false, nil), 406, "PRECONDITION_FAILED - "+text)
	}
	if home := homesOfNone(b, x); home {
		t.Error("it was bound nevertheless")
	}
}

// homesOfNone reports whether a message to the exchange finds a queue.
func homesOfNone(b *bed, exchange string) bool {
	b.t.Helper()
	ch := channel(b.t, b.conn)
	defer ch.Close()
	must(b.t, ch.Confirm(false))
	returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 1))
	publish(b.t, ch, exchange, "k", text("m"))
	next(b.t, confirms)
	select {
	case <-returns:
		return false
	default:
		return true
	}
}

func TestRules_ModulusHash(t *testing.T) {
	b := bare(t)
	x, queues := spread(b, "x-modulus-hash", nil, "", "", "")
	home := homes(b, x, queues, 200)
	for _, n := range sizes(home, 3) {
		if n == 0 {
			t.Errorf("the queues get %v", sizes(home, 3))
		}
	}
	for body, i := range homes(b, x, queues, 200) {
		if home[body] != i {
			t.Fatalf("%s goes elsewhere the second time", body)
		}
	}
}

func TestRules_Random(t *testing.T) {
	b := bare(t)
	x, queues := spread(b, "x-random", nil, "", "a", "b")
	for _, n := range sizes(homes(b, x, queues, 200), 3) {
		if n < 20 { // of 67 to be expected
			t.Errorf("a queue got %d of 200", n)
		}
	}
}

func TestRules_RecentHistory(t *testing.T) {
	for name, rule := range map[string]struct {
		args amqp091.Table
		sent int
		want []string
	}{
		"20 if nothing is said": {nil, 25, []string{"5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20",
			"21", "22", "23", "24"}},
		"as many as asked for": {amqp091.Table{"x-recent-history-length": 2}, 5, []string{"3", "4"}},
		"more than there are":  {amqp091.Table{"x-recent-history-length": int64(10)}, 2, []string{"0", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := bare(t)
			x, queues := spread(b, "x-recent-history", rule.args, "")
			for n := range rule.sent {
				b.send(x, "k", text(fmt.Sprint(n)))
			}
			b.send(x, "k", text("secret", headers(amqp091.Table{"x-recent-history-no-store": true})))
			if n := len(drain(t, b.ch, queues[0])); n != rule.sent+1 {
				t.Errorf("who was there got %d", n)
			}
			b.queue = exclusive(t, b.ch, nil)
			must(t, b.ch.QueueBind(b.queue, "", x, false, nil))
			until(t, "the history comes", func() bool { return b.readyCount() == len(rule.want) })
			b.wantReady(rule.want...)
			b.send(x, "k", text("new"))
			b.wantReady("new")
		})
	}
}
