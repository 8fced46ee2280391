package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

var concurrentTests = []test{
	{"ConcurrentWriters", concurrentWriters},
	{"ConcurrentDeclares", concurrentDeclares},
	{"ReadersBesideWriters", readersBesideWriters},
}

// writer is one of several that use the store at the same time.
type writer struct {
	s     persistence.Store
	rng   *rand.Rand
	own   persistence.QueueID
	all   persistence.QueueID // all writers have places in it
	first uint64              // its seqs in all begin here
	want  []persistence.Recovered
	stray error
}

// run appends records and settles most of them: a place before the record is
// appended, or all that is left at once after it.
func (w *writer) run(n int) {
	for i := 0; i < n && w.stray == nil; {
		var batch persistence.Batch
		var mine []*persistence.Record
		var settled []int // the place of each that is settled first, or -1
		for range 1 + w.rng.IntN(10) {
			r := persistence.NewRecord(message(i, w.rng.IntN(400)))
			r.Add(persistence.Place{Queue: w.own, Seq: uint64(i)})
			r.Add(persistence.Place{Queue: w.all, Seq: w.first + uint64(i)})
			i++
			first := w.rng.IntN(4) - 2
			if first = max(first, -1); first >= 0 {
				batch.Settle(r, first)
			}
			batch.Append(r, nil, 0)
			mine, settled = append(mine, r), append(settled, first)
		}
		done := persistence.NewOutcome()
		batch.Wait(done, 0)
		w.s.Write(&batch)
		w.s.Await()
		if w.rng.IntN(3) == 0 {
			w.stray = done.Await()
		}
		for k, r := range mine {
			if w.rng.IntN(3) != 0 {
				w.want = append(w.want, places(r, settled[k])...)
				continue
			}
			for place := range r.Places {
				if place != settled[k] {
					batch.Settle(r, place)
				}
			}
		}
		w.s.Write(&batch)
	}
}

func concurrentWriters(b *bed) {
	const writers = 6
	n := 2000
	if testing.Short() {
		n = 400
	}
	q := b.queues(writers + 1)
	all := make([]*writer, writers)
	var wg sync.WaitGroup
	for k := range all {
		all[k] = &writer{s: b.s, rng: rand.New(rand.NewPCG(5, uint64(k))), own: q[k], all: q[writers], first: uint64(k) << 32}
		wg.Go(func() { all[k].run(n) })
	}
	wg.Wait()
	b.reopen()
	byWriter := make([][]persistence.Recovered, writers)
	for _, p := range b.recover() {
		k := int(p.Seq >> 32)
		if p.Queue != q[writers] {
			for k = 0; q[k] != p.Queue; k++ {
			}
		}
		p.Ref = persistence.Ref{}
		byWriter[k] = append(byWriter[k], p)
	}
	for k, w := range all {
		if w.stray != nil {
			b.Errorf("writer %d was told %v", k, w.stray)
		}
		if got, want := len(byWriter[k]), len(w.want); got != want {
			b.Fatalf("of writer %d %d places came back, want %d", k, got, want)
		}
		sorted(w.want)
		for i, p := range sorted(byWriter[k]) {
			if p != w.want[i] {
				b.Fatalf("of writer %d place %d is %+v, want %+v", k, i, p, w.want[i])
			}
		}
	}
}

// concurrentDeclares makes queues, each with a record, and deletes every other.
func concurrentDeclares(b *bed) {
	const workers, each = 8, 20
	var mu sync.Mutex // guards want and failure
	var want []persistence.Recovered
	var failure error
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				q := define(persistence.KindQueue, b.s.NewID(), "")
				r := record(i, persistence.QueueID(q.ID))
				steps := []func(*persistence.Batch){
					func(batch *persistence.Batch) { batch.Change(q) },
					func(batch *persistence.Batch) { batch.Append(r, nil, 0) },
				}
				if i%2 == 0 {
					steps = append(steps, func(batch *persistence.Batch) {
						q.Delete = true
						batch.Change(q)
					})
				}
				for _, step := range steps {
					var batch persistence.Batch
					done := persistence.NewOutcome()
					step(&batch)
					batch.Wait(done, 0)
					b.s.Write(&batch)
					if err := done.Await(); err != nil {
						mu.Lock()
						failure = err
						mu.Unlock()
					}
				}
				if i%2 != 0 {
					mu.Lock()
					want = append(want, places(r)...)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if failure != nil {
		b.Fatalf("a declare was told %v", failure)
	}
	b.reopen()
	if defs, err := b.s.Definitions(); err != nil || len(defs) != len(want) {
		b.Fatalf("%d definitions and %v, want %d", len(defs), err, len(want))
	}
	b.wantSet(want...)
}

// readersBesideWriters reads records while others are written and settled.
func readersBesideWriters(b *bed) {
	q := b.queue()
	const kept = 500
	stay := records(kept, q)
	b.commit(func(batch *persistence.Batch) {
		for _, r := range stay {
			batch.Append(r, nil, 0)
		}
	})
	stop, failures := make(chan struct{}), make(chan string, 100)
	var wg sync.WaitGroup
	for k := range 3 {
		rng := rand.New(rand.NewPCG(6, uint64(k)))
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if text := readSome(b.s, stay, rng); text != "" {
						failures <- text
						return
					}
					_, _ = b.s.Stats(), b.s.NewID()
				}
			}
		})
	}
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	for n := range rounds {
		r := record(kept+n+1, q)
		b.commit(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
		b.write(func(batch *persistence.Batch) { batch.Settle(r, 0) })
	}
	close(stop)
	wg.Wait()
	close(failures)
	for text := range failures {
		b.Error(text)
	}
}

// readSome reads a few of the records and says what is wrong with what it got.
func readSome(s persistence.Store, all []*persistence.Record, rng *rand.Rand) (failure string) {
	var want []*persistence.Record
	var refs []persistence.Ref
	for range 1 + rng.IntN(20) {
		r := all[rng.IntN(len(all))]
		at, _ := r.Ref(0)
		want, refs = append(want, r), append(refs, at)
	}
	s.Read(refs, func(i int, r *persistence.Record, err error) {
		switch {
		case err != nil:
			failure = fmt.Sprintf("Read of %v: %v", refs[i], err)
		case r.Places[0] != want[i].Places[0] || !bytes.Equal(r.Message.Body, want[i].Message.Body):
			failure = fmt.Sprintf("Read of %v found another record", refs[i])
		}
	})
	return failure
}
