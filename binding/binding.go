package binding

import (
	"cmp"
	"slices"

	"github.com/leveretmq/leveret/amqp"
)

// Binding leads from an exchange to a destination: another exchange or a queue.
type Binding[T comparable] struct {
	// Destination is what the binding leads to.
	Destination T
	// Key is the binding's routing key; what it means, if anything, is up to
	// the kind of index.
	Key string
	// Arguments are as the client sent them. They belong to the index: nobody
	// changes them.
	Arguments amqp.Table
}

// Identity returns a string that is the same for two argument tables exactly if
// they make the same binding, and empty for an empty table. The order of the
// fields does not matter [RabbitMQ sorts them], nor does the width of an
// integer or float; other types do. RabbitMQ tells the widths apart; here one
// client can unbind what another, which sends 1 as a long, has bound.
func Identity(args amqp.Table) string {
	if len(args) == 0 {
		return ""
	}
	var buf []byte
	for _, f := range sortedByName(args) {
		buf = appendName(buf, f.Name)
		buf = appendValue(buf, f.Value, typed)
	}
	return string(buf)
}

// sortedByName returns a copy in which fields of one name keep their order.
func sortedByName(t amqp.Table) amqp.Table {
	t = slices.Clone(t)
	slices.SortStableFunc(t, byName)
	return t
}

func byName(a, b amqp.Field) int { return cmp.Compare(a.Name, b.Name) }
