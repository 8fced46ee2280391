package dedup

import (
	"fmt"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// The arguments of exchange.declare and queue.declare, with LavinMQ's names. The
// others mean something only where Argument is true.
const (
	// Argument turns deduplication on, a bool.
	Argument = "x-message-deduplication"
	// ArgumentHeader names the header that holds the key, a string.
	ArgumentHeader = "x-deduplication-header"
	// ArgumentSize is how many keys are remembered, an integer from 1 to MaxSize.
	ArgumentSize = "x-cache-size"
	// ArgumentTTL is for how many milliseconds a key is remembered, an integer
	// from 1 to ten years. The header of that name says it for one message.
	ArgumentTTL = "x-cache-ttl"
)

// Arguments are all of them, in the order in which they are checked.
var Arguments = [...]string{Argument, ArgumentHeader, ArgumentSize, ArgumentTTL}

const (
	// DefaultHeader holds the key if ArgumentHeader does not say otherwise.
	DefaultHeader = "x-deduplication-header"
	// DefaultSize is how many keys are remembered if ArgumentSize does not say
	// otherwise.
	DefaultSize = 128
	// MaxSize is the most keys that a window remembers. A key takes about 100
	// bytes of memory.
	MaxSize = 1_000_000
)

// maxTTL is ten years in milliseconds, RabbitMQ's limit for times.
const maxTTL = 315360000000

// Options say what a window remembers. The zero value is that of an exchange or
// queue without the arguments.
type Options struct {
	// Enabled says that there is a window at all.
	Enabled bool
	// Header holds the key; "" is DefaultHeader.
	Header string
	// Size is how many keys are remembered, at most MaxSize; 0 is DefaultSize.
	Size int
	// TTL is for how long a key is remembered; 0: until others take its room.
	TTL time.Duration
}

// Set puts the value of one of the Arguments into the options. It returns a
// complaint in RabbitMQ's manner, an Erlang term, or "".
func (o *Options) Set(argument string, v any) (term string) {
	var n int64
	switch argument {
	case Argument:
		on, ok := v.(bool)
		if !ok {
			return unacceptable(v)
		}
		o.Enabled = on
	case ArgumentHeader:
		name, ok := v.(string)
		switch {
		case !ok:
			return unacceptable(v)
		case name == "" || len(name) > 255: // no field is called that
			return `"expected the name of a header"`
		}
		o.Header = name
	case ArgumentSize:
		if n, term = positive(v); term == "" && n > MaxSize {
			return fmt.Sprintf("{max_value_exceeded,%d}", n)
		}
		o.Size = int(n)
	case ArgumentTTL:
		if n, term = positive(v); term == "" && n > maxTTL {
			return fmt.Sprintf("{value_too_large,%d}", n)
		}
		o.TTL = time.Duration(n) * time.Millisecond
	}
	return term
}

// Parse reads the arguments of a declare. If one is bad, it returns which, and
// the complaint.
func Parse(args amqp.Table) (o Options, argument, term string) {
	for _, name := range Arguments {
		if v, ok := args.Get(name); ok {
			if term := o.Set(name, v); term != "" {
				return Options{}, name, term
			}
		}
	}
	return o, "", ""
}

func unacceptable(v any) string { return "{unacceptable_type," + amqp.TypeName(v) + "}" }

// positive reads a whole number above zero.
func positive(v any) (n int64, term string) {
	n, ok := amqp.Int(v)
	switch {
	case !ok:
		return 0, fmt.Sprintf(`"expected integer, got %s"`, amqp.TypeName(v))
	case n < 0:
		return 0, fmt.Sprintf("{value_negative,%d}", n)
	case n == 0:
		return 0, "{value_zero,0}"
	}
	return n, ""
}
