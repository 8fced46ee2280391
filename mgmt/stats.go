package mgmt

import (
	"slices"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/mgmt/rates"
	"github.com/leveretmq/leveret/vhost/queue"
)

// The members of message_stats, in RabbitMQ's names: those of all that can be counted,
// and those that objects of a kind have.
var (
	messageNames = []string{"publish", "publish_in", "publish_out", "confirm", "return_unroutable", "drop_unroutable",
		"deliver", "deliver_no_ack", "get", "get_no_ack", "get_empty", "redeliver", "ack", "deliver_get"}
	vhostMessageNames = []string{"publish", "confirm", "return_unroutable", "drop_unroutable", "get", "get_no_ack",
		"deliver", "deliver_no_ack", "redeliver", "ack", "deliver_get", "get_empty"}
	channelMessageNames  = vhostMessageNames
	queueMessageNames    = []string{"publish", "deliver", "deliver_no_ack", "get", "get_no_ack", "get_empty", "redeliver", "ack", "deliver_get"}
	exchangeMessageNames = []string{"publish_in", "publish_out"}
)

// lengthNames are the lengths of queues.
var lengthNames = []string{"messages", "messages_ready", "messages_unacknowledged"}

// messageCount is a number of counts by its name.
func messageCount(c *server.MessageCounts, name string) uint64 {
	switch name {
	case "publish":
		return c.Publish
	case "publish_in":
		return c.PublishIn
	case "publish_out":
		return c.PublishOut
	case "confirm":
		return c.Confirm
	case "return_unroutable":
		return c.ReturnUnroutable
	case "drop_unroutable":
		return c.DropUnroutable
	case "deliver":
		return c.Deliver
	case "deliver_no_ack":
		return c.DeliverNoAck
	case "get":
		return c.Get
	case "get_no_ack":
		return c.GetNoAck
	case "get_empty":
		return c.GetEmpty
	case "redeliver":
		return c.Redeliver
	case "ack":
		return c.Ack
	case "deliver_get":
		return c.Deliver + c.DeliverNoAck + c.Get + c.GetNoAck
	}
	panic("no message count is called " + name)
}

// appendCounts appends the numbers of names.
func appendCounts(to []int64, c server.MessageCounts, names []string) []int64 {
	for _, name := range names {
		to = append(to, int64(messageCount(&c, name)))
	}
	return to
}

// queueCounts are the counts of a queue under RabbitMQ's names.
func queueCounts(c queue.Counts) server.MessageCounts {
	return server.MessageCounts{
		Publish: c.Published, Deliver: c.Delivered, DeliverNoAck: c.DeliveredNoAck,
		Get: c.Got, GetNoAck: c.GotNoAck, GetEmpty: c.GotEmpty, Redeliver: c.Redelivered, Ack: c.Acked,
	}
}

// messageStats is the message_stats of an object: the counts of names with their rates;
// absent until there is something to count.
func messageStats(c server.MessageCounts, seen observed, names ...string) any {
	if c == (server.MessageCounts{}) || seen.spans.hidden() {
		return absent
	}
	stats := make(object, 0, 2*len(names))
	for _, name := range names {
		stats = append(stats, member{name, messageCount(&c, name)}, member{name + "_details", seen.details(name)})
	}
	return stats
}

// observed is what the sampler knows about one object: what it does a second, and what
// it was like, if the query asks for that.
type observed struct {
	columns []string
	rates   []float64 // by column; nil if nothing changes
	spans   *spans
	// past returns what it was like; nil if nobody knows.
	past func(age time.Duration) rates.Past
}

// details are how a member of the object has changed: its rate, and for a span of the
// query samples and averages. They are absent if the query wants no numbers.
func (o observed) details(name string) any {
	if o.spans.hidden() {
		return absent
	}
	column := slices.Index(o.columns, name)
	rate := 0.0
	if column >= 0 && o.rates != nil {
		rate = o.rates[column]
	}
	of := object{{"rate", rate}}
	span := o.spans.of(name)
	if span.age == 0 {
		return of
	}
	past := rates.Zeros(time.Now())
	if column >= 0 && o.past != nil {
		past = o.past(span.age)
	}
	list := past.Samples(max(column, 0), span.age, span.step)
	samples := make([]sample, len(list))
	for i, s := range list {
		samples[i] = sample{s.Number, s.At.UnixMilli()}
	}
	of = append(of, member{"samples", samples})
	if len(list) > 1 {
		mean, rate := rates.Average(list)
		of = append(of, member{"avg_rate", rate}, member{"avg", mean})
	}
	return of
}

// sample is a number at a time.
type sample struct {
	Sample int64 `json:"sample"`
	// Timestamp is in milliseconds since 1970.
	Timestamp int64 `json:"timestamp"`
}

// withDetails appends a number and its details to an object.
func (o observed) withDetails(to object, name string, n any) object {
	return append(to, member{name, n}, member{name + "_details", o.details(name)})
}

// oncePast lets what an object was like be looked up once for each age.
func oncePast(look func(time.Duration) rates.Past) func(time.Duration) rates.Past {
	known := map[time.Duration]rates.Past{}
	return func(age time.Duration) rates.Past {
		if past, ok := known[age]; ok {
			return past
		}
		past := look(age)
		known[age] = past
		return past
	}
}

// kindOf is the prefix of the parameters by which a query asks for samples of a member.
func kindOf(name string) string {
	switch {
	case slices.Contains(lengthNames, name):
		return "lengths"
	case slices.Contains(messageNames, name), strings.HasPrefix(name, "disk_"):
		return "msg_rates"
	case name == "recv_oct", name == "send_oct", name == "reductions":
		return "data_rates"
	}
	return "node_stats"
}
