package queue

import (
	"math"
	"math/bits"
)

// windowMin and windowMax bound a window, in places in line. It grows to what
// would have been wide enough.
const (
	windowMin = 64
	windowMax = 8192
)

// window puts into order what comes nearly in order: it keeps a place back until
// one comes that is further on in line by the width of the window. It has no
// width, and keeps nothing back, until something comes too late. The zero value
// is ready.
type window struct {
	ring  []placed // each in the slot that its seq says; the length is a power of two
	taken []uint64 // a bit for each slot
	base  uint64   // places before this have gone on
	count int
}

// add takes a place, unless it comes too late, and gives to next, in order, what
// is not kept back any more.
func (w *window) add(p *placed, next func(*placed)) (late bool) {
	if p.seq < w.base {
		w.widen(w.base - p.seq)
		return true
	}
	if w.ring == nil {
		w.base = p.seq + 1
		next(p)
		return false
	}
	if width := uint64(len(w.ring)); p.seq-w.base >= width {
		w.advance(p.seq-width+1, next)
	}
	slot := p.seq & uint64(len(w.ring)-1)
	w.ring[slot] = *p
	w.taken[slot>>6] |= 1 << (slot & 63)
	w.count++
	return false
}

// advance lets go on what is before a place in line.
func (w *window) advance(to uint64, next func(*placed)) {
	for w.count > 0 {
		slot := w.first()
		p := &w.ring[slot]
		if p.seq >= to {
			break
		}
		next(p)
		w.taken[slot>>6] &^= 1 << (slot & 63)
		w.count--
	}
	w.base = to
}

// flush lets all go on.
func (w *window) flush(next func(*placed)) { w.advance(math.MaxUint64, next) }

// first returns the slot of the first place in line; there must be one.
func (w *window) first() uint64 {
	slot := w.base & uint64(len(w.ring)-1)
	word := slot >> 6
	if b := w.taken[word] >> (slot & 63); b != 0 {
		return slot + uint64(bits.TrailingZeros64(b))
	}
	for {
		if word++; word == uint64(len(w.taken)) {
			word = 0
		}
		if b := w.taken[word]; b != 0 {
			return word<<6 + uint64(bits.TrailingZeros64(b))
		}
	}
}

// widen makes the window as wide as would have been enough for a place that came
// so much too late, if it may be.
func (w *window) widen(late uint64) {
	width := max(len(w.ring), windowMin)
	for uint64(width) < uint64(len(w.ring))+late && width < windowMax {
		width *= 2
	}
	if width <= len(w.ring) || uint64(width) < late {
		return
	}
	old := *w
	w.ring, w.taken = make([]placed, width), make([]uint64, width/64)
	for slot := range old.ring {
		if old.taken[slot>>6]>>(slot&63)&1 != 0 {
			to := old.ring[slot].seq & uint64(width-1)
			w.ring[to] = old.ring[slot]
			w.taken[to>>6] |= 1 << (to & 63)
		}
	}
}
