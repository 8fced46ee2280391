package binding

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func itself(s string) string { return s }

// choice is an index that names one destination, and the destinations that it may
// name by its definition, for a list of bindings that is not empty.
type choice struct {
	anyIndex
	match func(h Hash) []string
	want  func(h Hash, list []Binding[string]) []string
}

func choices() map[string]choice {
	c, m, r := NewConsistent(itself), NewModulus(itself), NewRandom[string]()
	return map[string]choice{
		"consistent": {c, func(h Hash) []string { return c.Match(h, nil) },
			func(h Hash, list []Binding[string]) []string { return []string{drawn(h, weights(list))} }},
		"modulus": {m, func(h Hash) []string { return m.Match(h, nil) },
			func(h Hash, list []Binding[string]) []string {
				all := destinations(list)
				return all[h.mix()%uint64(len(all)):][:1]
			}},
		"random": {r, func(Hash) []string { return r.Match(nil) },
			func(_ Hash, list []Binding[string]) []string { return destinations(list) }},
	}
}

// destinations is that of each binding, sorted.
func destinations(list []Binding[string]) []string {
	var out []string
	for _, b := range list {
		out = append(out, b.Destination)
	}
	slices.Sort(out)
	return out
}

func weights(list []Binding[string]) map[string]float64 {
	out := map[string]float64{}
	for _, b := range list {
		n, err := parseWeight(b.Key)
		if err != nil {
			panic(err)
		}
		out[b.Destination] += float64(n)
	}
	return out
}

// drawn is weighted rendezvous hashing as it is defined: all draw, in any order.
func drawn(h Hash, weights map[string]float64) (winner string) {
	least := math.Inf(1)
	for to, weight := range weights {
		bits := (h ^ Hash(HashText(to).mix())).mix() >> 11
		if n := -math.Log(float64(bits+1)/(1<<53)) / weight; n < least {
			least, winner = n, to
		}
	}
	return winner
}

func TestChoiceAgainstList(t *testing.T) {
	for name, x := range choices() {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(21, 22))
			var list []Binding[string]
			for range 5000 {
				b := Binding[string]{
					Destination: fmt.Sprint("q", random.IntN(20)),
					Key:         []string{"1", "20", "10000"}[random.IntN(3)],
					Arguments:   hiddenArgs(random.IntN(2)),
				}
				list = churn(t, random, x.anyIndex, list, b)
				wantChoice(t, x, Hash(random.Uint64()), list)
			}
		})
	}
}

func wantChoice(t *testing.T, x choice, h Hash, list []Binding[string]) {
	t.Helper()
	got := x.match(h)
	switch {
	case x.Len() != len(list):
		t.Fatalf("Len() = %d, want %d", x.Len(), len(list))
	case len(list) == 0:
		if len(got) > 0 {
			t.Fatalf("match = %v without bindings", got)
		}
	case len(got) != 1 || !slices.Contains(x.want(h, list), got[0]):
		t.Fatalf("match = %v, want one of %v\nof %v", got, x.want(h, list), list)
	}
	i := 0
	for b := range x.All() {
		if b.Destination != list[i].Destination || b.Key != list[i].Key {
			t.Fatalf("binding %d is %v, want %v", i, b, list[i])
		}
		i++
	}
}

// consistent makes an index of destinations with weights.
func consistent(t testing.TB, weights map[string]int) *Consistent[string] {
	c := NewConsistent(itself)
	for to, weight := range weights {
		mustAdd(t, c, fmt.Sprint(weight), nil, to)
	}
	return c
}

const manyKeys = 40_000

// chosen is the destination of each of many keys.
func chosen(match func(h Hash, dst []string) []string) []string {
	out := make([]string, 0, manyKeys)
	for i := range manyKeys {
		out = match(HashText(fmt.Sprint("key.", i)), out)
	}
	return out
}

// wantShares checks how often each was chosen. Five standard deviations are what
// chance exceeds once in a million times.
func wantShares(t *testing.T, got []string, weights map[string]int) {
	t.Helper()
	counts, total := map[string]int{}, 0
	for _, to := range got {
		counts[to]++
	}
	for _, w := range weights {
		total += w
	}
	for to, w := range weights {
		n, p := float64(len(got)), float64(w)/float64(total)
		if off := math.Abs(float64(counts[to]) - n*p); off > 5*math.Sqrt(n*p*(1-p)) {
			t.Errorf("%s has %d of %d, want %.0f", to, counts[to], len(got), n*p)
		}
	}
}

func TestConsistentSharesByWeight(t *testing.T) {
	for _, weights := range []map[string]int{
		{"a": 1, "b": 1},
		{"a": 1, "b": 2, "c": 3, "d": 10},
		{"orders.1": 10, "orders.2": 10, "orders.3": 10, "orders.4": 10, "orders.5": 10},
		{"little": 1, "much": 10000},
	} {
		wantShares(t, chosen(consistent(t, weights).Match), weights)
	}
}

