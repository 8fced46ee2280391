package binding

import (
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp"
)

// filter is the arguments of a headers binding, made ready for comparison.
type filter[T comparable] struct {
	of    *destination[T]
	any   bool   // one match is enough
	wants []want // sorted by name
	// Where Headers has filed it: the keys, and the place under each. Without a
	// key, the place is in the file of those that need no header.
	filed  []string
	places []int
}

// want is one argument that is compared.
type want struct {
	name string
	// key is what appendName and appendValue make of a header that satisfies
	// it; with tagPresent in place of the value if any value does.
	key     string
	present bool
}

func newFilter[T comparable](e *entry[T]) *filter[T] {
	f := &filter[T]{of: e.of}
	v, _ := e.Arguments.Get(matchArgument)
	mode, _ := v.(string)
	f.any = strings.HasPrefix(mode, "any")
	withX := strings.HasSuffix(mode, "-with-x")
	for _, arg := range sortedByName(e.Arguments) {
		if hidden(arg.Name, withX) {
			continue
		}
		key := appendName(nil, arg.Name)
		if arg.Value == nil {
			key = append(key, tagPresent)
		} else {
			key = appendValue(key, arg.Value, erased)
		}
		f.wants = append(f.wants, want{arg.Name, string(key), arg.Value == nil})
	}
	return f
}

// accepts goes through wants and headers side by side, both sorted by name, as
// RabbitMQ does. If a name occurs several times, the first of the one is
// compared with the first of the other, and so on.
func (f *filter[T]) accepts(h *headerScratch) bool {
	next := 0
	for i := range f.wants {
		w := &f.wants[i]
		for next < len(h.fields) && h.fields[next].Name < w.name {
			next++
		}
		met := false
		if next < len(h.fields) && h.fields[next].Name == w.name {
			met = w.present || string(h.key(next)) == w.key
			next++
		}
		if met == f.any {
			return met
		}
	}
	return !f.any
}

// load takes in the headers of a message.
func (h *headerScratch) load(headers amqp.Table) {
	h.fields = append(h.fields[:0], headers...)
	slices.SortStableFunc(h.fields, byName)
	h.keys, h.ends = h.keys[:0], h.ends[:0]
	for _, f := range h.fields {
		h.keys = appendName(h.keys, f.Name)
		h.keys = appendValue(h.keys, f.Value, erased)
		h.ends = append(h.ends, len(h.keys))
	}
}

// key returns the key of a header with its value, valid until load.
func (h *headerScratch) key(i int) []byte {
	start := 0
	if i > 0 {
		start = h.ends[i-1]
	}
	return h.keys[start:h.ends[i]]
}

// presence returns the key of a header with any value, valid until the next
// call: it is built behind the keys.
func (h *headerScratch) presence(i int) []byte {
	n := len(h.keys)
	key := append(appendName(h.keys, h.fields[i].Name), tagPresent)
	h.keys = key[:n]
	return key[n:]
}
