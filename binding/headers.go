package binding

import (
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp"
)

// Headers is the index of bindings whose arguments are compared with the
// headers of the message [3.1.3.4]; keys play no part. The argument x-match
// says how: "all" of the other arguments must be found among the headers, which
// is the default, or "any". With these two, arguments whose name begins with
// "x-" are left out; "all-with-x" and "any-with-x" take them in, except for
// x-match. A void argument asks for the header with any value. Values are
// equal as in RabbitMQ, which does not look at their types: 1 is 1 in any
// width, also as a float or timestamp, and text is the same as bytes.
//
// Each binding is filed under one header that it needs (all) or under each
// header that would do (any), so that a match looks at candidates only.
type Headers[T comparable] struct {
	set[T]
	// files holds the filters by the key of the header they are filed under.
	files map[string][]*filter[T]
	// always holds those that no header is needed for.
	always []*filter[T]
}

const (
	matchArgument = "x-match"
	hiddenPrefix  = "x-"
)

// NewHeaders returns an empty index.
func NewHeaders[T comparable]() *Headers[T] {
	h := &Headers[T]{files: make(map[string][]*filter[T])}
	h.set = newSet[T](h)
	return h
}

// Add adds a binding and reports whether it is new. The error is 406: an
// x-match that is none of the four, or is not a string. The index keeps args.
func (h *Headers[T]) Add(key string, args amqp.Table, dest T) (added bool, err error) {
	if v, ok := args.Get(matchArgument); ok {
		text, isText := v.(string)
		if !isText {
			return false, amqp.PreconditionFailed(
				"Invalid x-match field type %s (value %s); expected longstr", amqp.TypeName(v), amqp.Term(v))
		}
		switch text {
		case "all", "any", "all-with-x", "any-with-x":
		default:
			return false, amqp.PreconditionFailed(
				"Invalid x-match field value %s; expected all, any, all-with-x, or any-with-x", amqp.Term(v))
		}
	}
	return h.set.Add(key, args, dest)
}

// Match appends the destinations for a message with these headers to dst, each
// once.
func (h *Headers[T]) Match(headers amqp.Table, s *Scratch, dst []T) []T {
	s.found.reset()
	s.header.load(headers)
	dst = h.try(h.always, s, dst)
	for i := range s.header.fields {
		dst = h.try(h.files[string(s.header.key(i))], s, dst)
		dst = h.try(h.files[string(s.header.presence(i))], s, dst)
	}
	return dst
}

func (h *Headers[T]) try(candidates []*filter[T], s *Scratch, dst []T) []T {
	for _, f := range candidates {
		if f.accepts(&s.header) && s.found.add(f.of.slot) {
			dst = append(dst, f.of.value)
		}
	}
	return dst
}

func (h *Headers[T]) attach(e *entry[T]) {
	f := newFilter(e)
	e.filter = f
	switch {
	case f.any:
		for i, want := range f.wants {
			if i == 0 || want.key != f.wants[i-1].key {
				h.file(f, want.key)
			}
		}
	case len(f.wants) == 0:
		f.places = []int{len(h.always)}
		h.always = append(h.always, f)
	default:
		// The rarest header leaves the fewest candidates.
		h.file(f, slices.MinFunc(f.wants, func(a, b want) int {
			return len(h.files[a.key]) - len(h.files[b.key])
		}).key)
	}
}

func (h *Headers[T]) file(f *filter[T], key string) {
	f.filed = append(f.filed, key)
	f.places = append(f.places, len(h.files[key]))
	h.files[key] = append(h.files[key], f)
}

func (h *Headers[T]) detach(e *entry[T]) {
	f := e.filter
	if len(f.filed) == 0 && len(f.places) == 1 {
		h.always = removeFilter(h.always, f.places[0])
		if f.places[0] < len(h.always) {
			h.always[f.places[0]].places[0] = f.places[0]
		}
	}
	for i, key := range f.filed {
		place := f.places[i]
		rest := removeFilter(h.files[key], place)
		if len(rest) == 0 {
			delete(h.files, key)
			continue
		}
		h.files[key] = rest
		if place < len(rest) {
			moved := rest[place]
			moved.places[slices.Index(moved.filed, key)] = place
		}
	}
}

// removeFilter puts the last filter in the place of the one that goes.
func removeFilter[T comparable](file []*filter[T], place int) []*filter[T] {
	last := len(file) - 1
	file[place] = file[last]
	file[last] = nil
	return file[:last]
}

// hidden reports whether an argument is left out of the comparison.
func hidden(name string, withX bool) bool {
	if withX {
		return name == matchArgument
	}
	return strings.HasPrefix(name, hiddenPrefix)
}
