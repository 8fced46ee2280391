package vhost

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// Author changes a vhost in somebody's name, which events tell. The methods of VHost do
// the same in the broker's.
type Author struct {
	vhost *VHost
	user  string
}

// By returns who changes the vhost in a user's name. What is declared has its author in
// QueueDeclare and ExchangeDeclare.
func (v *VHost) By(user string) Author { return Author{v, user} }

// DeleteQueue is that of VHost.
func (a Author) DeleteQueue(name string, conn uint64, ifUnused, ifEmpty bool, fx *queue.Effects) (ready int, err error) {
	return a.vhost.deleteQueue(name, conn, ifUnused, ifEmpty, a.user, fx)
}

// DeleteExchange is that of VHost.
func (a Author) DeleteExchange(name string, ifUnused bool) error {
	return a.vhost.deleteExchange(name, ifUnused, a.user)
}

// BindQueue is that of VHost.
func (a Author) BindQueue(queue, exchange, key string, args amqp.Table, conn uint64) error {
	return a.vhost.bindTo(exchange, end{name: CleanName(queue), conn: conn, by: a.user}, key, args)
}

// UnbindQueue is that of VHost.
func (a Author) UnbindQueue(queue, exchange, key string, args amqp.Table, conn uint64) error {
	return a.vhost.unbindFrom(exchange, end{name: CleanName(queue), conn: conn, by: a.user}, key, args)
}

// BindExchange is that of VHost.
func (a Author) BindExchange(destination, source, key string, args amqp.Table) error {
	return a.vhost.bindTo(source, end{name: CleanName(destination), isExchange: true, by: a.user}, key, args)
}

// UnbindExchange is that of VHost.
func (a Author) UnbindExchange(destination, source, key string, args amqp.Table) error {
	return a.vhost.unbindFrom(source, end{name: CleanName(destination), isExchange: true, by: a.user}, key, args)
}
