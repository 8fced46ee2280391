package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

var duplicateTests = []test{
	{"DuplicatesAreReplacedWithTheirRecords", duplicatesAreReplacedWithTheirRecords},
	{"TheLastOfManyChangesCounts", theLastOfManyChangesCounts},
	{"DuplicatesAndOthersAreApart", duplicatesAndOthersAreApart},
	{"ManyDuplicates", manyDuplicates},
}

// duplicate makes the definition of a key, of some length from 20 to 300.
func duplicate(id uint64, n int) persistence.Change {
	return define(persistence.KindDuplicate, id, fmt.Sprintf("%10d %s", n, strings.Repeat("k", 8+n%281)))
}

// inOrder lists what should be defined of one kind.
func inOrder(of map[uint64]persistence.Change) (all []persistence.Change) {
	for _, id := range slices.Sorted(maps.Keys(of)) {
		all = append(all, of[id])
	}
	return all
}

// duplicatesAreReplacedWithTheirRecords has a key in the batch of each record,
// in a ring of ids; some are deleted.
func duplicatesAreReplacedWithTheirRecords(b *bed) {
	q, rng := b.queue(), rand.New(rand.NewPCG(5, 5))
	queue := define(persistence.KindQueue, uint64(q), "queue")
	ring := make([]uint64, 50)
	for i := range ring {
		ring[i] = b.s.NewID()
	}
	w, told := newTally(), uint64(0)
	keys := make(map[uint64]persistence.Change)
	var want []persistence.Recovered
	for run := range 3 {
		for n := range 700 {
			seq := run*700 + n
			r := persistence.NewRecord(message(seq, 60))
			r.Add(persistence.Place{Queue: q, Seq: uint64(seq)})
			c := duplicate(ring[seq%len(ring)], seq)
			if c.Delete = rng.IntN(10) == 0; c.Delete {
				delete(keys, c.ID)
			} else {
				keys[c.ID] = c
			}
			b.write(func(batch *persistence.Batch) {
				told++
				batch.Append(r, w, told)
				batch.Change(c)
				if seq%3 > 0 {
					batch.Settle(r, 0) // and what is not written has its key nevertheless
				} else {
					want = append(want, places(r)...)
				}
			})
			if rng.IntN(200) == 0 {
				b.barrier()
			}
		}
		w.want(b, nil, upTo(int(told))...)
		b.reopen()
		b.wantDefinitions(append([]persistence.Change{queue}, inOrder(keys)...)...)
		b.wantSet(want...)
	}
}

// theLastOfManyChangesCounts changes few ids again and again, within a batch,
// within a group and beyond.
func theLastOfManyChangesCounts(b *bed) {
	ids := []uint64{b.s.NewID(), b.s.NewID(), b.s.NewID()}
	keys := make(map[uint64]persistence.Change)
	rng := rand.New(rand.NewPCG(6, 6))
	for _, n := range []int{1, 2, 50, 3000, 700, 1, 1, 200} {
		b.write(func(batch *persistence.Batch) {
			for k := range n {
				c := duplicate(ids[rng.IntN(len(ids))], k)
				if c.Delete = rng.IntN(3) == 0; c.Delete {
					delete(keys, c.ID)
				} else {
					keys[c.ID] = c
				}
				batch.Change(c)
			}
		})
		if n == 3000 {
			b.reopen()
			b.wantDefinitions(inOrder(keys)...)
		}
	}
	b.barrier()
	b.reopen()
	b.wantDefinitions(inOrder(keys)...)
}

func duplicatesAndOthersAreApart(b *bed) {
	id := b.s.NewID()
	key := duplicate(id, 1)
	b.commit(func(batch *persistence.Batch) {
		batch.Change(key)
		batch.Change(define(persistence.KindExchange, id, "exchange"))
	})
	b.reopen()
	b.wantDefinitions(define(persistence.KindExchange, id, "exchange"), key)
	b.commit(func(batch *persistence.Batch) {
		key.Delete = true
		batch.Change(key)
	})
	b.reopen()
	b.wantDefinitions(define(persistence.KindExchange, id, "exchange"))
}

// manyDuplicates has as many keys as one exchange may, changes them all, and
// deletes them as with their exchange.
func manyDuplicates(b *bed) {
	total := 100_000
	if testing.Short() {
		total = 5000
	}
	ids := make([]uint64, total)
	for i := range ids {
		ids[i] = b.s.NewID()
	}
	var want []persistence.Change
	for round := range 2 {
		want = want[:0]
		for part := range slices.Chunk(ids, 40) {
			b.s.Await()
			b.write(func(batch *persistence.Batch) {
				for _, id := range part {
					c := duplicate(id, int(id)*(round+1)%100)
					want = append(want, c)
					batch.Change(c)
				}
			})
		}
		b.barrier()
		b.reopen()
		b.wantDefinitions(want...)
	}
	for part := range slices.Chunk(want[1:], 1000) {
		b.write(func(batch *persistence.Batch) {
			for _, c := range part {
				c.Delete = true
				batch.Change(c)
			}
		})
	}
	b.reopen()
	b.wantDefinitions(want[0])
}
