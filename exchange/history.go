package exchange

import (
	"math"
	"slices"
	"sync"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/binding"
)

const (
	historyLengthArgument = "x-recent-history-length"
	noStoreHeader         = "x-recent-history-no-store"

	historyLength = 20
	// maxHistory is how many bytes one exchange keeps at most. What makes it more
	// drives out the oldest; a message that is larger by itself drives out all, and
	// is not kept.
	maxHistory = 16 << 20
	// historyOverhead is what a message takes besides its bytes, about.
	historyOverhead = 256
	// routedAgain is how far back a message is looked for that is routed a second
	// time, because a queue was deleted meanwhile.
	routedAgain = 16
)

// historyKind is x-recent-history. What it keeps is in memory only [RabbitMQ].
type historyKind struct {
	*binding.Fanout[Destination]
	limit int // messages

	// mu is a leaf: messages are routed, and so kept, under the read lock of the
	// topology only.
	mu       sync.Mutex
	messages []*amqp.Message // oldest first, from first on
	first    int
	bytes    int
}

func (k *historyKind) configure(x *Exchange) error {
	k.limit = historyLength
	v, ok := x.options.Arguments.Get(historyLengthArgument)
	if !ok {
		return nil
	}
	n, isInt := amqp.Int(v)
	if !isInt || n <= 0 {
		return amqp.PreconditionFailed("Invalid argument %s, '%s' must be a positive integer",
			amqp.Term(v), historyLengthArgument)
	}
	k.limit = int(min(n, math.MaxInt32)) // maxHistory is reached before
	return nil
}

func (k *historyKind) match(msg *amqp.Message, r *Result) {
	r.notByKey = true // each message must come by
	if v, _ := r.headers(msg).Get(noStoreHeader); v != true {
		k.keep(msg)
	}
	r.matched = k.Match(r.matched)
}

func (k *historyKind) keep(msg *amqp.Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	live := k.messages[k.first:]
	if slices.Contains(live[max(0, len(live)-routedAgain):], msg) {
		return
	}
	k.messages = append(k.messages, msg)
	k.bytes += historySize(msg)
	for len(k.messages)-k.first > k.limit || k.bytes > maxHistory {
		k.bytes -= historySize(k.messages[k.first])
		k.messages[k.first] = nil
		k.first++
	}
	if k.first > len(k.messages)/2 {
		k.messages = slices.Delete(k.messages, 0, k.first)
		k.first = 0
	}
}

// kept returns the messages, oldest first.
func (k *historyKind) kept() []*amqp.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.messages[k.first:])
}

func historySize(m *amqp.Message) int {
	return historyOverhead + len(m.RoutingKey) + len(m.Properties) + len(m.Body)
}