// Several bindings to one destination add up.
func TestConsistentSumsWeights(t *testing.T) {
	c := consistent(t, map[string]int{"a": 5, "b": 5})
	mustAdd(t, c, "3", nil, "a")
	mustAdd(t, c, "3", hiddenArgs(1), "a")
	wantShares(t, chosen(c.Match), map[string]int{"a": 11, "b": 5})
	c.Remove("3", nil, "a")
	wantShares(t, chosen(c.Match), map[string]int{"a": 8, "b": 5})
}

func TestConsistentMovesNoMoreThanItMust(t *testing.T) {
	weights := map[string]int{"a": 10, "b": 20, "c": 30, "d": 40}
	c := consistent(t, weights)
	before := chosen(c.Match)
	// moved checks that all that changed went to, or came from, one destination,
	// and that the rest is as weights say.
	moved := func(what, to, from string) {
		t.Helper()
		after := chosen(c.Match)
		for i := range after {
			if after[i] != before[i] && after[i] != to && before[i] != from {
				t.Fatalf("%s: key %d went from %s to %s", what, i, before[i], after[i])
			}
		}
		wantShares(t, after, weights)
		before = after
	}
	mustAdd(t, c, "25", nil, "e")
	weights["e"] = 25
	moved("one more", "e", "")

	mustAdd(t, c, "15", nil, "b")
	weights["b"] = 35
	moved("more weight", "b", "")

	c.Remove("20", nil, "b")
	weights["b"] = 15
	moved("less weight", "", "b")

	c.RemoveDestination("c")
	delete(weights, "c")
	moved("one less", "", "c")

	mustAdd(t, c, "30", nil, "c")
	weights["c"] = 30
	moved("it comes back", "c", "")
}

// These are the choices of everybody's data: who changes them moves messages to
// other queues after an upgrade.
func TestChoicesStay(t *testing.T) {
	c := consistent(t, map[string]int{"q1": 1, "q2": 2, "q3": 3, "q4": 4})
	even := consistent(t, map[string]int{"q1": 1, "q2": 1, "q3": 1, "q4": 1})
	m := NewModulus(itself)
	for _, to := range []string{"q3", "q1", "q4", "q2"} {
		mustAdd(t, m, "", nil, to)
	}
	var s Scratch
	for _, test := range []struct {
		h    Hash
		want [3]string
	}{
		{0, [3]string{"q4", "q4", "q1"}},
		{HashText(""), [3]string{"q4", "q2", "q3"}},
		{HashText("a"), [3]string{"q2", "q2", "q4"}},
		{HashText("order.4711"), [3]string{"q3", "q3", "q1"}},
		{HashText("a").Then(HashText("b")), [3]string{"q4", "q4", "q3"}},
		{HashValue(int32(42), &s), [3]string{"q3", "q2", "q2"}},
		{HashValue("a", &s), [3]string{"q4", "q4", "q3"}},
		{HashValue(nil, &s), [3]string{"q3", "q3", "q3"}},
	} {
		got := [3]string{c.Match(test.h, nil)[0], even.Match(test.h, nil)[0], m.Match(test.h, nil)[0]}
		if got != test.want {
			t.Errorf("hash %x: %q, want %q", test.h, got, test.want)
		}
	}
}

func TestHashValueIgnoresWidth(t *testing.T) {
	var s Scratch
	for _, same := range [][]any{{int8(7), int32(7), int64(7), float64(7)}, {"x", []byte("x")}} {
		for _, v := range same {
			if HashValue(v, &s) != HashValue(same[0], &s) {
				t.Errorf("%T %v differs from %T", v, v, same[0])
			}
		}
	}
	if HashValue("7", &s) == HashValue(int32(7), &s) {
		t.Error("a text is no number")
	}
}

func TestModulusAndRandomShareByBindings(t *testing.T) {
	m, r := NewModulus(itself), NewRandom[string]()
	want := map[string]int{"a": 1, "b": 3, "c": 1}
	for to, n := range want {
		for i := range n {
			mustAdd(t, m, fmt.Sprint(i), nil, to)
			mustAdd(t, r, fmt.Sprint(i), nil, to)
		}
	}
	wantShares(t, chosen(m.Match), want)
	wantShares(t, chosen(func(_ Hash, dst []string) []string { return r.Match(dst) }), want)
}

// Keys move to others when the number changes, but not by who came first.
func TestModulusDoesNotDependOnOrder(t *testing.T) {
	names := []string{"c", "a", "d", "b"}
	var first []string
	for range 5 {
		m := NewModulus(itself)
		for _, to := range names {
			mustAdd(t, m, "", nil, to)
		}
		m.Remove("", nil, names[0])
		mustAdd(t, m, "", nil, names[0])
		got := chosen(m.Match)
		if first == nil {
			first = got
		}
		if !slices.Equal(got, first) {
			t.Fatalf("the order %v makes a difference", names)
		}
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
}
