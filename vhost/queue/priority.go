package queue

import "github.com/leveretmq/leveret/amqp"

// ConsumerPriority reads x-priority, an integer of any sign, from the arguments
// of basic.consume; 0 if it is not there.
func ConsumerPriority(vhost, queue string, args amqp.Table) (int64, error) {
	v, ok := args.Get("x-priority")
	if !ok {
		return 0, nil
	}
	n, ok := amqp.Int(v)
	if !ok {
		return 0, amqp.PreconditionFailed(`invalid arg 'x-priority' for queue '%s' in vhost '%s': "expected integer, got %s"`,
			queue, vhost, amqp.TypeName(v))
	}
	return n, nil
}
