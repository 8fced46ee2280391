package server

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/queue"
)

func (ch *channel) classBasic(m amqp.Method) error {
	switch m := m.(type) {
	case *amqp.BasicQos:
		return ch.basicQos(m)
	case *amqp.BasicConsume:
		return ch.basicConsume(m)
	case *amqp.BasicCancel:
		return ch.basicCancel(m)
	case *amqp.BasicCancelOk:
		return nil // an answer to our own cancel, which asks for none
	case *amqp.BasicGet:
		return ch.basicGet(m)
	case *amqp.BasicAck:
		return ch.basicAck(m)
	case *amqp.BasicReject:
		return ch.basicReject(m)
	case *amqp.BasicNack:
		return ch.basicNack(m)
	case *amqp.BasicRecover:
		return ch.basicRecover(m)
	case *amqp.BasicRecoverAsync:
		return ch.basicRecoverAsync(m)
	}
	return unimplemented()
}

// basicQos sets the limit for consumers to come, or with global the one that all
// consumers of the channel share, as RabbitMQ reads it [1.8.3.1].
func (ch *channel) basicQos(m *amqp.BasicQos) error {
	if m.PrefetchSize != 0 {
		return amqp.NotImplemented("prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	if !m.Global {
		ch.prefetch = int(m.PrefetchCount)
		ch.showFace()
		ch.send(&amqp.BasicQosOk{})
		return nil
	}
	out := &ch.conn.out
	out.mu.Lock()
	ch.globalPrefetch = int(m.PrefetchCount)
	ready := ch.fedLocked(nil)
	out.mu.Unlock()
	ch.send(&amqp.BasicQosOk{})
	ch.makeReady(ready)
	return nil
}

// basicConsume starts a consumer [1.8.3.3]. Its first delivery comes after
// consume-ok.
func (ch *channel) basicConsume(m *amqp.BasicConsume) error {
	reply := isReplyTo(m.Queue)
	switch {
	case m.ConsumerTag == "":
		m.ConsumerTag = vhost.ServerName("amq.ctag-")
	case reply && ch.reply != nil && ch.replyTag == m.ConsumerTag:
		// consumeReply has a softer word for it, as RabbitMQ has.
	case ch.hasConsumer(m.ConsumerTag):
		return amqp.NotAllowed("attempt to reuse consumer tag '%s'", m.ConsumerTag)
	}
	if err := ch.checkConsumers(); err != nil {
		return err
	}
	if reply {
		return ch.consumeReply(m)
	}
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	if err := ch.mayQueue(auth.Read, name); err != nil {
		return err
	}
	q, err := ch.conn.vhost.Queue(name, ch.conn.id)
	if err != nil {
		return err
	}
	return ch.consume(q, m)
}

// consume enters the consumer in its queue and in the channel.
func (ch *channel) consume(q *queue.Queue, m *amqp.BasicConsume) error {
	vhost := ch.conn.vhost.Name()
	priority, err := queue.ConsumerPriority(vhost, q.Name(), m.Arguments)
	if err != nil {
		return err
	}
	timeout, hasTimeout, err := queue.ConsumerTimeout(vhost, q.Name(), m.Arguments)
	if err != nil {
		return err
	}
	con := &consumer{ch: ch, tag: m.ConsumerTag, noAck: m.NoAck, prefetch: ch.prefetch, queue: q}
	spec := queue.Spec{
		Key:      queue.Key{Connection: ch.conn.id, Channel: ch.number, Tag: m.ConsumerTag},
		Receiver: con, NoAck: m.NoAck, Exclusive: m.Exclusive, Priority: priority,
		Timeout: timeout, HasTimeout: hasTimeout, Prefetch: uint16(ch.prefetch), Arguments: m.Arguments,
	}
	if con.handle, err = q.Consume(spec); err != nil {
		return err
	}
	con.tellCreated(&spec)
	if ch.enter(con, m.NoWait) {
		ch.conn.fx.Wake(&ch.conn.out)
	}
	q.Ready(con.handle, &ch.conn.fx)
	return nil
}

// enter takes a consumer into the channel and tells the client, in one step: when
// its queue is deleted, by whomever, the cancel must come behind consume-ok.
func (ch *channel) enter(con *consumer, noWait bool) (owesWake bool) {
	out := &ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if !noWait {
		// The tag came off the wire or is our own, so it can be encoded.
		owesWake, _ = out.sendLocked(ch.number, &amqp.BasicConsumeOk{ConsumerTag: con.tag})
	}
	if con.cancelled { // it is gone already
		return con.notifyLocked() || owesWake
	}
	ch.consumers[con.tag] = con
	return owesWake
}

// checkConsumers refuses one consumer too many. That of direct reply-to does not
// count [RabbitMQ: consumer_max_per_channel].
func (ch *channel) checkConsumers() error {
	limit := ch.conn.srv.opts.MaxConsumersPerChannel
	if limit == 0 {
		return nil
	}
	ch.conn.out.mu.Lock()
	n := len(ch.consumers)
	if ch.reply != nil {
		n--
	}
	ch.conn.out.mu.Unlock()
	if n >= limit {
		return amqp.NotAllowed("reached maximum (%d) of consumers per channel", limit)
	}
	return nil
}

func (ch *channel) hasConsumer(tag string) bool {
	ch.conn.out.mu.Lock()
	defer ch.conn.out.mu.Unlock()
	return ch.consumers[tag] != nil
}

// basicCancel ends a consumer. What it has unacked stays unacked, and a tag that
// is not known is fine [1.8.3.5].
func (ch *channel) basicCancel(m *amqp.BasicCancel) error {
	if ch.reply != nil && ch.replyTag == m.ConsumerTag {
		ch.closeReply()
	} else {
		out := &ch.conn.out
		out.mu.Lock()
		con := ch.consumers[m.ConsumerTag]
		if con != nil {
			con.cancelled = true
			delete(ch.consumers, m.ConsumerTag)
		}
		out.mu.Unlock()
		if con != nil {
			con.queue.Cancel(con.handle, &ch.conn.fx)
			con.tellDeleted(ch.conn.user.Name)
		}
	}
	ch.answer(m.NoWait, &amqp.BasicCancelOk{ConsumerTag: m.ConsumerTag})
	return nil
}

// basicGet hands over one message [1.8.3.10]. Prefetch does not limit it.
func (ch *channel) basicGet(m *amqp.BasicGet) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	if err := ch.mayQueue(auth.Read, name); err != nil {
		return err
	}
	q, err := ch.conn.vhost.Queue(name, ch.conn.id)
	if err != nil {
		return err
	}
	if err := q.CheckGet(); err != nil {
		return err
	}
	d, left, ok := q.Get(m.NoAck, &ch.conn.fx)
	if !ok {
		ch.count(tallyGetEmpty, 1)
		ch.send(&amqp.BasicGetEmpty{})
		return nil
	}
	out := &ch.conn.out
	out.mu.Lock()
	ch.lastTag++
	ch.sent.noteGot(m.NoAck, d.Redelivered)
	if !m.NoAck {
		ch.unacked.add(entry{ch.lastTag, q, d.ID, nil})
	}
	before := out.beginLocked()
	out.buf = amqp.AppendGetOk(out.buf, ch.number, ch.lastTag, d.Redelivered,
		d.Message.Exchange, d.Message.RoutingKey, uint32(left))
	out.contentLocked(ch.number, propertiesOf(&d), d.Message.Body, ch.conn.frameMax)
	owesWake := out.noteLocked(before, false)
	out.mu.Unlock()
	if owesWake {
		ch.conn.fx.Wake(out)
	}
	if ch.conn.vhost.Tracing() {
		ch.tracer().deliver(&d, q.Name(), &ch.conn.fx)
	}
	return nil
}

