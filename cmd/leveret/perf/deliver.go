package perf

import (
	"encoding/binary"

	"github.com/leveretmq/leveret/amqp"
)

// delivery is what a consumer wants to know of a basic.deliver. tag is a part
// of the frame.
type delivery struct {
	consumerTag []byte
	tag         uint64
}

// parseDeliver takes the arguments of basic.deliver apart without allocating.
// The exchange and the routing key are left alone. The error is that of amqp.
func parseDeliver(args []byte) (delivery, error) {
	if len(args) > 0 {
		n := 1 + int(args[0])
		if len(args) > n+8 {
			return delivery{args[1:n:n], binary.BigEndian.Uint64(args[n:])}, nil
		}
	}
	var m amqp.BasicDeliver
	if err := m.DecodeArgs(args); err != nil {
		return delivery{}, err
	}
	return delivery{[]byte(m.ConsumerTag), m.DeliveryTag}, nil
}

// decimal reads the digits of a consumer tag; ok is false if it is no number
// below limit.
func decimal(tag []byte, limit int) (n int, ok bool) {
	if len(tag) == 0 {
		return 0, false
	}
	for _, c := range tag {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n >= limit {
			return 0, false
		}
	}
	return n, true
}
