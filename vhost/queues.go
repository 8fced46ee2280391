package vhost

import (
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// QueueDeclare is what queue.declare asks for [1.7.2.1].
type QueueDeclare struct {
	// Name may be empty for a name of the broker's choice.
	Name string
	// Passive only asks for a queue that exists; the rest is then ignored.
	Passive, Durable, Exclusive, AutoDelete bool
	Arguments                               amqp.Table
}

// DeclareQueue makes a queue for a connection, or sees to it that the one of
// that name is what is asked for, and returns it; a queue with x-expires begins
// its term anew. The pseudo-queue of direct reply-to and its living queues can
// be declared too: their Stats are what RabbitMQ answers. Errors: 403 for a name
// with amq., 404 if a passive declare finds none, 405 if the queue is exclusive
// to another connection, 406 for bad arguments or a queue that differs, 540 for
// what is not supported.
func (v *VHost) DeclareQueue(d QueueDeclare, conn uint64) (*queue.Queue, error) {
	name := cleanName(d.Name)
	if isReplyName(name) {
		return v.declareReply(name)
	}
	if d.Passive {
		q, err := v.Queue(name, conn)
		if err == nil {
			q.Touch()
		}
		return q, err
	}
	o := queue.Options{
		VHost: v.name, Name: name, Durable: d.Durable, AutoDelete: d.AutoDelete,
		Arguments: d.Arguments, Apply: v.onClock,
	}
	if d.Exclusive {
		// Exclusive queues are never durable, whatever is asked for [RabbitMQ].
		o.Owner, o.Durable = conn, false
	}
	switch {
	case name == "":
		if err := queue.CheckServerNamed(d.Arguments); err != nil {
			return nil, err
		}
		o.Name = ServerName("amq.gen-")
	case strings.HasPrefix(name, reserved):
		return nil, amqp.AccessRefused("queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	v.mu.RLock()
	q := v.queues[o.Name]
	v.mu.RUnlock()
	if q != nil {
		return redeclare(q, o, conn)
	}
	return v.createQueue(o, conn)
}

// redeclare returns a queue that exists, if it is what is asked for.
func redeclare(q *queue.Queue, asked queue.Options, conn uint64) (*queue.Queue, error) {
	current := q.Options()
	if current.Owner != 0 && current.Owner != conn {
		return nil, queue.Exclusive(current)
	}
	if err := queue.Equivalent(current, asked); err != nil {
		return nil, err
	}
	q.Touch()
	return q, nil
}

func (v *VHost) createQueue(o queue.Options, conn uint64) (*queue.Queue, error) {
	limits, err := queue.ParseArguments(o)
	if err != nil {
		return nil, err
	}
	o.Limits = limits
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkOpenLocked(); err != nil {
		return nil, err
	}
	if other := v.queues[o.Name]; other != nil {
		return redeclare(other, o, conn) // somebody else was faster
	}
	q := queue.New(o)
	v.addQueue(q, o.Owner)
	v.changedLocked()
	return q, nil
}

// Queue returns a queue for a connection to consume from, get or look at. 404 if
// there is none, 405 if it is exclusive to another connection.
func (v *VHost) Queue(name string, conn uint64) (*queue.Queue, error) {
	v.mu.RLock()
	q := v.queues[name]
	v.mu.RUnlock()
	if q == nil {
		return nil, v.noQueue(name)
	}
	if err := checkOwner(q, conn); err != nil {
		return nil, err
	}
	return q, nil
}

// DeleteQueue deletes a queue with its bindings and returns how many ready
// messages went with it; if there is none of that name, that is 0. Errors: 405
// if it is exclusive to another connection, 406 if a condition that was set does
// not hold, 540 for a condition on a quorum queue.
func (v *VHost) DeleteQueue(name string, conn uint64, ifUnused, ifEmpty bool, fx *queue.Effects) (ready int, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	q := v.queues[cleanName(name)]
	if q == nil {
		return 0, nil
	}
	if err := checkOwner(q, conn); err != nil {
		return 0, err
	}
	if err := v.checkConditions(q, ifUnused, ifEmpty); err != nil {
		return 0, err
	}
	if ready, err = q.Delete(ifUnused, ifEmpty, fx); err != nil {
		return 0, err
	}
	v.removeQueue(q)
	v.changedLocked()
	return ready, nil
}

// checkConditions refuses the conditions of a delete on a quorum queue, as
// RabbitMQ does.
func (v *VHost) checkConditions(q *queue.Queue, ifUnused, ifEmpty bool) error {
	if !ifUnused && !ifEmpty || queue.Type(q.Options().Arguments) != queue.TypeQuorum {
		return nil
	}
	flag := "if-unused"
	if !ifUnused {
		flag = "if-empty"
	}
	return amqp.NotImplemented("cannot delete queue '%s' in vhost '%s'. queue.delete operations with "+
		"%s flag set are not supported by quorum queues", q.Name(), v.name, flag)
}

// deleteUnused deletes a queue that reported itself unused, if it still is.
func (v *VHost) deleteUnused(q *queue.Queue, fx *queue.Effects) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.queues[q.Name()] != q || !q.DeleteUnused(fx) {
		return
	}
	v.removeQueue(q)
	v.changedLocked()
}

// PurgeQueue drops the ready messages of a queue and returns how many that
// were. 404 if there is none, 405 if it is exclusive to another connection.
func (v *VHost) PurgeQueue(name string, conn uint64) (int, error) {
	q, err := v.Queue(name, conn)
	if err != nil {
		return 0, err
	}
	return q.Purge(), nil
}

// DropExclusive deletes the exclusive queues of a connection that is gone.
func (v *VHost) DropExclusive(conn uint64, fx *queue.Effects) {
	v.mu.Lock()
	defer v.mu.Unlock()
	owned := v.exclusive[conn]
	if len(owned) == 0 {
		return
	}
	for q := range owned {
		// Without conditions Delete does not fail.
		_, _ = q.Delete(false, false, fx)
		v.removeQueue(q)
	}
	v.changedLocked()
}

func (v *VHost) noQueue(name string) error {
	return amqp.NotFound("no queue '%s' in vhost '%s'", name, v.name)
}

// checkOwner returns 405 if the queue is exclusive to another connection.
func checkOwner(q *queue.Queue, conn uint64) error {
	if o := q.Options(); o.Owner != 0 && o.Owner != conn {
		return queue.Exclusive(o)
	}
	return nil
}
