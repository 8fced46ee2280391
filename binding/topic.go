package binding

import "strings"

// Topic is the index of bindings whose key is a pattern of words, split at
// dots: '*' stands for exactly one word, '#' for any number of words, none
// included; any other word for itself [3.1.3.3]. The empty routing key has no
// words, so '#' matches it and '*' does not; but between dots an empty word is
// a word.
//
// The patterns form a trie. A match walks it word by word with the set of all
// nodes that the words so far lead to, so its cost grows with those and neither
// with the number of bindings nor with the ways to read a key that '#' leaves.
type Topic[T comparable] struct {
	set[T]
	trie[T]
}

const (
	anyWord  = "*"
	anyWords = "#"
)

// NewTopic returns an empty index.
func NewTopic[T comparable]() *Topic[T] {
	t := &Topic[T]{trie: newTrie[T]()}
	t.set = newSet[T](t)
	return t
}

// Match appends the destinations of the routing key to dst, each once.
func (t *Topic[T]) Match(key string, s *Scratch, dst []T) []T {
	s.hashes.reset()
	active, next := t.enter(s.active[:0], root, s), s.next[:0]
	for more := key != ""; more && len(active) > 0; {
		var word string
		word, key, more = strings.Cut(key, ".")
		next = t.step(next[:0], active, word, s)
		active, next = next, active
	}
	s.active, s.next = active, next

	s.found.reset()
	for _, n := range active {
		for _, e := range t.nodes[n].here.entries {
			if s.found.add(e.of.slot) {
				dst = append(dst, e.Destination)
			}
		}
	}
	return dst
}

// step appends to next the nodes that one more word leads to.
func (t *trie[T]) step(next, active []uint32, word string, s *Scratch) []uint32 {
	w := t.words[word] // nil: a word of no pattern, which only wildcards match
	for _, n := range active {
		node := &t.nodes[n]
		if node.isHash {
			next = append(next, n) // takes this word too, and has been entered
		}
		if node.star != 0 {
			next = t.enter(next, node.star, s)
		}
		if w == nil || node.literals == 0 {
			continue
		}
		if child, ok := t.edges[edge{n, w.id}]; ok {
			next = t.enter(next, child, s)
		}
	}
	return next
}

// enter appends a node, and the '#' below it because that may stand for no
// word at all, and so on. No node gets into the set twice: one that is not a
// '#' has a single way in, from its parent. A '#' has two, from its parent and
// from itself, but the first is taken twice only if a '#' further up leads to
// the parent twice; so those that have one remember being entered.
func (t *trie[T]) enter(set []uint32, n uint32, s *Scratch) []uint32 {
	for {
		set = append(set, n)
		n = t.nodes[n].hash
		if n == 0 || t.nodes[n].belowHash && !s.hashes.add(n) {
			return set
		}
	}
}

func (t *Topic[T]) attach(e *entry[T]) {
	e.node = t.plant(e.Key)
	t.nodes[e.node].here.add(e)
}

func (t *Topic[T]) detach(e *entry[T]) {
	t.nodes[e.node].here.remove(e)
	t.prune(e.node)
}
