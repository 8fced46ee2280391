package binding

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// anyIndex is what the four indexes have in common.
type anyIndex interface {
	Add(key string, args amqp.Table, dest string) (bool, error)
	Remove(key string, args amqp.Table, dest string) bool
	RemoveDestination(dest string) []Binding[string]
	Has(key string, args amqp.Table, dest string) bool
	To(dest string) []Binding[string]
	All() iter.Seq[Binding[string]]
	Len() int
}

// subject is an index and a way to see all destinations of a message that
// matches every binding made with the key "k".
type subject struct {
	anyIndex
	match func() []string
}

func subjects() map[string]subject {
	d, f, t, h := NewDirect[string](), NewFanout[string](), NewTopic[string](), NewHeaders[string]()
	var s Scratch
	return map[string]subject{
		"direct":  {d, func() []string { return d.Match("k", &s, nil) }},
		"fanout":  {f, func() []string { return f.Match(nil) }},
		"topic":   {t, func() []string { return t.Match("k", &s, nil) }},
		"headers": {h, func() []string { return h.Match(nil, &s, nil) }},
	}
}

func mustAdd[T comparable](t testing.TB, x interface {
	Add(string, amqp.Table, T) (bool, error)
}, key string, args amqp.Table, dest T) bool {
	t.Helper()
	added, err := x.Add(key, args, dest)
	if err != nil {
		t.Fatalf("Add(%q, %v): %v", key, args, err)
	}
	return added
}

// hiddenArgs make bindings differ without a say in the match of any index.
func hiddenArgs(n int) amqp.Table { return amqp.Table{{Name: "x-n", Value: int64(n)}} }

func sorted[T ~[]string](s T) []string {
	out := slices.Clone([]string(s))
	slices.Sort(out)
	return out
}

func TestIndexKeepsEachBindingOnce(t *testing.T) {
	for name, x := range subjects() {
		t.Run(name, func(t *testing.T) {
			if !mustAdd(t, x.anyIndex, "k", nil, "q") {
				t.Error("the first Add says: not new")
			}
			if mustAdd(t, x.anyIndex, "k", amqp.Table{}, "q") {
				t.Error("the same binding again says: new")
			}
			for _, other := range []Binding[string]{{"r", "k", nil}, {"q", "l", nil}, {"q", "k", hiddenArgs(1)}} {
				if !mustAdd(t, x.anyIndex, other.Key, other.Arguments, other.Destination) {
					t.Errorf("%v says: not new", other)
				}
			}
			if x.Len() != 4 {
				t.Errorf("Len() = %d, want 4", x.Len())
			}
			if got := sorted(x.match()); !slices.Equal(got, []string{"q", "r"}) {
				t.Errorf("match = %v, want q and r once each", got)
			}
		})
	}
}

func TestIndexMatchesUntilTheLastBindingGoes(t *testing.T) {
	for name, x := range subjects() {
		t.Run(name, func(t *testing.T) {
			mustAdd(t, x.anyIndex, "k", nil, "q")
			mustAdd(t, x.anyIndex, "k", hiddenArgs(1), "q")
			if x.Remove("k", hiddenArgs(2), "q") || x.Remove("k", nil, "r") || x.Remove("l", nil, "q") {
				t.Error("Remove of an absent binding says: was there")
			}
			if !x.Remove("k", nil, "q") || x.Has("k", nil, "q") || !x.Has("k", hiddenArgs(1), "q") {
				t.Error("Remove took the wrong binding or none")
			}
			if got := x.match(); !slices.Equal(got, []string{"q"}) {
				t.Errorf("with one of two bindings left, match = %v", got)
			}
			if !x.Remove("k", hiddenArgs(1), "q") {
				t.Error("Remove of the other binding says: was not there")
			}
			if got := x.match(); len(got) > 0 || x.Len() != 0 {
				t.Errorf("with no bindings left, match = %v, Len() = %d", got, x.Len())
			}
		})
	}
}

func TestIndexListsInOrderOfAge(t *testing.T) {
	for name, x := range subjects() {
		t.Run(name, func(t *testing.T) {
			for i := range 6 {
				mustAdd(t, x.anyIndex, fmt.Sprint(i), nil, fmt.Sprint("q", i%2))
			}
			x.Remove("2", nil, "q0")
			mustAdd(t, x.anyIndex, "2", nil, "q0")
			var keys []string
			for b := range x.All() {
				keys = append(keys, b.Key)
			}
			if want := []string{"0", "1", "3", "4", "5", "2"}; !slices.Equal(keys, want) {
				t.Errorf("All() = %v, want %v", keys, want)
			}
			for range x.All() {
				break // must not go on
			}
			keys = nil
			for _, b := range x.RemoveDestination("q0") {
				keys = append(keys, b.Key)
			}
			if want := []string{"0", "4", "2"}; !slices.Equal(keys, want) {
				t.Errorf("RemoveDestination() = %v, want %v", keys, want)
			}
			if len(x.To("q0")) != 0 || len(x.To("q1")) != 3 || x.Len() != 3 {
				t.Errorf("left: to q0 %v, to q1 %v, Len() %d", x.To("q0"), x.To("q1"), x.Len())
			}
			if got := x.RemoveDestination("q0"); got != nil {
				t.Errorf("RemoveDestination of an unbound one = %v", got)
			}
		})
	}
}

