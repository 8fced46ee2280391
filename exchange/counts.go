package exchange

import "sync/atomic"

// counts are how many messages were published to an exchange, and how many copies of
// them went to queues.
type counts struct{ in, out atomic.Uint64 }

// Count adds messages that were published to the exchange, and their copies that went
// to queues. It may be called at any time.
func (x *Exchange) Count(in, out uint64) {
	x.counts.in.Add(in)
	x.counts.out.Add(out)
}

// Counts returns how many messages were published to the exchange, and how many copies
// of them went to queues, directly or by way of other exchanges: RabbitMQ's publish_in
// and publish_out. What comes by a binding from another exchange counts there.
func (x *Exchange) Counts() (in, out uint64) { return x.counts.in.Load(), x.counts.out.Load() }
