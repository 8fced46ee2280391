package storetest

import "github.com/leveretmq/leveret/persistence"

var elisionTests = []test{
	{"SettledBeforeAppendIsElided", settledBeforeAppendIsElided},
	{"SettledInTheSameBatchIsElided", settledInTheSameBatchIsElided},
	{"SettledInPartBeforeAppend", settledInPartBeforeAppend},
}

// wantElided wants that a record was not written.
func (b *bed) wantElided(records ...*persistence.Record) {
	b.Helper()
	for _, r := range records {
		if at, ok := r.Ref(0); ok {
			b.Fatalf("a record that was settled first is at %v, want it not written", at)
		}
	}
}

func settledBeforeAppendIsElided(b *bed) {
	q := b.queues(3)
	one, three, stays := record(1, q[0]), spread(2, q), record(3, q[0])
	w := newTally()
	// A consumer may be quicker than the router.
	b.write(func(batch *persistence.Batch) {
		batch.Settle(one, 0)
		batch.Settle(three, 2)
		batch.Settle(three, 0)
	})
	b.write(func(batch *persistence.Batch) { batch.Settle(three, 1) })
	b.write(func(batch *persistence.Batch) {
		batch.Append(one, w, 1)
		batch.Append(stays, w, 2)
		batch.Append(three, w, 3)
	})
	w.want(b, nil, 1, 2, 3)
	b.wantElided(one, three)
	b.barrier()
	if n := b.s.Stats().Elided; n != 2 {
		b.Errorf("Stats count %d elided records, want 2", n)
	}
	b.reopen()
	b.wantSet(places(stays)...)
}

func settledInTheSameBatchIsElided(b *bed) {
	q := b.queue()
	one, stays := record(1, q), record(2, q)
	w := newTally()
	b.write(func(batch *persistence.Batch) {
		batch.Append(one, w, 1)
		batch.Append(stays, w, 2)
		batch.Settle(one, 0)
		batch.Wait(w, 3)
	})
	w.want(b, nil, 1, 2, 3)
	b.wantElided(one)
	// A batch with nothing left of it has its waiters nevertheless.
	alone := record(3, q)
	b.write(func(batch *persistence.Batch) {
		batch.Append(alone, w, 4)
		batch.Settle(alone, 0)
	})
	w.want(b, nil, 1, 2, 3, 4)
	b.wantElided(alone)
	b.reopen()
	b.wantSet(places(stays)...)
}

func settledInPartBeforeAppend(b *bed) {
	q := b.queues(5)
	r, next := spread(1, q), spread(2, q)
	b.write(func(batch *persistence.Batch) {
		batch.Settle(r, 0)
		batch.Settle(r, 3)
	})
	b.commit(func(batch *persistence.Batch) {
		batch.Append(r, nil, 0)
		batch.Append(next, nil, 0)
		batch.Settle(r, 2)
		batch.Settle(next, 4)
	})
	// The numbers of places are not moved by those that are settled.
	for _, c := range []struct {
		r     *persistence.Record
		place int
	}{{r, 1}, {r, 4}, {next, 0}, {next, 3}} {
		at, ok := c.r.Ref(c.place)
		if !ok {
			b.Fatal("a record with places left was not written")
		}
		back := b.read(at)[0]
		if back.Places[0] != c.r.Places[c.place] {
			b.Fatalf("place %d is read back as %+v, want %+v", c.place, back.Places[0], c.r.Places[c.place])
		}
		wantMessage(b, back.Message, c.r.Message)
	}
	if n := b.s.Stats().LivePlaces; n != 6 {
		b.Errorf("Stats count %d live places, want 6", n)
	}
	b.reopen()
	b.wantSet(append(places(r, 0, 2, 3), places(next, 4)...)...)
}
