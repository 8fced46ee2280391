package storetest

import (
	"math"
	"math/rand/v2"

	"github.com/leveretmq/leveret/persistence"
)

var recordTests = []test{
	{"RecordsComeBack", recordsComeBack},
	{"RecordsComeInTheOrderOfWriting", recordsComeInTheOrderOfWriting},
	{"PlacesInSeveralQueues", placesInSeveralQueues},
	{"ExtremeValues", extremeValues},
	{"OneMessageInTwoRecords", oneMessageInTwoRecords},
	{"RecoverStops", recoverStops},
	{"RecoverHoldsNoLock", recoverHoldsNoLock},
	{"AQueueAndItsRecordsInOneBatch", aQueueAndItsRecordsInOneBatch},
	{"UndefinedOwnersAreNotRecovered", undefinedOwnersAreNotRecovered},
	{"DeletedQueuesAreNotRecovered", deletedQueuesAreNotRecovered},
	{"TransientRecordsAreDroppedAtStart", transientRecordsAreDroppedAtStart},
	{"BatchesAreUsedAgain", batchesAreUsedAgain},
	{"RunsFollowOneAnother", runsFollowOneAnother},
}

func recordsComeBack(b *bed) {
	q := b.queues(2)
	r := persistence.NewRecord(message(6, 1234))
	r.Add(persistence.Place{Queue: q[1], Seq: 7, Expires: 1_900_000_000_123_456_789, Due: 1_800_000_000_987_654_321, Returns: 3})
	small := record(8, q[0])
	b.commit(func(batch *persistence.Batch) {
		batch.Append(r, nil, 0)
		batch.Append(small, nil, 0)
	})
	for range 2 {
		b.reopen()
		got := b.wantPlaces(append(places(r), places(small)...)...)
		back := b.read(got[0].Ref, got[1].Ref)
		wantMessage(b, back[0].Message, r.Message)
		wantMessage(b, back[1].Message, small.Message)
	}
}

func recordsComeInTheOrderOfWriting(b *bed) {
	q := b.queues(3)
	rng := rand.New(rand.NewPCG(2, 2))
	var want []persistence.Recovered
	for n := 0; n < 1000; {
		b.write(func(batch *persistence.Batch) {
			for range 1 + rng.IntN(20) {
				n++
				// Not in the order of Seq: that is up to the queues.
				r := record(n, q[n%3])
				r.Places[0].Seq = rng.Uint64()
				batch.Append(r, nil, 0)
				want = append(want, places(r)...)
			}
		})
		if n%5 == 0 {
			b.barrier() // several groups in any case
		}
	}
	b.reopen()
	b.wantPlaces(want...)
}

func placesInSeveralQueues(b *bed) {
	q := b.queues(200)
	var want []persistence.Recovered
	var all []*persistence.Record
	for n, k := range []int{1, 2, 63, 64, 65, 200, 3} {
		r := spread(n+1, q[:k])
		r.Transient = false
		all = append(all, r)
		want = append(want, places(r)...)
	}
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	b.reopen()
	got := b.wantPlaces(want...)
	var refs []persistence.Ref
	for _, p := range got {
		refs = append(refs, p.Ref)
	}
	back, i := b.read(refs...), 0
	for _, r := range all {
		for _, p := range r.Places {
			if len(back[i].Places) != 1 || back[i].Places[0] != p {
				b.Fatalf("the record read back has places %+v, want only %+v", back[i].Places, p)
			}
			if at, ok := back[i].Ref(0); !ok || at != refs[i] {
				b.Fatalf("the record read back is at %v, want %v", at, refs[i])
			}
			wantMessage(b, back[i].Message, r.Message)
			i++
		}
	}
	// What the records themselves say is where the places are.
	i = 0
	for _, r := range all {
		for place := range r.Places {
			if at, ok := r.Ref(place); !ok || at != refs[i] {
				b.Fatalf("place %d of a record of %d is at %v, recovered at %v", place, len(r.Places), at, refs[i])
			}
			i++
		}
	}
}

