package storetest

import "github.com/leveretmq/leveret/persistence"

var returnTests = []test{
	{"ReturnsAreNoted", returnsAreNoted},
	{"ReturnsBeforeAppend", returnsBeforeAppend},
	{"ReturnsInALaterRun", returnsInALaterRun},
	{"ReturnsThenSettles", returnsThenSettles},
}

// returned changes how often the place of a record came back, as is wanted of
// Recover.
func returned(p persistence.Recovered, n uint32) persistence.Recovered {
	p.Returns = n
	return p
}

func returnsAreNoted(b *bed) {
	q := b.queues(3)
	r, other := spread(1, q), spread(2, q)
	b.commit(func(batch *persistence.Batch) {
		batch.Append(r, nil, 0)
		batch.Append(other, nil, 0)
	})
	b.write(func(batch *persistence.Batch) {
		batch.Return(r, 1, 1, 0)
		batch.Return(r, 2, 1, 0)
	})
	b.write(func(batch *persistence.Batch) {
		batch.Return(r, 2, 2, 0)
		batch.Return(r, 2, 3, 0)
	})
	b.barrier()
	if n := b.s.Stats().LivePlaces; n != 6 {
		b.Errorf("Stats count %d live places, want 6: a note ends nothing", n)
	}
	p := places(r)
	want := append([]persistence.Recovered{p[0], returned(p[1], 1), returned(p[2], 3)}, places(other)...)
	for range 2 {
		b.reopen()
		got := b.wantPlaces(want...)
		wantMessage(b, b.read(got[2].Ref)[0].Message, r.Message)
	}
}

func returnsBeforeAppend(b *bed) {
	q := b.queues(70)
	first, with, at, elided := spread(1, q), spread(2, q), spread(3, q), record(4, q[0])
	first.Places[3].Returns = 9
	b.write(func(batch *persistence.Batch) {
		batch.Return(first, 0, 1, 0)
		batch.Return(first, 69, 2, 0)
		batch.Return(first, 3, 10, 0)
		batch.Return(elided, 0, 1, 0)
	})
	b.write(func(batch *persistence.Batch) {
		batch.Return(with, 1, 1, 0)
		batch.Append(first, nil, 0)
		batch.Append(with, nil, 0)
		batch.Return(with, 1, 4, 0)
		batch.Settle(elided, 0)
		batch.Append(elided, nil, 0)
		batch.Append(at, nil, 0)
	})
	b.write(func(batch *persistence.Batch) { batch.Return(at, 68, 7, 0) })
	b.barrier()
	b.wantElided(elided)
	p := append(append(places(first), places(with)...), places(at)...)
	p[0].Returns, p[69].Returns, p[3].Returns = 1, 2, 10
	p[70+1].Returns = 4
	p[140+68].Returns = 7
	b.reopen()
	b.wantPlaces(p...)
}

func returnsInALaterRun(b *bed) {
	q := b.queue()
	var want []persistence.Recovered
	b.commit(func(batch *persistence.Batch) {
		for _, r := range records(10, q) {
			batch.Append(r, nil, 0)
			want = append(want, places(r)...)
		}
	})
	for run := range 4 {
		b.reopen()
		found := b.wantPlaces(want...)
		b.write(func(batch *persistence.Batch) {
			for i, p := range found {
				if i%4 == run || i == 5 {
					want[i].Returns++
					batch.Return(persistence.StoredRecord(nil, p.Place, p.Ref), 0, want[i].Returns, 0)
				}
			}
		})
	}
	b.reopen()
	b.wantPlaces(want...)
}

func returnsThenSettles(b *bed) {
	q := b.queue()
	r := records(4, q)
	b.write(func(batch *persistence.Batch) {
		for _, r := range r {
			batch.Append(r, nil, 0)
		}
	})
	b.write(func(batch *persistence.Batch) {
		batch.Return(r[0], 0, 1, 0)
		batch.Settle(r[0], 0)
		batch.Return(r[1], 0, 1, 0)
		batch.Return(r[3], 0, 1, 0)
	})
	b.barrier()
	b.write(func(batch *persistence.Batch) {
		batch.Settle(r[1], 0)
		batch.Return(r[2], 0, 5, 0)
	})
	b.reopen()
	b.wantSet(returned(places(r[2])[0], 5), returned(places(r[3])[0], 1))
}
