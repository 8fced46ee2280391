package storetest

import (
	"errors"
	"slices"
	"sync"

	"github.com/leveretmq/leveret/persistence"
)

var closingTests = []test{
	{"CloseWritesWhatWasHandedOver", closeWritesWhatWasHandedOver},
	{"AfterClose", afterClose},
	{"AfterFailure", afterFailure},
	{"AFailureLeavesWholeBatchesInOrder", aFailureLeavesWholeBatchesInOrder},
	{"AwaitReturnsAfterFailure", awaitReturnsAfterFailure},
	{"StatsCount", statsCount},
}

func closeWritesWhatWasHandedOver(b *bed) {
	q := b.queue()
	w := newTally()
	var want []persistence.Recovered
	exchange := define(persistence.KindExchange, b.s.NewID(), "late")
	for i, r := range records(500, q) {
		b.write(func(batch *persistence.Batch) {
			batch.Append(r, w, uint64(i+1))
			if i%2 == 0 {
				batch.Settle(r, 0)
			} else {
				want = append(want, places(r)...)
			}
		})
	}
	b.write(func(batch *persistence.Batch) { batch.Change(exchange) })
	b.close()
	// Close has waited for it.
	if got, _ := w.await(b, 0); len(got) != 500 {
		b.Fatalf("after Close the waiter was told %d numbers, want 500", len(got))
	}
	w.want(b, nil, upTo(500)...)
	b.s = b.h.Open()
	b.wantDefinitions(exchange, define(persistence.KindQueue, uint64(q), "queue"))
	b.wantSet(want...)
}

// wantRefused wants that a store that has stopped tells everybody why.
func (b *bed) wantRefused(s persistence.Store, stored *persistence.Record, why error) {
	b.Helper()
	if err := s.Err(); !errors.Is(err, why) {
		b.Errorf("Err is %v, want %v", err, why)
	}
	w := newTally()
	var batch persistence.Batch
	batch.Append(record(90, stored.Places[0].Queue), w, 1)
	batch.Append(record(91, stored.Places[0].Queue), nil, 0)
	batch.Settle(stored, 0)
	batch.Change(define(persistence.KindUser, 99, ""))
	batch.Wait(w, 2)
	s.Write(&batch)
	if !batch.Empty() {
		b.Error("Write left something in the batch")
	}
	w.want(b, why, 1, 2)
	s.Await()
	_ = s.Stats() // need not be right, but must not panic
}