// churn removes a binding or all to its destination, or adds it, at random, from
// an index and from a list, and returns the list.
func churn(t *testing.T, random *rand.Rand, x anyIndex, list []Binding[string], b Binding[string]) []Binding[string] {
	t.Helper()
	at := slices.IndexFunc(list, func(c Binding[string]) bool {
		return c.Destination == b.Destination && c.Key == b.Key &&
			Identity(c.Arguments) == Identity(b.Arguments)
	})
	switch random.IntN(8) {
	case 0:
		x.RemoveDestination(b.Destination)
		list = slices.DeleteFunc(list, func(c Binding[string]) bool {
			return c.Destination == b.Destination
		})
	case 1, 2, 3:
		if got := x.Remove(b.Key, b.Arguments, b.Destination); got != (at >= 0) {
			t.Fatalf("Remove(%v) = %t, in list at %d", b, got, at)
		}
		if at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
	default:
		if got := mustAdd(t, x, b.Key, b.Arguments, b.Destination); got != (at < 0) {
			t.Fatalf("Add(%v) = %t, in list at %d", b, got, at)
		}
		if at < 0 {
			list = append(list, b)
		}
	}
	return list
}

// Random changes against a plain list. The match that subjects offer sees the
// key "k" only, in all but fanout and headers.
func TestIndexAgainstList(t *testing.T) {
	for name, x := range subjects() {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var list []Binding[string]
			for range 5000 {
				b := Binding[string]{
					Destination: fmt.Sprint("q", random.IntN(40)),
					Key:         []string{"k", "l"}[random.IntN(2)],
					Arguments:   hiddenArgs(random.IntN(2)),
				}
				list = churn(t, random, x.anyIndex, list, b)
				want := map[string]bool{}
				for _, b := range list {
					if b.Key == "k" || name == "fanout" || name == "headers" {
						want[b.Destination] = true
					}
				}
				got := x.match()
				for _, dest := range got {
					if !want[dest] {
						t.Fatalf("match = %v: %s is not in %v, or twice", got, dest, list)
					}
					delete(want, dest)
				}
				if len(want) > 0 || x.Len() != len(list) {
					t.Fatalf("match = %v lacks %v; Len() = %d, want %d", got, want, x.Len(), len(list))
				}
			}
		})
	}
}

// Everybody else's entries are taken away behind the index's back: whoever
// looks at one of them, rather than going straight to its own, panics.
func TestRemoveDestinationLooksAtNoOther(t *testing.T) {
	const others = 10_000
	x := NewDirect[int]()
	for i := range others {
		mustAdd(t, x, "shared", nil, i)
		mustAdd(t, x, fmt.Sprint(i), nil, i)
	}
	for i := range 3 {
		mustAdd(t, x, fmt.Sprint("mine", i), nil, -1)
	}
	mustAdd(t, x, "shared", nil, -1)
	for id, e := range x.entries {
		if e.Destination >= 0 {
			x.entries[id] = nil
		}
	}
	for i := range x.keys["shared"].entries[:others] {
		x.keys["shared"].entries[i] = nil
	}
	for i := range others {
		x.destinations[i] = nil
		x.keys[fmt.Sprint(i)].entries[0] = nil
	}
	if got := x.RemoveDestination(-1); len(got) != 4 {
		t.Errorf("removed %v, want 4 bindings", got)
	}
	if x.Len() != 2*others {
		t.Errorf("Len() = %d, want %d", x.Len(), 2*others)
	}
}

// Slots stay small however many destinations come and go.
func TestSlotsAreReused(t *testing.T) {
	x := NewFanout[int]()
	for i := range 1000 {
		mustAdd(t, x, "", nil, i)
		mustAdd(t, x, "", nil, i+1)
		if i > 0 {
			x.RemoveDestination(i - 1)
		}
		for _, d := range x.destinations {
			if d.slot > 2 {
				t.Fatalf("slot %d with %d destinations", d.slot, len(x.destinations))
			}
		}
	}
}
