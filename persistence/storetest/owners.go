package storetest

import "github.com/leveretmq/leveret/persistence"

var ownerTests = []test{
	{"ExchangesOwnPlaces", exchangesOwnPlaces},
	{"ExchangesHandPlacesOn", exchangesHandPlacesOn},
	{"DeletedExchangesAreNotRecovered", deletedExchangesAreNotRecovered},
}

// exchanges defines durable exchanges.
func (b *bed) exchanges(n int) []persistence.QueueID {
	b.Helper()
	ids := make([]persistence.QueueID, n)
	b.commit(func(batch *persistence.Batch) {
		for i := range ids {
			ids[i] = persistence.QueueID(b.s.NewID())
			batch.Change(define(persistence.KindExchange, uint64(ids[i]), "exchange"))
		}
	})
	return ids
}

func exchangesOwnPlaces(b *bed) {
	x, q := b.exchanges(2), b.queues(2)
	only, both := record(1, x[0]), spread(2, []persistence.QueueID{q[0], x[1], q[1], x[0]})
	only.Places[0].Due, both.Places[1].Due = noon, noon+1
	acked, transient := record(3, x[0]), record(4, x[0])
	transient.Transient = true
	b.commit(func(batch *persistence.Batch) {
		for _, r := range []*persistence.Record{only, both, acked, transient} {
			batch.Append(r, nil, 0)
		}
	})
	b.commit(func(batch *persistence.Batch) {
		batch.Settle(acked, 0)
		batch.Return(both, 1, 1, noon+2)
	})
	if n := b.s.Stats().LivePlaces; n != 6 {
		b.Errorf("Stats count %d live places, want 6", n)
	}
	want := append(places(only), places(both)...)
	want[2] = noted(want[2], 1, noon+2)
	for range 2 {
		b.reopen()
		b.wantDue(b.wantSet(want...))
		if n := b.s.Stats().LivePlaces; n != 5 {
			b.Errorf("after a start Stats count %d live places, want 5", n)
		}
	}
}

// exchangesHandPlacesOn moves what an exchange has kept back to queues, in one
// batch.
func exchangesHandPlacesOn(b *bed) {
	x, q := b.exchanges(1), b.queues(2)
	held := records(50, x[0])
	b.commit(func(batch *persistence.Batch) {
		for i, r := range held {
			r.Places[0].Due = noon + int64(i)
			batch.Append(r, nil, 0)
		}
	})
	b.reopen()
	var want []persistence.Recovered
	for i, p := range b.recover() {
		if i%2 == 1 {
			want = append(want, places(held[i])...)
			continue
		}
		back := b.read(p.Ref)[0]
		on := persistence.NewRecord(back.Message)
		on.Add(persistence.Place{Queue: q[0], Seq: uint64(i)})
		on.Add(persistence.Place{Queue: q[1], Seq: uint64(i)})
		b.write(func(batch *persistence.Batch) {
			batch.Settle(back, 0)
			batch.Append(on, nil, 0)
		})
		want = append(want, places(on)...)
	}
	for range 2 {
		b.reopen()
		b.wantSet(want...)
	}
}

func deletedExchangesAreNotRecovered(b *bed) {
	x, q := b.exchanges(2), b.queue()
	both, only, other := spread(1, []persistence.QueueID{x[0], q}), record(2, x[0]), record(3, x[1])
	b.commit(func(batch *persistence.Batch) {
		batch.Append(both, nil, 0)
		batch.Append(only, nil, 0)
		batch.Append(other, nil, 0)
	})
	b.reopen()
	b.wantPlaces(append(append(places(both), places(only)...), places(other)...)...)
	b.commit(func(batch *persistence.Batch) {
		gone := define(persistence.KindExchange, uint64(x[0]), "")
		gone.Delete = true
		batch.Change(gone)
	})
	for range 2 {
		b.reopen()
		b.wantSet(append(places(both, 0), places(other)...)...)
		if n := b.s.Stats().LivePlaces; n != 2 {
			b.Errorf("Stats count %d live places, want 2", n)
		}
	}
	// They are gone, also for an exchange that takes the id later.
	b.commit(func(batch *persistence.Batch) {
		batch.Change(define(persistence.KindExchange, uint64(x[0]), ""))
	})
	b.reopen()
	b.wantSet(append(places(both, 0), places(other)...)...)
}
