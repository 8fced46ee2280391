package vhost

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// TraceExchange is the exchange of a vhost to which a copy of each message goes that is
// published or delivered there while the vhost is traced [RabbitMQ: firehose].
const TraceExchange = "amq.rabbitmq.trace"

// SetTracing says whether the messages of the vhost are to be traced. It is not stored:
// as in RabbitMQ tracing, which costs a lot, ends with the broker. The error is 320 when
// the vhost is deleted.
func (v *VHost) SetTracing(on bool) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if err := v.checkOpenLocked(); err != nil {
		return err
	}
	v.tracing.Store(on)
	return nil
}

// Tracing reports whether the messages of the vhost are to be traced.
func (v *VHost) Tracing() bool { return v.tracing.Load() }

// post publishes what the broker has to say itself. A message for an exchange that is
// not there is dropped.
func (v *VHost) post(posts []*amqp.Message, fx *queue.Effects) {
	r := v.routers.Get().(*Router)
	for _, m := range posts {
		if x := v.ExchangeNamed(m.Exchange); x != nil {
			r.deliver(x, m, Ticket{}, fx, nil)
		}
	}
	r.forget()
	v.routers.Put(r)
}
