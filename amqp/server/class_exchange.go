package server

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
)

func (ch *channel) classExchange(m amqp.Method) error {
	ch.conn.beforeStored()
	switch m := m.(type) {
	case *amqp.ExchangeDeclare:
		return ch.exchangeDeclare(m)
	case *amqp.ExchangeDelete:
		return ch.exchangeDelete(m)
	case *amqp.ExchangeBind:
		return ch.exchangeBind(m)
	case *amqp.ExchangeUnbind:
		return ch.exchangeUnbind(m)
	}
	return unimplemented()
}

func (ch *channel) exchangeDeclare(m *amqp.ExchangeDeclare) error {
	err := ch.conn.vhost.DeclareExchange(vhost.ExchangeDeclare{
		Name: m.Exchange, Type: m.Type, Passive: m.Passive, Durable: m.Durable,
		AutoDelete: m.AutoDelete, Internal: m.Internal, Arguments: m.Arguments,
		Permit: ch.permit(false, m.Arguments, "alternate-exchange"), By: ch.conn.user.Name,
	})
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &amqp.ExchangeDeclareOk{})
	return nil
}

func (ch *channel) exchangeDelete(m *amqp.ExchangeDelete) error {
	if err := ch.mayDelete(m.Exchange); err != nil {
		return err
	}
	if err := ch.who.author().DeleteExchange(m.Exchange, m.IfUnused); err != nil {
		return err
	}
	ch.answer(m.NoWait, &amqp.ExchangeDeleteOk{})
	return nil
}

// exchangeBind binds an exchange to another [RabbitMQ: exchange-to-exchange].
func (ch *channel) exchangeBind(m *amqp.ExchangeBind) error {
	if err := ch.mayBind(m.Source, m.Destination, false, m.RoutingKey); err != nil {
		return err
	}
	if err := ch.who.author().BindExchange(m.Destination, m.Source, m.RoutingKey, m.Arguments); err != nil {
		return err
	}
	ch.answer(m.NoWait, &amqp.ExchangeBindOk{})
	return nil
}

func (ch *channel) exchangeUnbind(m *amqp.ExchangeUnbind) error {
	if err := ch.mayBind(m.Source, m.Destination, false, m.RoutingKey); err != nil {
		return err
	}
	if err := ch.who.author().UnbindExchange(m.Destination, m.Source, m.RoutingKey, m.Arguments); err != nil {
		return err
	}
	ch.answer(m.NoWait, &amqp.ExchangeUnbindOk{})
	return nil
}