func (ch *channel) basicAck(m *amqp.BasicAck) error { // [1.8.3.13]
	return ch.settle(m.DeliveryTag, m.Multiple, ack)
}

func (ch *channel) basicReject(m *amqp.BasicReject) error { // [1.8.3.14]
	if m.Requeue {
		return ch.settle(m.DeliveryTag, false, requeueRejected)
	}
	return ch.settle(m.DeliveryTag, false, reject)
}

func (ch *channel) basicNack(m *amqp.BasicNack) error { // RabbitMQ's extension
	if m.Requeue {
		return ch.settle(m.DeliveryTag, m.Multiple, requeueNacked)
	}
	return ch.settle(m.DeliveryTag, m.Multiple, reject)
}

// basicRecover requeues all that the channel has unacked; recover-ok comes
// first, then the redeliveries [1.8.3.16].
func (ch *channel) basicRecover(m *amqp.BasicRecover) error {
	if !m.Requeue {
		return amqp.NotImplemented("requeue=false")
	}
	ch.send(&amqp.BasicRecoverOk{})
	ch.requeueUnacked()
	return nil
}

func (ch *channel) basicRecoverAsync(m *amqp.BasicRecoverAsync) error { // [1.8.3.15]
	if !m.Requeue {
		return amqp.NotImplemented("requeue=false")
	}
	ch.requeueUnacked()
	return nil
}
