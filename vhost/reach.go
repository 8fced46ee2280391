package vhost

import (
	"cmp"
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
)

// Reach is where a message would go.
type Reach struct {
	// Queues are by name.
	Queues []exchange.Reached
	// Held are the exchanges that would hold it, and until when.
	Held []HeldUntil
}

// HeldUntil is an exchange that would hold a message.
type HeldUntil struct {
	Exchange string
	Due      time.Time
}

// Reach says where a message would go that is published to an exchange now, by its keys
// and its properties, without publishing it. Whether a queue would take it is another
// matter. The error is 404.
func (v *VHost) Reach(name string, m *amqp.Message) (Reach, error) {
	var result exchange.Result
	v.mu.RLock()
	defer v.mu.RUnlock()
	x := v.exchanges[name]
	if x == nil {
		return Reach{}, v.noExchange(name)
	}
	out := Reach{Queues: result.Explain(&v.topology, x, m)}
	slices.SortFunc(out.Queues, func(a, b exchange.Reached) int { return cmp.Compare(a.Queue.Name(), b.Queue.Name()) })
	for _, h := range result.Held() {
		out.Held = append(out.Held, HeldUntil{h.Exchange.Name(), time.Unix(0, h.Due)})
	}
	return out, nil
}