func extremeValues(b *bed) {
	q := b.queue()
	var all []*persistence.Record
	var want []persistence.Recovered
	for i, p := range []persistence.Place{
		{Seq: 0},
		{Seq: 1, Expires: 1},
		{Seq: math.MaxUint64, Expires: math.MaxInt64, Due: math.MinInt64, Returns: math.MaxUint32},
		{Seq: 1 << 63, Expires: math.MinInt64, Due: math.MaxInt64},
		{Seq: 2, Due: 1},
	} {
		p.Queue = q
		r := persistence.NewRecord(message(i, i))
		r.Message.Priority = uint8(255 - i)
		r.Message.Expiration = p.Expires
		r.Add(p)
		all = append(all, r)
		want = append(want, places(r)...)
	}
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	b.reopen()
	for i, p := range b.wantPlaces(want...) {
		wantMessage(b, b.read(p.Ref)[0].Message, all[i].Message)
	}
}

// oneMessageInTwoRecords is a dead letter that is sent on as it was.
func oneMessageInTwoRecords(b *bed) {
	q := b.queues(2)
	one, two := record(1, q[0]), record(2, q[1])
	two.Message = one.Message
	b.commit(func(batch *persistence.Batch) { batch.Append(one, nil, 0) })
	b.commit(func(batch *persistence.Batch) {
		batch.Settle(one, 0)
		batch.Append(two, nil, 0)
	})
	b.reopen()
	got := b.wantPlaces(places(two)...)
	wantMessage(b, b.read(got[0].Ref)[0].Message, one.Message)
}

func recoverStops(b *bed) {
	q := b.queue()
	var want []persistence.Recovered
	for part := range 3 {
		b.commit(func(batch *persistence.Batch) {
			for n := range 10 {
				r := record(part*10+n+1, q)
				batch.Append(r, nil, 0)
				want = append(want, places(r)...)
			}
		})
	}
	for _, stop := range []int{1, 10, 15} {
		b.reopen()
		n := 0
		if err := b.s.Recover(func(persistence.Recovered) bool { n++; return n < stop }); err != nil {
			b.Fatalf("Recover: %v", err)
		}
		if n != stop {
			b.Fatalf("Recover yielded %d places, want it to stop after %d", n, stop)
		}
	}
	b.reopen()
	b.wantPlaces(want...)
}

