package rates

import (
	"encoding/binary"
	"sync"
	"time"
)

// Step is the time between samples that the lengths of histories are meant for.
const Step = 5 * time.Second

const (
	// keptBusy and keptWatched are how many samples an object has whose numbers
	// change, and one that somebody looks at: a minute, and ten minutes and the
	// reserve that RabbitMQ has too.
	keptBusy    = 13
	keptWatched = 122
	// watchedFor is for how many samples an object counts as looked at.
	watchedFor = 121
)

// Group samples the objects of a kind, which keys tell apart. Its methods may be
// called from any goroutine. Use NewGroup.
type Group[K comparable] struct {
	columns int // immutable

	mu sync.RWMutex
	// guarded by mu
	samples uint32 // that were taken
	last    time.Time
	objects map[K]*tracked
}

// tracked is what is known about an object: samples while its numbers change, else the
// last numbers.
type tracked struct {
	resting string // packed
	busy    *ring  // nil at rest
	// The numbers of samples: when it was there last, changed last, was asked for
	// last; 0 is never.
	seen, changed, asked uint32
}

// NewGroup returns a group without samples. Its objects have so many numbers each.
func NewGroup[K comparable](columns int) *Group[K] {
	return &Group[K]{columns: columns, objects: map[K]*tracked{}}
}

// Sample takes a sample: objects calls put for each object that there is, with its
// numbers, which put copies. An object that was not there at the last sample had zeros
// then; those of the first sample began before it.
func (g *Group[K]) Sample(now time.Time, objects func(put func(K, []int64))) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.samples++
	there := 0
	var packed []byte
	objects(func(k K, numbers []int64) {
		packed = pack(packed[:0], numbers)
		o := g.objects[k]
		switch {
		case o == nil && len(packed) == 0:
			return
		case o == nil:
			o = &tracked{}
			g.objects[k] = o
			if g.samples == 1 {
				o.resting = string(packed)
			}
		}
		if o.seen != g.samples {
			o.seen = g.samples
			there++
		}
		g.put(o, now, numbers, packed)
	})
	g.last = now
	if there == len(g.objects) {
		return
	}
	for k, o := range g.objects {
		if o.seen != g.samples {
			delete(g.objects, k)
		}
	}
}

// put enters the numbers of an object.
func (g *Group[K]) put(o *tracked, now time.Time, numbers []int64, packed []byte) {
	changes := o.busy != nil && !o.busy.endsWith(numbers) || o.busy == nil && string(packed) != o.resting
	if changes {
		o.changed = g.samples
	}
	watched := o.asked != 0 && g.samples-o.asked <= watchedFor
	if o.busy == nil {
		if !changes && !watched || g.samples == 1 {
			return
		}
		o.busy = &ring{columns: g.columns, keep: keptBusy}
		o.busy.add(g.last, unpack(o.resting, g.columns))
		o.resting = ""
	}
	if o.busy.keep = keptBusy; watched {
		o.busy.keep = keptWatched
	}
	o.busy.add(now, numbers)
	if !watched && g.samples-o.changed >= keptBusy {
		o.resting, o.busy = string(packed), nil
	}
}

// Rates returns how much each number of an object grew a second between the last two
// samples; nil if none did, or nothing is known of it.
func (g *Group[K]) Rates(k K) []float64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	o := g.objects[k]
	if o == nil || o.busy == nil || o.changed != g.samples {
		return nil
	}
	return o.busy.rates()
}

// Past returns what an object was like, as far as that is known. It is kept for longer
// from now on, until nobody has asked for it for ten minutes.
func (g *Group[K]) Past(k K) Past {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.objects[k]
	switch {
	case o == nil:
		return Past{columns: g.columns, now: g.last}
	case o.busy == nil:
		o.asked = g.samples
		at := ring{columns: g.columns, keep: 1}
		at.add(g.last, unpack(o.resting, g.columns))
		return at.past()
	}
	o.asked = g.samples
	return o.busy.past()
}

// Tracked returns of how many objects something is remembered.
func (g *Group[K]) Tracked() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.objects)
}

// pack appends numbers as varints, without the zeros at the end: nothing if all are 0.
func pack(b []byte, numbers []int64) []byte {
	end := len(numbers)
	for end > 0 && numbers[end-1] == 0 {
		end--
	}
	for _, n := range numbers[:end] {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func unpack(packed string, columns int) []int64 {
	numbers := make([]int64, columns)
	b := []byte(packed)
	for i := 0; len(b) > 0; i++ {
		n, used := binary.Varint(b)
		numbers[i], b = n, b[used:]
	}
	return numbers
}
