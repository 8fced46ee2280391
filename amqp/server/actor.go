package server

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/queue"
)

// Actor does in a vhost what its user may do there, with the checks and the errors of
// a channel: for those who come by another way than AMQP, as management does. It
// belongs to one goroutine. As it is no connection, nothing is exclusive to it.
//
// What it changes or publishes is in the store, as far as it is durable, when a method
// returns. Errors are an *amqp.Error, or the store's.
type Actor struct {
	srv *Server
	subject
	checker
	fx queue.Effects
}

// nobody is the connection that an Actor acts for.
const nobody = 0

// As returns an Actor for a user who has logged in; the error is 530 if they may not
// enter the vhost.
func (s *Server) As(user auth.User, v *vhost.VHost) (*Actor, error) {
	a := &Actor{srv: s, subject: subject{by: s.rights, user: user, vhost: v}}
	a.who = &a.subject
	return a, a.checkEntry()
}

// carryOut does what follows from what was done to queues.
func (a *Actor) carryOut() {
	if a.fx.Pending() {
		a.vhost.Apply(&a.fx)
	}
	a.fx.WakeAll()
}

// DeclareQueue makes a queue, or sees to it that the one of that name is what is
// asked for. d.Permit is replaced; errors are those of vhost.DeclareQueue, and 403.
func (a *Actor) DeclareQueue(d vhost.QueueDeclare) (*queue.Queue, error) {
	d.Permit = a.permit(true, d.Arguments, "x-dead-letter-exchange")
	d.By = a.user.Name
	return a.vhost.DeclareQueue(d, nobody)
}

// DeleteQueue deletes a queue, if it is not used and has no messages where that is
// asked for, and returns how many were ready. One that is not there is no error.
func (a *Actor) DeleteQueue(name string, ifUnused, ifEmpty bool) (ready int, err error) {
	if err := a.mayQueue(auth.Configure, vhost.CleanName(name)); err != nil {
		return 0, err
	}
	defer a.carryOut()
	return a.author().DeleteQueue(name, nobody, ifUnused, ifEmpty, &a.fx)
}

// PurgeQueue drops the ready messages of a queue and returns how many that were.
func (a *Actor) PurgeQueue(name string) (int, error) {
	if err := a.mayQueue(auth.Read, name); err != nil {
		return 0, err
	}
	defer a.carryOut()
	return a.vhost.PurgeQueue(name, nobody, &a.fx)
}

// DeclareExchange makes an exchange, or sees to it that the one of that name is what
// is asked for. d.Permit is replaced; errors are those of vhost.DeclareExchange, and
// 403.
func (a *Actor) DeclareExchange(d vhost.ExchangeDeclare) error {
	d.Permit = a.permit(false, d.Arguments, "alternate-exchange")
	d.By = a.user.Name
	return a.vhost.DeclareExchange(d)
}

// DeleteExchange deletes an exchange, if nothing is bound to it where that is asked
// for. One that is not there is no error.
func (a *Actor) DeleteExchange(name string, ifUnused bool) error {
	if err := a.mayDelete(name); err != nil {
		return err
	}
	return a.author().DeleteExchange(name, ifUnused)
}

// Bind makes a binding, or finds it there.
func (a *Actor) Bind(b vhost.Binding) error {
	if err := a.mayBind(b.Source, b.Destination, !b.ToExchange, b.Key); err != nil {
		return err
	}
	if b.ToExchange {
		return a.author().BindExchange(b.Destination, b.Source, b.Key, b.Arguments)
	}
	return a.author().BindQueue(b.Destination, b.Source, b.Key, b.Arguments, nobody)
}

// Unbind removes a binding. One that is not there is no error.
func (a *Actor) Unbind(b vhost.Binding) error {
	if err := a.mayBind(b.Source, b.Destination, !b.ToExchange, b.Key); err != nil {
		return err
	}
	if b.ToExchange {
		return a.author().UnbindExchange(b.Destination, b.Source, b.Key, b.Arguments)
	}
	return a.author().UnbindQueue(b.Destination, b.Source, b.Key, b.Arguments, nobody)
}

// Got is a message that was taken out of a queue.
type Got struct {
	Message *amqp.Message
	// Properties are the message's, with what the queue adds when it hands it on.
	Properties  amqp.Properties
	Redelivered bool
	// Left is how many were ready behind it.
	Left int
}

// GetMode says what becomes of what is got.
type GetMode uint8

// The modes, by RabbitMQ's names.
const (
	// GetRequeue is ack_requeue_true: the messages go back, as when a channel ends.
	GetRequeue GetMode = iota
	// GetAck is ack_requeue_false: they are gone.
	GetAck
	// GetReject is reject_requeue_false: they are dead-lettered, or gone.
	GetReject
	// GetRejectRequeue is reject_requeue_true: they go back, rejected.
	GetRejectRequeue
)

const (
	// maxGot is how many bytes one Get takes, with the last message whole.
	maxGot = 64 << 20
	// gotOverhead is what a message counts for besides its body and properties.
	gotOverhead = 512
)

// Get takes messages from the head of a queue, up to n and to 64 MiB, and settles them
// when it has the last.
func (a *Actor) Get(name string, n int, mode GetMode) ([]Got, error) {
	if err := a.mayQueue(auth.Read, name); err != nil {
		return nil, err
	}
	q, err := a.vhost.Queue(name, nobody)
	if err != nil {
		return nil, err
	}
	if err := q.CheckGet(); err != nil {
		return nil, err
	}
	var (
		list []Got
		ids  []queue.ID
		size int
	)
	for len(list) < n && size < maxGot {
		d, left, ok := q.Get(mode == GetAck, &a.fx)
		if !ok {
			break
		}
		if a.vhost.Tracing() {
			a.tracer().deliver(&d, q.Name(), &a.fx)
		}
		list = append(list, Got{d.Message, propertiesOf(&d), d.Redelivered, left})
		ids = append(ids, d.ID)
		size += len(d.Message.Body) + len(d.Message.Properties) + gotOverhead
	}
	switch mode {
	case GetRequeue:
		q.Requeue(ids, queue.CauseLost, &a.fx)
	case GetReject:
		q.Reject(ids, &a.fx)
	case GetRejectRequeue:
		q.Requeue(ids, queue.CauseReject, &a.fx)
	}
	a.carryOut()
	a.srv.countGot(list, mode, len(list) < n && size < maxGot)
	return list, nil
}
