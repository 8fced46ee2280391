package binding

import "strings"

// root is the node of no words. As a link it means that there is none.
const root = 0

// trie is the nodes and edges of a Topic. Nodes have small numbers and edges
// are in one map, keyed by numbers: a routing key's word is hashed once, not
// once a node, and a million nodes are few objects for the garbage collector.
type trie[T comparable] struct {
	nodes     []node[T]
	edges     map[edge]uint32
	words     map[string]*word
	freeNodes []uint32
	freeWords []uint32
}

// node is a place in the trie: a sequence of pattern words.
type node[T comparable] struct {
	here       bucket[T] // bindings whose pattern ends here
	word       *word     // the literal word that leads here, nil for a wildcard
	parent     uint32
	star, hash uint32 // children by wildcard
	literals   uint32 // number of children by literal word
	isHash     bool   // '#' leads here
	belowHash  bool   // there is a '#' on the way here, other than the last word
}

// edge is a step down by a literal word.
type edge struct{ node, word uint32 }

// word is a literal word of some pattern.
type word struct {
	text string
	id   uint32
	uses int // edges
}

func newTrie[T comparable]() trie[T] {
	return trie[T]{
		nodes: make([]node[T], 1),
		edges: make(map[edge]uint32),
		words: make(map[string]*word),
	}
}

// plant returns the node of a pattern, made if need be.
func (t *trie[T]) plant(pattern string) uint32 {
	n := uint32(root)
	for more := pattern != ""; more; {
		var text string
		text, pattern, more = strings.Cut(pattern, ".")
		n = t.child(n, text)
	}
	return n
}

// child returns the child of a node by one pattern word, made if need be.
func (t *trie[T]) child(n uint32, text string) uint32 {
	switch text {
	case anyWord:
		if t.nodes[n].star == 0 {
			t.nodes[n].star = t.newNode(n)
		}
		return t.nodes[n].star
	case anyWords:
		if t.nodes[n].hash == 0 {
			c := t.newNode(n)
			t.nodes[c].isHash = true
			t.nodes[n].hash = c
		}
		return t.nodes[n].hash
	}
	w := t.words[text]
	if w == nil {
		w = t.newWord(text)
	}
	c, ok := t.edges[edge{n, w.id}]
	if !ok {
		c = t.newNode(n)
		t.nodes[c].word = w
		t.edges[edge{n, w.id}] = c
		t.nodes[n].literals++
		w.uses++
	}
	return c
}

// newNode must be called before a pointer to a node is taken: it may move them.
func (t *trie[T]) newNode(parent uint32) uint32 {
	p := &t.nodes[parent]
	fresh := node[T]{parent: parent, belowHash: p.isHash || p.belowHash}
	if last := len(t.freeNodes) - 1; last >= 0 {
		n := t.freeNodes[last]
		t.freeNodes = t.freeNodes[:last]
		t.nodes[n] = fresh
		return n
	}
	t.nodes = append(t.nodes, fresh)
	return uint32(len(t.nodes) - 1)
}

// newWord copies the text, which else would keep the whole pattern alive.
func (t *trie[T]) newWord(text string) *word {
	w := &word{text: strings.Clone(text), id: uint32(len(t.words))}
	if last := len(t.freeWords) - 1; last >= 0 {
		w.id = t.freeWords[last]
		t.freeWords = t.freeWords[:last]
	}
	t.words[w.text] = w
	return w
}

// prune removes a node, and then its parents, as long as nothing ends at or
// below it.
func (t *trie[T]) prune(n uint32) {
	for n != root {
		at := &t.nodes[n]
		if len(at.here.entries) > 0 || at.star != 0 || at.hash != 0 || at.literals > 0 {
			return
		}
		parent := &t.nodes[at.parent]
		switch {
		case at.word != nil:
			parent.literals--
			delete(t.edges, edge{at.parent, at.word.id})
			t.release(at.word)
		case at.isHash:
			parent.hash = 0
		default:
			parent.star = 0
		}
		t.freeNodes = append(t.freeNodes, n)
		n, *at = at.parent, node[T]{}
	}
}

// release drops a word when no edge has it any more.
func (t *trie[T]) release(w *word) {
	if w.uses--; w.uses == 0 {
		delete(t.words, w.text)
		t.freeWords = append(t.freeWords, w.id)
	}
}
