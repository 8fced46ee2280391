package storetest

import (
	"sync"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

var settleTests = []test{
	{"SettledAtOnceAfterAppend", settledAtOnceAfterAppend},
	{"SettledWhileItIsWritten", settledWhileItIsWritten},
	{"SettledWhenStored", settledWhenStored},
	{"SettledInALaterRun", settledInALaterRun},
	{"SettledByWhatWasRead", settledByWhatWasRead},
	{"SettlesOfManyPlaces", settlesOfManyPlaces},
	{"SettlesAreWaitedFor", settlesAreWaitedFor},
	{"MovesAreWhole", movesAreWhole},
	{"AllSettledInOneBatch", allSettledInOneBatch},
	{"ChunksWithFewSurvivors", chunksWithFewSurvivors},
}

func settledAtOnceAfterAppend(b *bed) {
	q := b.queue()
	w := newTally()
	var want []persistence.Recovered
	for i, r := range records(300, q) {
		b.write(func(batch *persistence.Batch) { batch.Append(r, w, uint64(i+1)) })
		if i%10 == 0 {
			want = append(want, places(r)...)
			continue
		}
		b.write(func(batch *persistence.Batch) { batch.Settle(r, 0) })
	}
	w.want(b, nil, upTo(300)...)
	b.reopen()
	b.wantSet(want...)
}

// settledWhileItIsWritten lets the consumers of several queues settle their
// places while the record is on its way.
func settledWhileItIsWritten(b *bed) {
	q := b.queues(70)
	var want []persistence.Recovered
	rounds := 200
	if testing.Short() {
		rounds = 50
	}
	for n := range rounds {
		k := []int{1, 2, 8, 70}[n%4]
		r := spread(n+1, q[:k])
		left := n%5 == 0 // the first place stays
		var wg sync.WaitGroup
		for i := range k {
			if i == 0 && left {
				continue
			}
			wg.Go(func() {
				var batch persistence.Batch
				batch.Settle(r, i)
				b.s.Write(&batch)
			})
		}
		w := newTally()
		b.write(func(batch *persistence.Batch) { batch.Append(r, w, 1) })
		w.want(b, nil, 1)
		wg.Wait()
		if left {
			want = append(want, places(r)[0])
		}
	}
	b.barrier()
	if n := b.s.Stats().LivePlaces; n != int64(len(want)) {
		b.Errorf("Stats count %d live places, want %d", n, len(want))
	}
	b.reopen()
	b.wantSet(want...)
}

func settledWhenStored(b *bed) {
	q := b.queues(2)
	var all []*persistence.Record
	for n := range 20 {
		all = append(all, spread(n+1, q))
	}
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	var want []persistence.Recovered
	b.write(func(batch *persistence.Batch) {
		for n, r := range all {
			switch n % 4 {
			case 0:
				batch.Settle(r, 0)
				want = append(want, places(r, 0)...)
			case 1:
				batch.Settle(r, 1)
				want = append(want, places(r, 1)...)
			case 2:
				batch.Settle(r, 1)
				batch.Settle(r, 0)
			case 3:
				want = append(want, places(r)...)
			}
		}
	})
	b.barrier()
	if n := b.s.Stats().LivePlaces; n != int64(len(want)) {
		b.Errorf("Stats count %d live places, want %d", n, len(want))
	}
	// What is left of a record can still be read.
	for n, r := range all {
		if place := 1 - n%4; place >= 0 {
			at, _ := r.Ref(place)
			wantMessage(b, b.read(at)[0].Message, r.Message)
		}
	}
	for range 2 {
		b.reopen()
		b.wantSet(want...)
	}
}

func settledInALaterRun(b *bed) {
	q := b.queues(3)
	var all []*persistence.Record
	for n := range 12 {
		all = append(all, spread(n+1, q))
	}
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	// Each run settles a third of what it finds.
	for left := 36; left > 0; {
		b.reopen()
		found := b.recover()
		if len(found) != left {
			b.Fatalf("recovered %d places, want %d", len(found), left)
		}
		b.write(func(batch *persistence.Batch) {
			for i, p := range found {
				if i%3 == 0 {
					batch.Settle(persistence.StoredRecord(nil, p.Place, p.Ref), 0)
					left--
				}
			}
		})
	}
	b.reopen()
	b.wantSet()
	b.barrier()
	if n := b.s.Stats(); n.LivePlaces != 0 || n.LiveBytes != 0 {
		b.Errorf("Stats count %d live places with %d bytes, want none", n.LivePlaces, n.LiveBytes)
	}
}

func settledByWhatWasRead(b *bed) {
	q := b.queues(2)
	r := spread(1, q)
	b.commit(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
	at, _ := r.Ref(1)
	back := b.read(at)[0]
	b.commit(func(batch *persistence.Batch) { batch.Settle(back, 0) })
	b.reopen()
	b.wantSet(places(r, 1)...)
}

// settlesOfManyPlaces settles places beyond the 64th in each phase.
func settlesOfManyPlaces(b *bed) {
	q := b.queues(150)
	before, with, after, elided := spread(1, q), spread(2, q), spread(3, q), spread(4, q)
	settle := func(batch *persistence.Batch, r *persistence.Record, except ...int) {
		for i := range r.Places {
			if len(except) == 0 || i%except[0] != except[1] {
				batch.Settle(r, i)
			}
		}
	}
	b.write(func(batch *persistence.Batch) {
		settle(batch, before, 70, 69)
		settle(batch, elided)
	})
	b.commit(func(batch *persistence.Batch) {
		batch.Append(before, nil, 0)
		batch.Append(with, nil, 0)
		settle(batch, with, 100, 64)
		batch.Append(after, nil, 0)
		batch.Append(elided, nil, 0)
	})
	b.wantElided(elided)
	b.write(func(batch *persistence.Batch) { settle(batch, after, 140, 0) })
	var want []persistence.Recovered
	want = append(want, places(before)[69], places(before)[139])
	want = append(want, places(with)[64])
	want = append(want, places(after)[0], places(after)[140])
	b.reopen()
	b.wantSet(want...)
}

func settlesAreWaitedFor(b *bed) {
	q := b.queue()
	r := records(10, q)
	b.commit(func(batch *persistence.Batch) {
		for _, r := range r {
			batch.Append(r, nil, 0)
		}
	})
	w := newTally()
	b.write(func(batch *persistence.Batch) {
		for _, r := range r[1:] {
			batch.Settle(r, 0)
		}
		batch.Wait(w, 5)
	})
	w.want(b, nil, 5)
	if n := b.s.Stats().LivePlaces; n != 1 {
		b.Errorf("Stats count %d live places, want 1", n)
	}
	b.reopen()
	b.wantSet(places(r[0])...)
}

// movesAreWhole sends records from queue to queue, as dead letters go.
func movesAreWhole(b *bed) {
	q := b.queues(2)
	r := records(50, q[0])
	b.commit(func(batch *persistence.Batch) {
		for _, r := range r {
			batch.Append(r, nil, 0)
		}
	})
	var want []persistence.Recovered
	for round := range 5 {
		want = want[:0]
		for i, old := range r {
			moved := record(i+1, q[(round+1)%2])
			b.write(func(batch *persistence.Batch) {
				batch.Settle(old, 0)
				batch.Append(moved, nil, 0)
			})
			r[i] = moved
			want = append(want, places(moved)...)
		}
	}
	b.reopen()
	b.wantSet(want...)
}

func allSettledInOneBatch(b *bed) {
	q := b.queue()
	n, groups := 5000, 20
	if !testing.Short() {
		n, groups = 50_000, 4000
	}
	all := records(n, q)
	for part := range groups {
		b.commit(func(batch *persistence.Batch) {
			for _, r := range all[part*n/groups : (part+1)*n/groups] {
				batch.Append(r, nil, 0)
			}
		})
	}
	stay := all[n/2]
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			if r != stay {
				batch.Settle(r, 0)
			}
		}
	})
	if n := b.s.Stats().LivePlaces; n != 1 {
		b.Errorf("Stats count %d live places, want 1", n)
	}
	at, _ := stay.Ref(0)
	wantMessage(b, b.read(at)[0].Message, stay.Message)
	b.reopen()
	b.wantSet(places(stay)...)
}

// chunksWithFewSurvivors leaves one record of each group.
func chunksWithFewSurvivors(b *bed) {
	q := b.queue()
	all := records(2000, q)
	var want []persistence.Recovered
	var refs []persistence.Ref
	for part := range 20 {
		b.commit(func(batch *persistence.Batch) {
			for _, r := range all[part*100 : part*100+100] {
				batch.Append(r, nil, 0)
			}
		})
	}
	for i, r := range all {
		if i%100 != 37 {
			b.write(func(batch *persistence.Batch) { batch.Settle(r, 0) })
			continue
		}
		at, _ := r.Ref(0)
		want, refs = append(want, places(r)...), append(refs, at)
	}
	b.barrier()
	for i, back := range b.read(refs...) {
		wantMessage(b, back.Message, all[i*100+37].Message)
	}
	b.reopen()
	b.wantSet(want...)
}