// recoverHoldsNoLock calls the store back from the callback of Recover, as a
// queue does that wants its first messages in memory.
func recoverHoldsNoLock(b *bed) {
	q := b.queue()
	r := record(1, q)
	b.commit(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
	b.reopen()
	n := 0
	err := b.s.Recover(func(p persistence.Recovered) bool {
		n++
		wantMessage(b, b.read(p.Ref)[0].Message, r.Message)
		if b.s.NewID() == 0 || b.s.Stats().LivePlaces != 1 || b.s.Err() != nil {
			b.Error("the store is not itself within Recover")
		}
		return true
	})
	if n != 1 || err != nil {
		b.Fatalf("Recover yielded %d places and returned %v, want one and no error", n, err)
	}
}

func aQueueAndItsRecordsInOneBatch(b *bed) {
	q := persistence.QueueID(b.s.NewID())
	r := record(1, q)
	b.commit(func(batch *persistence.Batch) {
		batch.Append(r, nil, 0)
		batch.Change(define(persistence.KindQueue, uint64(q), ""))
	})
	b.reopen()
	b.wantPlaces(places(r)...)
}

func undefinedOwnersAreNotRecovered(b *bed) {
	q := b.queue()
	unknown := persistence.QueueID(b.s.NewID())
	// A user, or a key, of that id owns nothing.
	user, key := define(persistence.KindUser, uint64(unknown), ""), define(persistence.KindDuplicate, uint64(unknown), "")
	both, lost := spread(1, []persistence.QueueID{unknown, q}), record(2, unknown)
	b.commit(func(batch *persistence.Batch) {
		batch.Change(user)
		batch.Change(key)
		batch.Append(both, nil, 0)
		batch.Append(lost, nil, 0)
	})
	b.reopen()
	b.wantPlaces(places(both, 0)...)
	if n := b.s.Stats().LivePlaces; n != 1 {
		b.Errorf("Stats count %d live places, want 1", n)
	}
	// They are gone, also for an owner that takes the id later.
	b.commit(func(batch *persistence.Batch) {
		batch.Change(define(persistence.KindQueue, uint64(unknown), ""))
	})
	b.reopen()
	b.wantPlaces(places(both, 0)...)
}

func deletedQueuesAreNotRecovered(b *bed) {
	q := b.queues(2)
	both, only := spread(1, q), record(2, q[0])
	b.commit(func(batch *persistence.Batch) {
		batch.Append(both, nil, 0)
		batch.Append(only, nil, 0)
	})
	b.reopen()
	b.wantPlaces(append(places(both), places(only)...)...)
	b.commit(func(batch *persistence.Batch) {
		gone := define(persistence.KindQueue, uint64(q[0]), "")
		gone.Delete = true
		batch.Change(gone)
	})
	for range 2 {
		b.reopen()
		got := b.wantPlaces(places(both, 0)...)
		wantMessage(b, b.read(got[0].Ref)[0].Message, both.Message)
	}
}

func transientRecordsAreDroppedAtStart(b *bed) {
	q := b.queue()
	var kept []persistence.Recovered
	var dropped []*persistence.Record
	w := newTally()
	b.write(func(batch *persistence.Batch) {
		for n := range 20 {
			r := record(n+1, q)
			if r.Transient = n%2 == 0; r.Transient {
				dropped = append(dropped, r)
			} else {
				kept = append(kept, places(r)...)
			}
			batch.Append(r, w, uint64(n+1))
		}
	})
	w.want(b, nil, upTo(20)...)
	alone := record(21, q)
	alone.Transient = true
	b.commit(func(batch *persistence.Batch) { batch.Append(alone, nil, 0) })
	// Until then they are there as others are.
	for _, r := range append(dropped[1:], alone) {
		at, ok := r.Ref(0)
		if !ok {
			b.Fatal("a transient record was not written")
		}
		wantMessage(b, b.read(at)[0].Message, r.Message)
	}
	b.write(func(batch *persistence.Batch) { batch.Settle(dropped[0], 0) })
	b.reopen()
	b.wantSet(kept...)
	if n := b.s.Stats().LivePlaces; n != int64(len(kept)) {
		b.Errorf("Stats count %d live places, want %d", n, len(kept))
	}
	b.reopen()
	b.wantSet(kept...)
}

func batchesAreUsedAgain(b *bed) {
	q := b.queue()
	var batch persistence.Batch
	var want []persistence.Recovered
	w := newTally()
	b.s.Write(&batch) // empty, which is nothing
	for n := 1; n <= 200; n++ {
		r := record(n, q)
		batch.Append(r, w, uint64(n))
		if n%7 == 0 {
			batch.Settle(r, 0)
		} else {
			want = append(want, places(r)...)
		}
		b.s.Write(&batch)
		if !batch.Empty() {
			b.Fatal("Write left something in the batch")
		}
	}
	w.want(b, nil, upTo(200)...)
	b.reopen()
	b.wantSet(want...)
}

// runsFollowOneAnother adds something in each of several runs.
func runsFollowOneAnother(b *bed) {
	q := b.queue()
	var want []persistence.Recovered
	for run := range 5 {
		if run > 0 {
			b.wantPlaces(want...)
		}
		r := record(run+1, q)
		b.commit(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
		want = append(want, places(r)...)
		b.reopen()
	}
	for i, p := range b.wantPlaces(want...) {
		wantMessage(b, b.read(p.Ref)[0].Message, message(i+1, 100))
	}
}
