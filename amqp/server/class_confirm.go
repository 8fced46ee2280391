package server

import "github.com/leveretmq/leveret/amqp"

func (ch *channel) classConfirm(m amqp.Method) error {
	if m, ok := m.(*amqp.ConfirmSelect); ok {
		return ch.confirmSelect(m)
	}
	return unimplemented()
}

// confirmSelect puts the channel in confirm mode; once more is harmless
// [RabbitMQ: publisher confirms].
func (ch *channel) confirmSelect(m *amqp.ConfirmSelect) error {
	if ch.tx != nil {
		return amqp.PreconditionFailed("cannot switch from tx to confirm mode")
	}
	ch.confirms.on = true
	ch.showFace()
	ch.answer(m.NoWait, &amqp.ConfirmSelectOk{})
	return nil
}
