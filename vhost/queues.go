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
	// Permit, if set, is asked first whether whoever declares may have a queue of
	// that name, and with create once more if there is none yet. Its error is that
	// of the declare. It is not asked by a passive one, nor about direct reply-to.
	Permit func(name string, create bool) error
	// By names the user who declares, for events; empty for the broker.
	By string
}

// DeclareQueue makes a queue for a connection, or sees to it that the one of
// that name is what is asked for, and returns it, when a durable one is in the
// store; a queue with x-expires begins its term anew. The pseudo-queue of direct reply-to and its living queues can
// be declared too: their Stats are what RabbitMQ answers. Errors: 403 for a name
// with amq., 404 if a passive declare finds none, 405 if the queue is exclusive
// to another connection, 406 for bad arguments, a queue that differs or one too
// many for the vhost's limit, 540 for what is not supported.
func (v *VHost) DeclareQueue(d QueueDeclare, conn uint64) (*queue.Queue, error) {
	name := CleanName(d.Name)
	if isReplyName(name) {
		return v.declareReply(name)
	}
	if d.Passive {
		q, last, err := v.find(name, conn)
		if err != nil {
			return nil, err
		}
		q.Touch()
		return stored(q, last)
	}
	d.Arguments = v.withDefaultType(d)
	o := v.queueOptions(name, d.Durable, d.AutoDelete, d.Arguments)
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
	if err := ask(d.Permit, o.Name, false); err != nil {
		return nil, err
	}
	v.mu.RLock()
	q, last := v.queues[o.Name], v.defined.last
	v.mu.RUnlock()
	var err error
	if q != nil {
		err = redeclare(q, o, conn)
	} else if err = ask(d.Permit, o.Name, true); err == nil {
		q, last, err = v.createQueue(o, conn, d.By)
	}
	if err != nil {
		return nil, err
	}
	v.activity.declared.Add(1)
	return stored(q, last)
}

// ask asks a Permit, if there is one.
func ask(permit func(string, bool) error, name string, create bool) error {
	if permit == nil {
		return nil
	}
	return permit(name, create)
}

// queueOptions are what each queue of the vhost has, and what makes it this one.
func (v *VHost) queueOptions(name string, durable, autoDelete bool, args amqp.Table) queue.Options {
	return queue.Options{
		VHost: v.name, Name: name, Durable: durable, AutoDelete: autoDelete, Arguments: args,
		Store: v.defined.store, Pager: v.pager, Apply: v.onClock,
	}
}

// stored returns a queue when it is in the store, if it is to be: last is the
// change that was under way when it was found or made.
func stored(q *queue.Queue, last *commit) (*queue.Queue, error) {
	if q.Options().ID != 0 {
		if err := last.await(); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// redeclare renews a queue that exists, if it is what is asked for.
func redeclare(q *queue.Queue, asked queue.Options, conn uint64) error {
	current := q.Options()
	if current.Owner != 0 && current.Owner != conn {
		return queue.Exclusive(current)
	}
	if err := queue.Equivalent(current, asked); err != nil {
		return err
	}
	q.Touch()
	return nil
}

// createQueue makes a queue, unless somebody else is faster.
func (v *VHost) createQueue(o queue.Options, conn uint64, by string) (*queue.Queue, *commit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkOpenLocked(); err != nil {
		return nil, nil, err
	}
	if other := v.queues[o.Name]; other != nil {
		return other, v.defined.last, redeclare(other, o, conn)
	}
	if err := v.checkQueueLimitLocked(o.Name); err != nil {
		return nil, nil, err
	}
	var err error
	if o.Limits, err = queue.ParseArguments(o); err != nil {
		return nil, nil, err
	}
	o.Policy = v.policies.applied(kindOf(o), o.Name)
	body, err := v.defined.encodeQueue(&o)
	if err != nil {
		return nil, nil, err
	}
	q := queue.New(o)
	v.addQueue(q, o.Owner)
	v.activity.created.Add(1)
	v.defined.addQueue(q, body)
	v.changedLocked()
	defer v.byLocked(by)()
	v.tellQueueCreated(q)
	return q, v.defined.handOver(), nil
}

// Queue returns a queue for a connection to consume from, get or look at. 404 if
// there is none, 405 if it is exclusive to another connection.
func (v *VHost) Queue(name string, conn uint64) (*queue.Queue, error) {
	q, _, err := v.find(name, conn)
	return q, err
}

// find is Queue that also returns the change of the topology under way.
func (v *VHost) find(name string, conn uint64) (*queue.Queue, *commit, error) {
	v.mu.RLock()
	q, last := v.queues[name], v.defined.last
	v.mu.RUnlock()
	if q == nil {
		return nil, nil, v.noQueue(name)
	}
	if err := checkOwner(q, conn); err != nil {
		return nil, nil, err
	}
	return q, last, nil
}

// DeleteQueue deletes a queue with its bindings and returns how many ready
// messages went with it; if there is none of that name, that is 0. It is gone
// from the store then. Errors: 405
// if it is exclusive to another connection, 406 if a condition that was set does
// not hold, 540 for a condition on a quorum queue.
func (v *VHost) DeleteQueue(name string, conn uint64, ifUnused, ifEmpty bool, fx *queue.Effects) (ready int, err error) {
	return v.deleteQueue(name, conn, ifUnused, ifEmpty, "", fx)
}

func (v *VHost) deleteQueue(name string, conn uint64, ifUnused, ifEmpty bool, by string, fx *queue.Effects) (ready int, err error) {
	ready, stored, err := v.takeQueue(CleanName(name), conn, ifUnused, ifEmpty, by, fx)
	if err != nil {
		return 0, err
	}
	return ready, stored.await()
}

func (v *VHost) takeQueue(name string, conn uint64, ifUnused, ifEmpty bool, by string, fx *queue.Effects) (ready int, _ *commit, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	q := v.queues[name]
	if q == nil {
		return 0, v.defined.last, nil
	}
	if err := checkOwner(q, conn); err != nil {
		return 0, nil, err
	}
	if err := v.checkConditions(q, ifUnused, ifEmpty); err != nil {
		return 0, nil, err
	}
	if ready, err = q.Delete(ifUnused, ifEmpty, fx); err != nil {
		return 0, nil, err
	}
	defer v.byLocked(by)()
	v.removeQueue(q)
	v.activity.deleted.Add(1)
	v.changedLocked()
	return ready, v.defined.handOver(), nil
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
	v.activity.deleted.Add(1)
	v.changedLocked()
	v.defined.handOver() // nobody waits for it
}

// PurgeQueue drops the ready messages of a queue and returns how many that
// were. 404 if there is none, 405 if it is exclusive to another connection.
func (v *VHost) PurgeQueue(name string, conn uint64, fx *queue.Effects) (int, error) {
	q, err := v.Queue(name, conn)
	if err != nil {
		return 0, err
	}
	return q.Purge(fx), nil
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
		v.activity.deleted.Add(1)
	}
	v.changedLocked()
	// An exclusive queue is not stored, but an exchange that it kept may be.
	v.defined.handOver()
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
