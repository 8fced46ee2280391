package amqp

import "math"

// methodSample is a method that stands in testdata/frames.
type methodSample struct {
	meaning string
	channel uint16
	method  Method
}

// allTypes has a value of each type that a table can hold.
var allTypes = Table{
	{"t", true}, {"b", int8(-128)}, {"B", uint8(255)},
	{"s", int16(-32768)}, {"u", uint16(65535)},
	{"I", int32(math.MinInt32)}, {"i", uint32(math.MaxUint32)},
	{"l", int64(math.MinInt64)}, {"f", float32(1.5)}, {"d", -math.Pi},
	{"D", Decimal{Scale: 2, Value: -12345}}, {"S", "håndbold"}, {"x", []byte{0, 255}},
	{"A", Array{int32(1), "two", nil, Array{}, Table{{"three", int64(3)}}}},
	{"F", Table{{"inner", Table{{"V", nil}}}}},
	{"T", Timestamp(1_700_000_000)}, {"V", nil},
}

var methodSamples = []methodSample{
	{"the server's greeting", 0, &ConnectionStart{VersionMajor: 0, VersionMinor: 9, Mechanisms: "AMQPLAIN PLAIN", Locales: "en_US",
		ServerProperties: Table{{"capabilities", Table{{"publisher_confirms", true}, {"basic.nack", true}}}, {"product", "Leveret"}}}},
	{"PLAIN login", 0, &ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US",
		ClientProperties: Table{{"connection_name", "golden"}, {"capabilities", Table{{"authentication_failure_close", true}}}}}},
	{"a challenge of a mechanism with several steps", 0, &ConnectionSecure{Challenge: "Please tell me your password"}},
	{"its response", 0, &ConnectionSecureOk{Response: "My password is guest"}},
	{"the offer", 0, &ConnectionTune{ChannelMax: 2047, FrameMax: DefaultFrameMax, Heartbeat: 60}},
	{"what the client makes of it", 0, &ConnectionTuneOk{ChannelMax: 10, FrameMax: MinFrameMax, Heartbeat: 0}},
	{"the default vhost", 0, &ConnectionOpen{VirtualHost: "/"}},
	{"the connection is open", 0, &ConnectionOpenOk{}},
	{"a hard error of basic.publish", 0, &ConnectionClose{ReplyCode: CodeNotImplemented, ReplyText: "NOT_IMPLEMENTED - immediate=true", FailedClassID: ClassBasic, FailedMethodID: 40}},
	{"the connection is closed", 0, &ConnectionCloseOk{}},
	{"an alarm", 0, &ConnectionBlocked{Reason: "low on memory"}},
	{"the alarm is over", 0, &ConnectionUnblocked{}},
	{"a new token", 0, &ConnectionUpdateSecret{NewSecret: "token", Reason: "expiry"}},
	{"the token is accepted", 0, &ConnectionUpdateSecretOk{}},

	{"open channel 1", 1, &ChannelOpen{}},
	{"channel 1 is open", 1, &ChannelOpenOk{}},
	{"resume", 1, &ChannelFlow{Active: true}},
	{"resumed", 1, &ChannelFlowOk{Active: true}},
	{"a soft error of queue.declare", 65535, &ChannelClose{ReplyCode: CodeNotFound, ReplyText: "NOT_FOUND - no queue 'q' in vhost '/'", FailedClassID: ClassQueue, FailedMethodID: 10}},
	{"the channel is closed", 65535, &ChannelCloseOk{}},

	{"a ticket for old clients", 1, &AccessRequest{Realm: "/data", Active: true, Write: true, Read: true}},
	{"the ticket", 1, &AccessRequestOk{Ticket: 1}},

	{"a durable exchange with an alternate", 1, &ExchangeDeclare{Exchange: "orders", Type: "topic", Durable: true, Arguments: Table{{"alternate-exchange", "unrouted"}}}},
	{"every bit set", 1, &ExchangeDeclare{Exchange: "x", Type: "fanout", Passive: true, Durable: true, AutoDelete: true, Internal: true, NoWait: true}},
	{"declared", 1, &ExchangeDeclareOk{}},
	{"delete if no binding uses it", 1, &ExchangeDelete{Exchange: "orders", IfUnused: true}},
	{"deleted", 1, &ExchangeDeleteOk{}},
	{"exchange to exchange", 1, &ExchangeBind{Destination: "archive", Source: "orders", RoutingKey: "orders.#"}},
	{"bound", 1, &ExchangeBindOk{}},
	{"no longer, and no answer wanted", 1, &ExchangeUnbind{Destination: "archive", Source: "orders", RoutingKey: "orders.#", NoWait: true}},
	{"unbound", 1, &ExchangeUnbindOk{}},

	{"a durable queue with arguments", 1, &QueueDeclare{Queue: "orders", Durable: true, Arguments: Table{{"x-message-ttl", int32(60000)}, {"x-queue-type", "classic"}}}},
	{"every type that an argument can have", 1, &QueueDeclare{Queue: "q", Passive: true, Exclusive: true, AutoDelete: true, NoWait: true, Arguments: allTypes}},
	{"a name made by the server", 1, &QueueDeclareOk{Queue: "amq.gen-JzTY20BRgKO-HjmUJj0wLg", MessageCount: 3, ConsumerCount: 1}},
	{"a headers binding", 1, &QueueBind{Queue: "orders", Exchange: "amq.headers", Arguments: Table{{"x-match", "all"}, {"kind", "order"}}}},
	{"bound", 1, &QueueBindOk{}},
	{"unbind", 1, &QueueUnbind{Queue: "orders", Exchange: "amq.direct", RoutingKey: "k"}},
	{"unbound", 1, &QueueUnbindOk{}},
	{"purge", 1, &QueuePurge{Queue: "orders"}},
	{"purged", 1, &QueuePurgeOk{MessageCount: 1000000}},
	{"delete if unused and empty", 1, &QueueDelete{Queue: "orders", IfUnused: true, IfEmpty: true}},
	{"deleted", 1, &QueueDeleteOk{MessageCount: 0}},

	{"prefetch for the whole channel", 1, &BasicQos{PrefetchCount: 100, Global: true}},
	{"set", 1, &BasicQosOk{}},
	{"an exclusive consumer with a priority", 1, &BasicConsume{Queue: "orders", ConsumerTag: "ctag-1", Exclusive: true, Arguments: Table{{"x-priority", int32(10)}}}},
	{"automatic acknowledgement", 1, &BasicConsume{Queue: "orders", NoLocal: true, NoAck: true, NoWait: true}},
	{"consuming", 1, &BasicConsumeOk{ConsumerTag: "amq.ctag-VKsA8uDlgDLOJJ1uPUlKqw"}},
	{"cancel", 1, &BasicCancel{ConsumerTag: "ctag-1", NoWait: true}},
	{"cancelled", 1, &BasicCancelOk{ConsumerTag: "ctag-1"}},
	{"publish to the default exchange", 1, &BasicPublish{RoutingKey: "orders", Mandatory: true}},
	{"publish, immediate", 1, &BasicPublish{Exchange: "orders", RoutingKey: "orders.new", Immediate: true}},
	{"unroutable", 1, &BasicReturn{ReplyCode: CodeNoRoute, ReplyText: "NO_ROUTE", Exchange: "orders", RoutingKey: "orders.new"}},
	{"deliver again", 1, &BasicDeliver{ConsumerTag: "ctag-1", DeliveryTag: math.MaxUint64, Redelivered: true, Exchange: "orders", RoutingKey: "orders.new"}},
	{"get", 1, &BasicGet{Queue: "orders", NoAck: true}},
	{"got", 1, &BasicGetOk{DeliveryTag: 7, Redelivered: true, Exchange: "orders", RoutingKey: "orders.new", MessageCount: 41}},
	{"nothing there", 1, &BasicGetEmpty{}},
	{"ack all up to 7", 1, &BasicAck{DeliveryTag: 7, Multiple: true}},
	{"reject and requeue", 1, &BasicReject{DeliveryTag: 7, Requeue: true}},
	{"recover without an answer", 1, &BasicRecoverAsync{Requeue: true}},
	{"recover", 1, &BasicRecover{Requeue: true}},
	{"recovered", 1, &BasicRecoverOk{}},
	{"nack several, requeue", 1, &BasicNack{DeliveryTag: 7, Multiple: true, Requeue: true}},

	{"confirm mode", 1, &ConfirmSelect{NoWait: true}},
	{"confirm mode is on", 1, &ConfirmSelectOk{}},

	{"tx mode", 1, &TxSelect{}},
	{"tx mode is on", 1, &TxSelectOk{}},
	{"commit", 1, &TxCommit{}},
	{"committed", 1, &TxCommitOk{}},
	{"roll back", 1, &TxRollback{}},
	{"rolled back", 1, &TxRollbackOk{}},
}

var propertySamples = []struct {
	meaning  string
	bodySize uint64
	props    BasicProperties
}{
	{"no property, no body", 0, BasicProperties{}},
	{"a persistent message with headers", 5, BasicProperties{ContentType: "text/plain", DeliveryMode: 2, Headers: Table{{"CC", Array{"a", "b"}}}}},
	{"present and empty: headers, priority, reply-to", math.MaxUint64, BasicProperties{Present: HasHeaders | HasPriority | HasReplyTo}},
	{"every property", 1 << 32, BasicProperties{
		ContentType: "application/json", ContentEncoding: "gzip", Headers: allTypes, DeliveryMode: 1, Priority: 9,
		CorrelationID: "corr", ReplyTo: "amq.rabbitmq.reply-to", Expiration: "60000", MessageID: "id-1",
		Timestamp: 1_700_000_000, Type: "order", UserID: "guest", AppID: "shop", ClusterID: "c",
	}},
}

// allMethods lists every method that is known.
func allMethods() []MethodInfo {
	var infos []MethodInfo
	for class := range uint16(256) {
		for method := range uint16(256) {
			if info, ok := LookupMethod(class, method); ok {
				infos = append(infos, info)
			}
		}
	}
	return infos
}
