package queue_test

import (
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// The texts are what RabbitMQ 3.10.8 answers to a second declare.
func TestEquivalentRefuses(t *testing.T) {
	const in = " for queue 'q' in vhost '/': "
	durable := func(o queue.Options) queue.Options { o.Durable = true; return o }
	autoDelete := func(o queue.Options) queue.Options { o.AutoDelete = true; return o }
	for _, c := range []struct {
		name           string
		current, asked queue.Options
		text           string
	}{
		{"durable", durable(classic()), classic(), "inequivalent arg 'durable'" + in + "received 'false' but current is 'true'"},
		{"not durable", classic(), durable(classic()), "inequivalent arg 'durable'" + in + "received 'true' but current is 'false'"},
		{"durable first", durable(autoDelete(classic())), classic("x-message-ttl", int32(1)), "inequivalent arg 'durable'" + in + "received 'false' but current is 'true'"},
		{"auto-delete", autoDelete(classic()), classic("x-message-ttl", int32(1)), "inequivalent arg 'auto_delete'" + in + "received 'false' but current is 'true'"},
		{"value", classic("x-message-ttl", int32(60000)), classic("x-message-ttl", int32(70000)), "inequivalent arg 'x-message-ttl'" + in + "received '70000' but current is '60000'"},
		{"missing now", classic("x-message-ttl", int32(60000)), classic(), "inequivalent arg 'x-message-ttl'" + in + "received none but current is the value '60000' of type 'signedint'"},
		{"missing before", classic(), classic("x-message-ttl", int64(60000)), "inequivalent arg 'x-message-ttl'" + in + "received the value '60000' of type 'long' but current is none"},
		{"bool", classic("x-single-active-consumer", true), classic("x-single-active-consumer", false), "inequivalent arg 'x-single-active-consumer'" + in + "received 'false' but current is 'true'"},
		{"bool missing", classic("x-single-active-consumer", true), classic(), "inequivalent arg 'x-single-active-consumer'" + in + "received none but current is the value 'true' of type 'bool'"},
		{"string", classic("x-dead-letter-exchange", "é"), classic("x-dead-letter-exchange", "b"), "inequivalent arg 'x-dead-letter-exchange'" + in + "received 'b' but current is 'é'"},
		{"string missing", classic("x-overflow", "drop-head"), classic(), "inequivalent arg 'x-overflow'" + in + "received none but current is the value 'drop-head' of type 'longstr'"},
		{"types", classic("x-max-length", int32(5)), classic("x-max-length", "5"), "inequivalent arg 'x-max-length'" + in + "received '5' but current is '5'"},
		{"bool for int", classic("x-max-length", int32(5)), classic("x-max-length", true), "inequivalent arg 'x-max-length'" + in + "received 'true' but current is '5'"},
		{"void for int", classic("x-max-length", int32(5)), classic("x-max-length", nil), "inequivalent arg 'x-max-length'" + in + "received none but current is '5'"},
		{"type", classic("x-queue-type", "classic"), classic("x-queue-type", "quorum"), "inequivalent arg 'x-queue-type'" + in + "received 'quorum' but current is 'classic'"},
		{"type missing", classic(), classic("x-queue-type", "quorum"), "inequivalent arg 'x-queue-type'" + in + "received the value 'quorum' of type 'longstr' but current is none"},
		{"bad value, not checked", classic(), classic("x-expires", int32(0)), "inequivalent arg 'x-expires'" + in + "received the value '0' of type 'signedint' but current is none"},
		{"quorum to classic", quorum(), durable(classic()), "inequivalent arg 'x-queue-type'" + in + "received none but current is the value 'quorum' of type 'longstr'"},
		{"classic's order", classic("x-max-length", int32(1), "x-expires", int32(1)), classic(), "inequivalent arg 'x-expires'" + in + "received none but current is the value '1' of type 'signedint'"},
		{"quorum's order", quorum("x-expires", int32(1), "x-dead-letter-exchange", "a"), quorum(), "inequivalent arg 'x-dead-letter-exchange'" + in + "received none but current is the value 'a' of type 'longstr'"},
		{"delivery limit", classic("x-delivery-limit", int32(1)), classic(), "inequivalent arg 'x-delivery-limit'" + in + "received none but current is the value '1' of type 'signedint'"},
		{"retry", quorum("x-retry-backoff", "linear"), quorum("x-retry-backoff", "constant"), "inequivalent arg 'x-retry-backoff'" + in + "received 'constant' but current is 'linear'"},
		{"retry limit", classic("x-retry-backoff", "linear"), classic("x-retry-backoff", "linear", "x-retry-limit", int32(1)), "inequivalent arg 'x-retry-limit'" + in + "received the value '1' of type 'signedint' but current is none"},
		{"consumer timeout", classic("x-consumer-timeout", int32(1)), classic("x-consumer-timeout", int64(2)), "inequivalent arg 'x-consumer-timeout'" + in + "received '2' but current is '1'"},
		{"delayed retry", quorum("x-delayed-retry-max", int32(1)), quorum(), "inequivalent arg 'x-delayed-retry-max'" + in + "received none but current is the value '1' of type 'signedint'"},
	} {
		wantError(t, c.name, queue.Equivalent(c.current, c.asked), amqp.CodePreconditionFailed, c.text)
	}
}

func TestEquivalentOwner(t *testing.T) {
	const text = "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared " +
		"on another connection or the exclusive property value does not match that of the original declaration."
	owned := classic()
	owned.Owner = 7
	other := classic("x-expires", int32(0))
	other.Owner = 8
	wantError(t, "not exclusive now", queue.Equivalent(owned, classic()), amqp.CodeResourceLocked, text)
	wantError(t, "exclusive now", queue.Equivalent(classic(), owned), amqp.CodeResourceLocked, text)
	wantError(t, "another owner, before arguments", queue.Equivalent(owned, other), amqp.CodeResourceLocked, text)
	if err := queue.Equivalent(owned, owned); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

func TestEquivalentAccepts(t *testing.T) {
	for _, c := range []struct {
		name           string
		current, asked queue.Options
	}{
		{"widths of integers", classic("x-message-ttl", int32(60000)), classic("x-message-ttl", int64(60000))},
		{"bytes for a string", classic("x-dead-letter-exchange", "x"), classic("x-dead-letter-exchange", []byte("x"))},
		{"classic left out", classic("x-queue-type", "classic"), classic()},
		{"classic said", classic(), classic("x-queue-type", "classic")},
		{"unknown", classic("x-unknown", int32(1)), classic("x-unknown", int32(2))},
		{"of another type", classic(), classic("x-max-age", "1D")},
		{"order", classic("x-max-length", int32(1), "x-expires", int32(2)), classic("x-expires", int32(2), "x-max-length", int32(1))},
	} {
		if err := queue.Equivalent(c.current, c.asked); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
