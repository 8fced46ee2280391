package binding

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp"
)

// Consistent is the index of bindings whose key is a weight, from 1 to 10000: of
// all destinations a message gets one, by its hash, so that each has a part of the
// hashes in proportion to the sum of its weights. Arguments play no part.
//
// What belongs to a destination depends on nothing but the destinations and their
// weights, not on when they came; and when weight is added or taken away, only
// hashes move to or from that destination. It is weighted rendezvous hashing: each
// destination draws a number by the hash and by what identifies it, exponentially
// distributed with its weight as the rate, and the least number wins. To match
// costs time for each destination, but a weight takes no memory.
type Consistent[T comparable] struct {
	set[T]
	identify func(T) string
	shares   []share[T] // by id
}

// share is what one destination of a Consistent has.
type share[T comparable] struct {
	id     string
	seed   Hash
	weight float64 // a sum of integers
	to     T
}

const maxWeight = 10000

// NewConsistent returns an empty index. No two destinations may have the same
// identity at a time; which of them gets what is decided by it.
func NewConsistent[T comparable](identify func(T) string) *Consistent[T] {
	c := &Consistent[T]{identify: identify}
	c.set = newSet[T](c)
	return c
}

// Add adds a binding and reports whether it is new. The error is 406: the key is
// no weight. The index keeps args.
func (c *Consistent[T]) Add(key string, args amqp.Table, dest T) (added bool, err error) {
	if _, err := parseWeight(key); err != nil {
		return false, err
	}
	return c.set.Add(key, args, dest)
}

// Match appends the one destination of the hash to dst; none if there are no
// bindings.
func (c *Consistent[T]) Match(h Hash, dst []T) []T {
	least, winner := math.Inf(1), -1
	for i := range c.shares {
		s := &c.shares[i]
		draw := float64((h^s.seed).mix()>>11+1) / (1 << 53) // above 0, at most 1
		if 1-draw > least*s.weight {
			continue // the logarithm is as large at least
		}
		if n := -math.Log(draw) / s.weight; n < least {
			least, winner = n, i
		}
	}
	if winner < 0 {
		return dst
	}
	return append(dst, c.shares[winner].to)
}

func (c *Consistent[T]) attach(e *entry[T]) {
	weight, _ := parseWeight(e.Key) // Add has seen to it
	at, found := c.find(e.Destination)
	if !found {
		id := c.identify(e.Destination)
		c.shares = slices.Insert(c.shares, at, share[T]{id: id, seed: Hash(HashText(id).mix()), to: e.Destination})
	}
	c.shares[at].weight += float64(weight)
}

func (c *Consistent[T]) detach(e *entry[T]) {
	weight, _ := parseWeight(e.Key)
	at, _ := c.find(e.Destination)
	if e.of.bindings.len == 0 {
		c.shares = slices.Delete(c.shares, at, at+1)
		return
	}
	c.shares[at].weight -= float64(weight)
}

// find returns the place of a destination, or where it belongs.
func (c *Consistent[T]) find(dest T) (at int, found bool) {
	return slices.BinarySearchFunc(c.shares, c.identify(dest), func(s share[T], id string) int {
		return cmp.Compare(s.id, id)
	})
}

// parseWeight reads a binding key.
func parseWeight(key string) (int64, error) {
	n, err := strconv.ParseInt(key, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax), err != nil && !digits(key[1:]):
		// ParseInt reads no further than what is too much.
		return 0, amqp.PreconditionFailed("The binding key must be an integer: %s", amqp.Term(key))
	case n < 1: // what is out of range has the nearest value
		return 0, amqp.PreconditionFailed("The binding key must be greater than 0")
	case n > maxWeight:
		return 0, amqp.PreconditionFailed("The binding key must not exceed %d", maxWeight)
	}
	return n, nil
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
