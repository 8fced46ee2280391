package badger

import (
	"slices"
	"sync"
)

// indexCache keeps decoded indexes, so that who reads a chunk in pieces does not
// decode it for each of them.
type indexCache struct {
	mu     sync.Mutex
	recent []cachedIndex // least recently used first
	places int           // in all of them
}

type cachedIndex struct {
	chunk uint64
	x     *index
}

// find returns the index of a chunk, or nil.
func (c *indexCache) find(chunk uint64) *index {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.recent) - 1; i >= 0; i-- {
		if f := c.recent[i]; f.chunk == chunk {
			copy(c.recent[i:], c.recent[i+1:])
			c.recent[len(c.recent)-1] = f
			return f.x
		}
	}
	return nil
}

// add keeps an index, and lets go of others until there are at most so many
// places and cacheEntries.
func (c *indexCache) add(chunk uint64, x *index, most int) {
	if x.places > most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.recent) > 0 && (c.places+x.places > most || len(c.recent) >= cacheEntries) {
		c.places -= c.recent[0].x.places
		c.recent = slices.Delete(c.recent, 0, 1)
	}
	c.places += x.places
	c.recent = append(c.recent, cachedIndex{chunk, x})
}

// cacheEntries is how many indexes are searched at most.
const cacheEntries = 32

// remove lets go of the index of a chunk that is deleted.
func (c *indexCache) remove(chunk uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent = slices.DeleteFunc(c.recent, func(f cachedIndex) bool {
		if f.chunk == chunk {
			c.places -= f.x.places
			return true
		}
		return false
	})
}