func afterClose(b *bed) {
	q := b.queue()
	r := record(1, q)
	b.commit(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
	s := b.s
	b.close()
	b.wantRefused(s, r, persistence.ErrClosed)
	if _, err := s.Definitions(); !errors.Is(err, persistence.ErrClosed) {
		b.Errorf("Definitions after Close: %v, want ErrClosed", err)
	}
	if err := s.Recover(func(persistence.Recovered) bool { return true }); !errors.Is(err, persistence.ErrClosed) {
		b.Errorf("Recover after Close: %v, want ErrClosed", err)
	}
	at, _ := r.Ref(0)
	n := 0
	s.Read([]persistence.Ref{at, at}, func(_ int, _ *persistence.Record, err error) {
		n++
		if !errors.Is(err, persistence.ErrClosed) {
			b.Errorf("Read after Close: %v, want ErrClosed", err)
		}
	})
	if n != 2 {
		b.Errorf("Read after Close found %d of 2", n)
	}
	select {
	case <-s.Failed():
		b.Error("Close counts as a failure")
	default:
	}
	// Nothing came of the write.
	b.s = b.h.Open()
	b.wantDefinitions(define(persistence.KindQueue, uint64(q), "queue"))
	b.wantPlaces(places(r)...)
}

func afterFailure(b *bed) {
	if b.h.Fail == nil {
		b.Skip("the harness cannot make the disk fail")
	}
	q := b.queue()
	r := record(1, q)
	b.commit(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
	select {
	case <-b.s.Failed():
		b.Fatal("the store says that it failed before it did")
	default:
	}
	cause := errors.New("the disk is on fire")
	b.h.Fail(b.s, cause)
	// A store may notice only when it writes.
	w := newTally()
	b.write(func(batch *persistence.Batch) {
		batch.Append(record(2, q), w, 1)
		batch.Wait(w, 2)
	})
	w.want(b, persistence.ErrFailed, 1, 2)
	w.want(b, cause, 1, 2)
	<-b.s.Failed()
	b.wantRefused(b.s, r, persistence.ErrFailed)
	b.wantRefused(b.s, r, cause)
	s := b.s
	b.s = nil
	_ = s.Close() // may say once more what happened
	b.s = b.h.Open()
	b.wantDefinitions(define(persistence.KindQueue, uint64(q), "queue"))
	if got := b.recover(); len(got) == 0 || got[0].Place != r.Places[0] {
		b.Errorf("after the failure %+v came back, want what was confirmed before it", got)
	}
}

// aFailureLeavesWholeBatchesInOrder hands over batches each of which settles
// the records of the one before, while the disk fails.
func aFailureLeavesWholeBatchesInOrder(b *bed) {
	if b.h.Fail == nil {
		b.Skip("the harness cannot make the disk fail")
	}
	q := b.queues(3)
	w := newTally()
	last := uint64(0) // that was told to be in the store
	started := make(chan struct{})
	w.hook = func(numbers []uint64, err error) {
		if err == nil {
			if last == 0 {
				close(started)
			}
			last = max(last, slices.Max(numbers))
		}
	}
	s := b.s
	var failing sync.WaitGroup
	failing.Go(func() {
		<-started
		b.h.Fail(s, errors.New("gone"))
	})
	before := spread(0, q)
	b.write(func(batch *persistence.Batch) { batch.Append(before, nil, 0) })
	n := 0
	for ; s.Err() == nil; n++ {
		next := spread(n+1, q)
		b.write(func(batch *persistence.Batch) {
			for i := range q {
				batch.Settle(before, i)
			}
			batch.Append(next, w, uint64(n+1))
		})
		before = next
		b.s.Await()
	}
	w.await(b, n)
	failing.Wait()
	b.s = nil
	_ = s.Close() // may say once more what happened
	b.s = b.h.Open()
	got := b.recover()
	if len(got) != len(q) || got[0].Seq < last || got[0].Seq > uint64(n) {
		b.Fatalf("after %d batches, %d of which were told to be in the store, %d places came back: %+v", n, last, len(got), got)
	}
	b.wantSame(got, places(spread(int(got[0].Seq), q)))
}

func awaitReturnsAfterFailure(b *bed) {
	if b.h.Fail == nil {
		b.Skip("the harness cannot make the disk fail")
	}
	q := b.queue()
	b.h.Fail(b.s, errors.New("gone"))
	m := message(1, 1<<20)
	w := newTally()
	for n := range uint64(100) {
		r := persistence.NewRecord(m)
		r.Add(persistence.Place{Queue: q, Seq: n})
		b.write(func(batch *persistence.Batch) { batch.Append(r, w, n+1) })
		b.s.Await()
	}
	w.want(b, persistence.ErrFailed, upTo(100)...)
	s := b.s
	b.s = nil
	_ = s.Close() // may say once more what happened
}

func statsCount(b *bed) {
	q := b.queues(2)
	before := b.s.Stats()
	all := []*persistence.Record{spread(1, q), spread(2, q), record(3, q[0])}
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	st := b.s.Stats()
	if st.LivePlaces != 5 || st.Chunks < 1 || st.LiveBytes < 300 || st.Damaged != 0 {
		b.Errorf("with 5 places of 3 records in the store: %+v", st)
	}
	if st.Records-before.Records != 3 || st.Groups <= before.Groups {
		b.Errorf("after a group of 3 records: %+v, before it %+v", st, before)
	}
	b.commit(func(batch *persistence.Batch) {
		batch.Settle(all[0], 0)
		batch.Settle(all[0], 1)
		batch.Settle(all[1], 0)
	})
	if now := b.s.Stats(); now.LivePlaces != 2 || now.LiveBytes >= st.LiveBytes || now.Records != st.Records {
		b.Errorf("after 3 of 5 places were settled: %+v, before it %+v", now, st)
	}
	b.reopen()
	if now := b.s.Stats(); now.LivePlaces != 2 || now.Records != 0 {
		b.Errorf("after a start with 2 places: %+v", now)
	}
}
