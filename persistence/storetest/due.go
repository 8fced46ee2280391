package storetest

import (
	"math"

	"github.com/leveretmq/leveret/persistence"
)

var dueTests = []test{
	{"DueOfPlaces", dueOfPlaces},
	{"DueIsNotedWithReturns", dueIsNotedWithReturns},
	{"DueBeforeAppend", dueBeforeAppend},
	{"DueInALaterRun", dueInALaterRun},
	{"DueOutlivesAMove", dueOutlivesAMove},
}

// noon is a time that messages are due at, about.
const noon = int64(1_900_000_000_000_000_000)

// noted changes what was noted of a place, as is wanted of Recover.
func noted(p persistence.Recovered, returns uint32, due int64) persistence.Recovered {
	p.Returns, p.Due = returns, due
	return p
}

// wantDue reads records back, and compares their places. Nothing was noted of
// them since the start.
func (b *bed) wantDue(found []persistence.Recovered) {
	b.Helper()
	var refs []persistence.Ref
	for _, p := range found {
		refs = append(refs, p.Ref)
	}
	for i, r := range b.read(refs...) {
		if r.Places[0] != found[i].Place {
			b.Fatalf("read back place %+v, recovered %+v", r.Places[0], found[i].Place)
		}
	}
}

func dueOfPlaces(b *bed) {
	q := b.queues(3)
	var all []*persistence.Record
	var want []persistence.Recovered
	for n, due := range []int64{0, noon, noon, noon + 1, 0, noon - 5, 1, -1, math.MaxInt64, math.MinInt64, noon, 0} {
		r := spread(n+1, q)
		r.Places[0].Due = due
		r.Places[2].Due, r.Places[2].Returns = -due, uint32(n)
		all = append(all, r)
		want = append(want, places(r)...)
	}
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	for _, r := range all {
		at, _ := r.Ref(2)
		if got := b.read(at)[0].Places[0]; got != r.Places[2] {
			b.Fatalf("read back place %+v, want %+v", got, r.Places[2])
		}
	}
	for range 2 {
		b.reopen()
		b.wantDue(b.wantPlaces(want...))
	}
}

// dueIsNotedWithReturns: both values of the last note count, also if they are
// none, over what the place was appended with.
func dueIsNotedWithReturns(b *bed) {
	q := b.queues(6)
	r := spread(1, q)
	for i := range r.Places {
		r.Places[i].Due, r.Places[i].Returns = noon, 7
	}
	b.commit(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
	b.write(func(batch *persistence.Batch) {
		batch.Return(r, 0, 8, noon+1)
		batch.Return(r, 1, 8, 0)
		batch.Return(r, 2, 0, noon-1)
		batch.Return(r, 3, 0, 0)
		batch.Return(r, 4, 9, noon+9)
		batch.Return(r, 4, 10, 0)
	})
	b.barrier()
	b.write(func(batch *persistence.Batch) { batch.Return(r, 1, 9, noon+2) })
	b.barrier()
	p := places(r)
	want := []persistence.Recovered{
		noted(p[0], 8, noon+1), noted(p[1], 9, noon+2), noted(p[2], 0, noon-1), noted(p[3], 0, 0), noted(p[4], 10, 0), p[5],
	}
	for range 2 {
		b.reopen()
		b.wantDue(b.wantPlaces(want...))
	}
}

func dueBeforeAppend(b *bed) {
	q := b.queues(70)
	early, with, at, elided := spread(1, q), spread(2, q), spread(3, q), record(4, q[0])
	early.Places[5].Due, early.Places[6].Due = noon, noon
	b.write(func(batch *persistence.Batch) {
		batch.Return(early, 0, 1, noon+1)
		batch.Return(early, 69, 2, noon+2)
		batch.Return(early, 5, 0, 0)
		batch.Return(elided, 0, 1, noon)
	})
	b.write(func(batch *persistence.Batch) {
		batch.Return(with, 1, 1, noon)
		batch.Append(early, nil, 0)
		batch.Append(with, nil, 0)
		batch.Return(with, 1, 2, noon+3)
		batch.Settle(elided, 0)
		batch.Append(elided, nil, 0)
		batch.Append(at, nil, 0)
	})
	b.write(func(batch *persistence.Batch) { batch.Return(at, 68, 7, noon+4) })
	b.barrier()
	b.wantElided(elided)
	p := append(append(places(early), places(with)...), places(at)...)
	p[0], p[69], p[5] = noted(p[0], 1, noon+1), noted(p[69], 2, noon+2), noted(p[5], 0, 0)
	p[70+1] = noted(p[70+1], 2, noon+3)
	p[140+68] = noted(p[140+68], 7, noon+4)
	b.reopen()
	b.wantDue(b.wantPlaces(p...))
}

func dueInALaterRun(b *bed) {
	q := b.queue()
	var want []persistence.Recovered
	b.commit(func(batch *persistence.Batch) {
		for i, r := range records(12, q) {
			r.Places[0].Due = noon * int64(i%2)
			batch.Append(r, nil, 0)
			want = append(want, places(r)...)
		}
	})
	for run := range 4 {
		b.reopen()
		found := b.wantPlaces(want...)
		b.wantDue(found)
		b.write(func(batch *persistence.Batch) {
			for i, p := range found {
				if i%4 == run || i == 5 {
					want[i] = noted(want[i], want[i].Returns+1, (noon+int64(run))*int64(i%3))
					batch.Return(persistence.StoredRecord(nil, p.Place, p.Ref), 0, want[i].Returns, want[i].Due)
				}
			}
		})
	}
	b.reopen()
	b.wantDue(b.wantPlaces(want...))
}

// dueOutlivesAMove settles nearly all, so that a store that moves what is left
// does.
func dueOutlivesAMove(b *bed) {
	q := b.queue()
	all := records(400, q)
	var want []persistence.Recovered
	b.commit(func(batch *persistence.Batch) {
		for i, r := range all {
			r.Places[0].Due = noon + int64(i)
			batch.Append(r, nil, 0)
		}
	})
	b.write(func(batch *persistence.Batch) {
		for i, r := range all {
			switch {
			case i%20 == 0:
				want = append(want, places(r)...)
			case i%20 == 1:
				want = append(want, noted(places(r)[0], 3, noon-int64(i)))
				batch.Return(r, 0, 3, noon-int64(i))
			case i%20 == 2:
				want = append(want, noted(places(r)[0], 1, 0))
				batch.Return(r, 0, 1, 0)
			default:
				batch.Settle(r, 0)
			}
		}
	})
	for range 20 {
		b.barrier() // a group may move a little
	}
	// What was moved is noted by the ref that it had first.
	b.write(func(batch *persistence.Batch) {
		want[0] = noted(want[0], 5, noon+5)
		batch.Return(all[0], 0, 5, noon+5)
	})
	for range 2 {
		b.reopen()
		b.wantDue(b.wantSet(want...))
	}
}
