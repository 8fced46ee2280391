package storetest

import (
	"sync"

	"github.com/leveretmq/leveret/persistence"
)

var waiterTests = []test{
	{"WaitersAreToldEachNumberOnce", waitersAreToldEachNumberOnce},
	{"WaitersAreToldSeveralAtATime", waitersAreToldSeveralAtATime},
	{"TheRefIsKnownToTheWaiter", theRefIsKnownToTheWaiter},
	{"WaitComesAfterAllBefore", waitComesAfterAllBefore},
	{"WaitersMayWrite", waitersMayWrite},
	{"OutcomesAreAwaited", outcomesAreAwaited},
}

func waitersAreToldEachNumberOnce(b *bed) {
	q := b.queues(2)
	w := []*tally{newTally(), newTally(), newTally()}
	want := make([][]uint64, len(w))
	n := 0
	for round := range 100 {
		b.write(func(batch *persistence.Batch) {
			for i := range 1 + round%7 {
				n++
				r := spread(n, q[:1+n%2])
				k := (round + i/2) % (len(w) + 1)
				if k == len(w) {
					batch.Append(r, nil, uint64(n)) // nobody waits
					continue
				}
				batch.Append(r, w[k], uint64(n))
				want[k] = append(want[k], uint64(n))
				if n%5 == 0 {
					batch.Settle(r, 0)
				}
			}
			if k := round % len(w); round%4 == 0 {
				n++
				batch.Wait(w[k], uint64(n))
				want[k] = append(want[k], uint64(n))
				n++
				next := (k + round/4) % len(w)
				batch.Wait(w[next], uint64(n))
				want[next] = append(want[next], uint64(n))
			}
		})
	}
	for k := range w {
		w[k].want(b, nil, want[k]...)
	}
	b.close() // nobody is told again
	for k := range w {
		w[k].want(b, nil, want[k]...)
	}
}

// waitersAreToldSeveralAtATime: a confirm for each of a thousand would be
// dear; one for all of a batch is what stores can do.
func waitersAreToldSeveralAtATime(b *bed) {
	q := b.queue()
	w := []*tally{newTally(), newTally()}
	for k := range w {
		b.write(func(batch *persistence.Batch) {
			for i, r := range records(1000, q) {
				batch.Append(r, w[k], uint64(i+1))
			}
		})
	}
	for k := range w {
		w[k].want(b, nil, upTo(1000)...)
		if w[k].calls > 10 {
			b.Errorf("1000 numbers of one batch were told in %d calls", w[k].calls)
		}
	}
}

func theRefIsKnownToTheWaiter(b *bed) {
	q := b.queues(3)
	all := make(map[uint64]*persistence.Record)
	var mu sync.Mutex // guards unknown
	var unknown []uint64
	w := newTally()
	w.hook = func(numbers []uint64, err error) {
		for _, n := range numbers {
			if at, ok := all[n].Ref(2); err != nil || !ok || at == (persistence.Ref{}) {
				mu.Lock()
				unknown = append(unknown, n)
				mu.Unlock()
			}
		}
	}
	var batches []persistence.Batch
	for n := uint64(1); n <= 100; n++ {
		all[n] = spread(int(n), q)
		if _, ok := all[n].Ref(0); ok {
			b.Fatal("a new record has a ref")
		}
		if n%3 == 1 {
			batches = append(batches, persistence.Batch{})
		}
		batches[len(batches)-1].Append(all[n], w, n)
	}
	for i := range batches {
		b.s.Write(&batches[i])
	}
	w.want(b, nil, upTo(100)...)
	mu.Lock()
	defer mu.Unlock()
	if len(unknown) > 0 {
		b.Fatalf("the waiter was told before the ref was known, or with an error: %v", brief(unknown))
	}
}

// waitComesAfterAllBefore holds the store to the order of batches.
func waitComesAfterAllBefore(b *bed) {
	q := b.queue()
	for round := range 20 {
		before := records(round*5, q)
		for _, r := range before {
			b.write(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
		}
		b.barrier() // a batch with nothing but a Wait
		for _, r := range before {
			if _, ok := r.Ref(0); !ok {
				b.Fatal("a Wait was told before what was handed over before it was written")
			}
		}
	}
}

// waitersMayWrite hands over the next record when the last is told.
func waitersMayWrite(b *bed) {
	q := b.queue()
	all := records(30, q)
	var want []persistence.Recovered
	for _, r := range all {
		want = append(want, places(r)...)
	}
	w := newTally()
	w.hook = func(numbers []uint64, _ error) {
		for _, n := range numbers {
			if n < uint64(len(all)) {
				var batch persistence.Batch
				batch.Append(all[n], w, n+1)
				b.s.Write(&batch)
				_, _, _ = b.s.NewID(), b.s.Stats(), b.s.Err() // nor do these wait for a lock
			}
		}
	}
	b.write(func(batch *persistence.Batch) { batch.Append(all[0], w, 1) })
	w.want(b, nil, upTo(30)...)
	b.reopen()
	b.wantPlaces(want...)
}

func outcomesAreAwaited(b *bed) {
	q := b.queue()
	for n := range 5 {
		o := persistence.NewOutcome()
		b.write(func(batch *persistence.Batch) {
			batch.Append(record(n+1, q), nil, 0)
			batch.Wait(o, 0)
		})
		if err := o.Await(); err != nil {
			b.Fatalf("Await: %v", err)
		}
	}
}
