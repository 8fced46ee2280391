package perf

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A topic workload is made up, but always the same: bindings with one or two
// fixed words out of vocabulary, so that a key reaches a few of many queues.
const (
	vocabulary = 100
	topicKeys  = 1000 // distinct routing keys, each of which reaches a queue
	// broadEvery is how often a binding has one fixed word only.
	broadEvery = 100
	// maxTopicBindings of one queue leaves enough patterns to draw from.
	maxTopicBindings = 50_000
)

// word is a number below vocabulary or a wildcard.
type word int16

const (
	oneWord  word = -1 // *
	anyWords word = -2 // #
	fixed    word = -3 // in a form: to be drawn
)

// topicForms are the shapes of the narrow bindings.
var topicForms = [][]word{
	{fixed, fixed, anyWords},
	{oneWord, fixed, fixed},
	{fixed, oneWord, fixed, anyWords},
	{anyWords, fixed, fixed},
	{fixed, anyWords, fixed},
	{oneWord, fixed, oneWord, fixed},
	{oneWord, fixed, fixed, anyWords},
}

// broadForm is the shape of every broadEvery-th.
var broadForm = []word{oneWord, fixed, anyWords}

func joinWords(words []word) string {
	parts := make([]string, len(words))
	for i, w := range words {
		switch w {
		case oneWord:
			parts[i] = "*"
		case anyWords:
			parts[i] = "#"
		default:
			parts[i] = fmt.Sprintf("w%d", w)
		}
	}
	return strings.Join(parts, ".")
}

// topicBindings makes n bindings of queues queues, no two alike.
func topicBindings(n, queues int) []topicBinding {
	rnd := rand.New(rand.NewPCG(1, 1))
	type pair struct {
		queue   int
		pattern string
	}
	seen := make(map[pair]bool, n)
	out := make([]topicBinding, 0, n)
	for tries := 0; len(out) < n; tries++ {
		form := topicForms[tries%len(topicForms)]
		if tries%broadEvery == 0 {
			form = broadForm
		}
		words := make([]word, len(form))
		for i, w := range form {
			if w == fixed {
				w = word(rnd.IntN(vocabulary))
			}
			words[i] = w
		}
		b := topicBinding{queue: len(out) % queues, words: words}
		if p := (pair{b.queue, joinWords(words)}); !seen[p] {
			seen[p] = true
			out = append(out, b)
		}
	}
	return out
}

// topicBinding binds a queue, by its number.
type topicBinding struct {
	queue int
	words []word
}

// topicRoute is a routing key and the queues that it reaches, ascending.
type topicRoute struct {
	key    string
	queues []int
}

// topicRoutes finds topicKeys keys of three to five words that each reach a
// queue. There always are so many, because the first binding is a broad one.
func topicRoutes(bindings []topicBinding, queues int) []topicRoute {
	rnd := rand.New(rand.NewPCG(2, 2))
	out := make([]topicRoute, 0, topicKeys)
	seen := make(map[string]bool)
	for tries := 0; len(out) < topicKeys; tries++ {
		words := make([]word, 3+tries%3)
		for i := range words {
			words[i] = word(rnd.IntN(vocabulary))
		}
		reached := topicReach(bindings, queues, words)
		if len(reached) == 0 {
			continue
		}
		if key := joinWords(words); !seen[key] {
			seen[key] = true
			out = append(out, topicRoute{key, reached})
		}
	}
	return out
}

// topicReach returns the queues that a key reaches, ascending.
func topicReach(bindings []topicBinding, queues int, key []word) []int {
	reached := make([]bool, queues)
	for _, b := range bindings {
		if !reached[b.queue] && topicMatch(b.words, key) {
			reached[b.queue] = true
		}
	}
	var out []int
	for q, yes := range reached {
		if yes {
			out = append(out, q)
		}
	}
	return out
}

// topicMatch reports whether a pattern takes a key: * is one word, # any
// number of them [3.1.3.3].
func topicMatch(pattern, key []word) bool {
	for len(pattern) > 0 {
		if pattern[0] == anyWords {
			for skip := 0; skip <= len(key); skip++ {
				if topicMatch(pattern[1:], key[skip:]) {
					return true
				}
			}
			return false
		}
		if len(key) == 0 || pattern[0] != oneWord && pattern[0] != key[0] {
			return false
		}
		pattern, key = pattern[1:], key[1:]
	}
	return len(key) == 0
}
