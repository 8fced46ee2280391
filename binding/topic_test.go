package binding

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// topicMatches is the plain definition that the trie is checked against.
func topicMatches(pattern, key string) bool {
	return wordsMatch(topicWords(pattern), topicWords(key))
}

func topicWords(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

func wordsMatch(pattern, words []string) bool {
	switch {
	case len(pattern) == 0:
		return len(words) == 0
	case pattern[0] == "#":
		return wordsMatch(pattern[1:], words) || len(words) > 0 && wordsMatch(pattern, words[1:])
	}
	return len(words) > 0 && (pattern[0] == "*" || pattern[0] == words[0]) &&
		wordsMatch(pattern[1:], words[1:])
}

var topicCases = []struct {
	pattern, key string
	want         bool
}{
	{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.b", "a", false}, {"a", "a.b", false},
	{"a.*.c", "a.b.c", true}, {"a.*.c", "a.c", false}, {"a.*.c", "a.b.b.c", false},
	{"*", "a", true}, {"*", "a.b", false}, {"*.*", "a.b", true},
	{"#", "a.b.c", true}, {"a.#", "a", true}, {"a.#", "a.b.c", true}, {"a.#", "b", false},
	{"#.c", "c", true}, {"#.c", "a.b.c", true}, {"#.c", "a.b", false}, {"#.c", "c.c", true},
	{"a.#.c", "a.c", true}, {"a.#.c", "a.b.b.c", true}, {"a.#.c", "a.c.b", false},
	{"#.#", "a", true}, {"#.*", "a.b", true}, {"*.#", "a", true}, {"#.a.#.b.#", "x.a.y.b.z", true},
	{"#.a.#.b.#", "b.a", false}, {"#.a.#.a.#", "a", false}, {"#.a.#.a.#", "a.a", true},
	// The empty key has no words; the empty pattern is for it alone.
	{"", "", true}, {"#", "", true}, {"*", "", false}, {"#.#", "", true}, {"#.*", "", false}, {"", "a", false},
	// Elsewhere an empty word is a word.
	{"*", ".", false}, {"*.*", ".", true}, {"a.*.b", "a..b", true}, {"a..b", "a..b", true}, {"a.b", "a..b", false},
	{"a.", "a.", true}, {"a.", "a", false}, {"a.*", "a.", true}, {".", ".", true}, {"..", ".", false},
	// Wildcards in a routing key are words like others.
	{"a", "*", false}, {"a.b", "#", false}, {"*", "#", true}, {"#.a", "#.a", true}, {"*.a", "*.a", true}, {"b.a", "*.a", false},
	// A wildcard is a whole word.
	{"a*", "ab", false}, {"a*", "a*", true}, {"##", "a", false},
}

func TestTopicMatch(t *testing.T) {
	var s Scratch
	all := NewTopic[string]()
	for _, c := range topicCases {
		mustAdd(t, all, c.pattern, nil, c.pattern)
		if topicMatches(c.pattern, c.key) != c.want {
			t.Errorf("the definition in this test is wrong for %q, %q", c.pattern, c.key)
		}
		one := NewTopic[string]()
		mustAdd(t, one, c.pattern, nil, "q")
		if got := len(one.Match(c.key, &s, nil)) > 0; got != c.want {
			t.Errorf("alone: %q matches %q = %t, want %t", c.pattern, c.key, got, c.want)
		}
	}
	for _, c := range topicCases {
		if got := slices.Contains(all.Match(c.key, &s, nil), c.pattern); got != c.want {
			t.Errorf("among others: %q matches %q = %t, want %t", c.pattern, c.key, got, c.want)
		}
	}
}

// randomWords is up to 5 of the words, dotted.
func randomWords(random *rand.Rand, words ...string) string {
	chosen := make([]string, random.IntN(6))
	for i := range chosen {
		chosen[i] = words[random.IntN(len(words))]
	}
	return strings.Join(chosen, ".")
}

func TestTopicAgainstDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var s Scratch
	for range 200 {
		x, patterns := NewTopic[string](), map[string]bool{}
		for range random.IntN(60) {
			p := randomWords(random, "a", "b", "", "*", "#", "#")
			patterns[p] = true
			mustAdd(t, x, p, nil, p)
		}
		for p := range patterns {
			if random.IntN(3) == 0 {
				delete(patterns, p)
				x.Remove(p, nil, p)
			}
		}
		for range 30 {
			key := randomWords(random, "a", "b", "", "*", "#", "c")
			got := sorted(x.Match(key, &s, nil))
			var want []string
			for p := range patterns {
				if topicMatches(p, key) {
					want = append(want, p)
				}
			}
			if want = sorted(want); !slices.Equal(got, want) {
				t.Fatalf("key %q: got %q, want %q\nof %v", key, got, want, patterns)
			}
		}
	}
}

func TestTopicNamesADestinationOnce(t *testing.T) {
	x := NewTopic[int]()
	for i := range 100 { // beyond what a smallSet keeps in a list
		for _, p := range []string{"#", "a.#", "*.b", "#.b.#", "a.b"} {
			mustAdd(t, x, p, nil, i)
		}
	}
	var s Scratch
	got := x.Match("a.b", &s, nil)
	slices.Sort(got)
	if len(got) != 100 || len(slices.Compact(got)) != 100 {
		t.Errorf("%d destinations, want 100 distinct ones", len(got))
	}
}

// The work of a match is bounded by the nodes: a level cannot hold one twice.
func TestTopicManyHashesDoNotBlowUp(t *testing.T) {
	x := NewTopic[int]()
	pattern := strings.Repeat("#.a.", 60) + "#"
	mustAdd(t, x, pattern, nil, 1)
	mustAdd(t, x, strings.Repeat("#.", 60)+"b", nil, 2)
	mustAdd(t, x, strings.Repeat("#.*.", 60)+"b", nil, 3)
	var s Scratch
	key := strings.TrimSuffix(strings.Repeat("a.", 127), ".")
	active, most := x.enter(nil, root, &s), 0
	for range strings.Split(key, ".") {
		active = x.step(nil, active, "a", &s)
		most = max(most, len(active))
		seen := slices.Clone(active)
		slices.Sort(seen)
		if len(slices.Compact(seen)) != len(active) {
			t.Fatalf("a node twice among %d active ones", len(active))
		}
	}
	if most > len(x.nodes) {
		t.Errorf("%d active nodes of %d", most, len(x.nodes))
	}
	if got := x.Match(key, &s, nil); !slices.Equal(got, []int{1}) {
		t.Errorf("match = %v, want 1", got)
	}
}

func TestTopicPrunes(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	x := NewTopic[string]()
	for round := range 3 {
		for range 500 {
			p := randomWords(random, "a", "b", "c", fmt.Sprint("w", random.IntN(99)), "*", "#")
			mustAdd(t, x, p, nil, "q")
			mustAdd(t, x, p, hiddenArgs(1), "q")
			mustAdd(t, x, p, nil, "r")
		}
		nodes := len(x.nodes)
		x.RemoveDestination("r")
		if len(x.freeNodes) > 0 {
			t.Fatalf("round %d: nodes freed while q is bound to all of them", round)
		}
		for _, b := range x.To("q") {
			x.Remove(b.Key, b.Arguments, "q")
		}
		if len(x.edges) != 0 || len(x.words) != 0 || len(x.freeNodes) != nodes-1 || len(x.nodes) != nodes {
			t.Fatalf("round %d: left %d edges, %d words, %d of %d nodes",
				round, len(x.edges), len(x.words), nodes-len(x.freeNodes), nodes)
		}
		if at := &x.nodes[root]; at.star != 0 || at.hash != 0 || at.literals != 0 {
			t.Fatalf("round %d: the root has children: %+v", round, at)
		}
	}
}

func FuzzTopic(f *testing.F) {
	for _, c := range topicCases {
		f.Add(c.pattern, "a.#", c.key)
	}
	f.Add("#.a.#.b.#", "#.#.b", "a.b.a.b")
	f.Fuzz(func(t *testing.T, first, second, key string) {
		if strings.Count(first, "#")+strings.Count(second, "#") > 8 || len(key) > 40 {
			t.Skip("the definition takes exponential time")
		}
		x := NewTopic[string]()
		mustAdd(t, x, first, nil, "first")
		mustAdd(t, x, second, nil, "second")
		var s Scratch
		for range 2 {
			got := x.Match(key, &s, nil)
			if slices.Contains(got, "first") != topicMatches(first, key) ||
				slices.Contains(got, "second") != topicMatches(second, key) || len(got) > 2 {
				t.Fatalf("%q and %q, key %q: got %q", first, second, key, got)
			}
		}
		x.Remove(first, nil, "first")
		if got := x.Match(key, &s, nil); len(got) > 0 != topicMatches(second, key) {
			t.Fatalf("%q after removal of %q, key %q: got %q", second, first, key, got)
		}
		x.Remove(second, nil, "second")
		if len(x.edges) != 0 || len(x.words) != 0 || len(x.freeNodes) != len(x.nodes)-1 {
			t.Fatalf("%q and %q are gone, but nodes are left", first, second)
		}
	})
}
