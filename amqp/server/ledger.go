package server

import (
	"sort"

	"github.com/leveretmq/leveret/vhost/queue"
)

// entry is a delivery that the client still has to settle.
type entry struct {
	tag uint64
	q   *queue.Queue // nil once settled
	id  queue.ID
	con *consumer // nil after basic.get
}

// ledger is the unacked deliveries of a channel, by tag. Tags only rise, so it is
// a sorted list: the place of a tag is guessed from the first one's and found by
// halving when settled entries have been squeezed out.
type ledger struct {
	entries []entry
	first   int // of the live ones; those before are settled
	live    int
}

func (l *ledger) add(e entry) {
	l.entries = append(l.entries, e)
	l.live++
}

// find returns the place of a tag that is unacked, or -1.
func (l *ledger) find(tag uint64) int {
	if l.live == 0 || tag < l.entries[l.first].tag {
		return -1
	}
	// At most one entry a tag: it cannot be further on than this.
	most := len(l.entries) - 1
	if guess := uint64(l.first) + tag - l.entries[l.first].tag; guess < uint64(most) {
		most = int(guess)
	}
	i := most
	if l.entries[i].tag != tag {
		i = l.first + sort.Search(most-l.first, func(i int) bool { return l.entries[l.first+i].tag >= tag })
	}
	if l.entries[i].tag != tag || l.entries[i].q == nil {
		return -1
	}
	return i
}

// take settles one tag, or with multiple all up to it (0: all there are), and
// appends what that was to list. ok is false, and nothing is taken, if the tag
// is not unacked.
func (l *ledger) take(tag uint64, multiple bool, list []entry) (_ []entry, ok bool) {
	if multiple && tag == 0 {
		return l.takeTo(len(l.entries)-1, list), true
	}
	i := l.find(tag)
	if i < 0 {
		return list, false
	}
	if multiple {
		return l.takeTo(i, list), true
	}
	list = append(list, l.entries[i])
	l.entries[i] = entry{tag: tag}
	l.live--
	l.tidy()
	return list, true
}

func (l *ledger) takeTo(last int, list []entry) []entry {
	for i := l.first; i <= last; i++ {
		if e := &l.entries[i]; e.q != nil {
			list = append(list, *e)
			*e = entry{tag: e.tag}
			l.live--
		}
	}
	l.tidy()
	return list
}

// tidyFrom is the length from which on settled entries are squeezed out.
const tidyFrom = 64

// tidy keeps the list proportional to what is live.
func (l *ledger) tidy() {
	if l.live == 0 {
		if cap(l.entries) > 16*tidyFrom {
			l.entries = nil
		}
		l.entries, l.first = l.entries[:0], 0
		return
	}
	for l.entries[l.first].q == nil {
		l.first++
	}
	if len(l.entries) < tidyFrom || l.live > len(l.entries)/2 {
		return
	}
	kept := l.entries[:0]
	for _, e := range l.entries[l.first:] {
		if e.q != nil {
			kept = append(kept, e)
		}
	}
	clear(l.entries[len(kept):])
	l.entries, l.first = kept, 0
	if cap(kept) > 16*tidyFrom && len(kept) < cap(kept)/8 {
		l.entries = append([]entry(nil), kept...)
	}
}

// restore puts entries back that were taken, as tx.rollback does.
func (l *ledger) restore(list []entry) {
	kept := make([]entry, 0, l.live+len(list))
	for _, e := range l.entries[l.first:] {
		if e.q != nil {
			kept = append(kept, e)
		}
	}
	kept = append(kept, list...)
	sort.Slice(kept, func(i, j int) bool { return kept[i].tag < kept[j].tag })
	l.entries, l.first, l.live = kept, 0, len(kept)
}
