package queue

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/persistence"
)

// found makes places as a store yields them: in the order of writing.
func found(n, group int) []persistence.Recovered {
	out := make([]persistence.Recovered, 0, n)
	for _, p := range row(n, group, 1, oneKiB) {
		out = append(out, persistence.Recovered{Place: persistence.Place{Queue: 1, Seq: p.seq}, Ref: p.ref, Size: p.size})
	}
	return out
}

// relocate moves every nth place of the first three quarters to the end, in
// some order, as a store does that makes room.
func relocate(in []persistence.Recovered, n int) (out []persistence.Recovered) {
	var late []persistence.Recovered
	for i, r := range in {
		if i%n == 0 && i < len(in)/4*3 {
			late = append(late, r)
		} else {
			out = append(out, r)
		}
	}
	slices.Reverse(late)
	return append(out, late...)
}

// jumble lets places come up to distance too early or too late.
func jumble(in []persistence.Recovered, distance int) []persistence.Recovered {
	random := rand.New(rand.NewPCG(7, 8))
	at := make(map[uint64]int, len(in))
	for i, r := range in {
		at[r.Seq] = i + random.IntN(distance)
	}
	slices.SortFunc(in, func(a, b persistence.Recovered) int { return cmp.Compare(at[a.Seq], at[b.Seq]) })
	return in
}

// publishers lets places come as from n publishers who publish in turn, and
// whose messages are written in groups.
func publishers(in []persistence.Recovered, n, group int) (out []persistence.Recovered) {
	for len(in) > 0 {
		part := in[:min(n*group, len(in))]
		in = in[len(part):]
		for i := range n {
			for j := i; j < len(part); j += n {
				out = append(out, part[j])
			}
		}
	}
	return out
}

// sparse makes gaps between the places, some of them wide.
func sparse(in []persistence.Recovered) []persistence.Recovered {
	for i := range in {
		in[i].Seq = in[i].Seq*37 + in[i].Seq/1000*100_000
	}
	return in
}

// seqs returns the places in line of a line's items, in the order in which they
// would be delivered.
func seqs(ln *line) (out []uint64) {
	var rows [][]uint64
	for f := range ln.fifos {
		var row []uint64
		for s := f.head; s != nil; s = s.next {
			for p := range unpack(s.packed, s.count()) {
				row = append(row, p.seq)
			}
		}
		rows = append(rows, row)
	}
	for {
		first := -1
		for i, row := range rows {
			if len(row) > 0 && (first < 0 || row[0] < rows[first][0]) {
				first = i
			}
		}
		if first < 0 {
			return out
		}
		out, rows[first] = append(out, rows[first][0]), rows[first][1:]
	}
}

func TestRecoverPutsInOrder(t *testing.T) {
	const n = 60_000
	for _, c := range []struct {
		name   string
		places []persistence.Recovered
		late   int // at most, that must be sorted by themselves
	}{
		{"in order", found(n, 100), 0},
		{"nearly", jumble(found(n, 100), 200), 200},
		{"some publishers", publishers(found(n, 100), 10, 20), 400},
		{"many publishers", publishers(found(n, 100), 50, 100), 10_000},
		{"rather not", jumble(found(n, 100), 5000), 10_000},
		{"with gaps", sparse(jumble(found(n, 100), 50)), 2000},
		{"relocated", relocate(found(n, 100), 10), n / 13},
		{"not at all", jumble(found(n, 100), n), n},
		{"backwards", relocate(found(n, 100), 1), n},
	} {
		store := newFakeStore(t)
		pager := NewPager(store, 0, 0)
		q := New(Options{ID: 1, Store: store, Pager: pager, Limits: NoLimits()})
		for _, r := range c.places {
			q.Recover(r)
		}
		if err := q.Recovered(); err != nil {
			t.Fatal(err)
		}
		want := make([]uint64, n)
		for i := range want {
			want[i] = c.places[i].Seq
		}
		slices.Sort(want)
		if got := seqs(&q.core.ready.zero); !slices.Equal(got, want) {
			t.Errorf("%s: %d places came back in another order", c.name, len(got))
		}
		late := 0
		for f := range q.core.ready.zero.fifos {
			if f != &q.core.ready.zero.fresh {
				late += f.count
			}
			if err := fifoInvariant(f); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if t.Logf("%s: %d late", c.name, late); late > c.late {
			t.Errorf("%s: %d were late, want %d at most", c.name, late, c.late)
		}
		if st := q.Stats(); st.Ready != n || st.PagedOut != n || st.ReadyBytes != n*1024 {
			t.Errorf("%s: %+v", c.name, st)
		}
		if next := q.core.nextSeq; next != want[n-1] {
			t.Errorf("%s: the next place in line comes after %d", c.name, next)
		}
		q.Close()
		pager.Close()
	}
}

// More may come late than are sorted at once: they are delivered in order all
// the same, while new ones come and old ones go back.
func TestRecoverManyLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(t)
		pager := NewPager(store, 0, 0)
		defer pager.Close()
		q := New(Options{ID: persistence.QueueID(store.NewID()), Store: store, Pager: pager, Limits: NoLimits()})
		defer q.Close()
		var fx Effects
		const n = 3000
		fill(q, &fx, n)
		storage := &storage{store: store, pager: pager, id: q.opts.ID}
		q = storage.restart(q, func(q *Queue, found []persistence.Recovered) {
			copy(found, relocate(found, 2))
			q.recovery = newRecovery(0, 200)
		})
		line := &q.core.ready.zero
		if n := len(line.late); n < 3 {
			t.Fatalf("%d fifos of late ones, want more", n)
		}
		r := &receiver{prefetch: 50}
		c, err := q.Consume(Spec{Receiver: r})
		if err != nil {
			t.Fatal(err)
		}
		q.Ready(c, &fx)
		for seen := 0; seen < n; {
			synctest.Wait()
			for ; seen < len(r.tags); seen++ {
				if got, want := r.tags[seen].Message.RoutingKey, fmt.Sprint("m", seen); got != want {
					t.Fatalf("delivery %d is %s", seen, got)
				}
			}
			if err := invariants(q); err != nil {
				t.Fatal(err)
			}
			q.Ack(r.release(r.open()), &fx)
			if r.unpark() {
				q.Ready(c, &fx)
			}
			fx.WakeAll()
		}
		if len(line.late) != 0 {
			t.Error("the fifo of late ones is still there")
		}
	})
}

// fill publishes persistent messages m0, m1 and so on, as a router does.
func fill(q *Queue, fx *Effects, n int) {
	for i := range n {
		m := message(fmt.Sprint("m", i), 100)
		m.Persistent = true
		var rec *persistence.Record
		q.Publish(m, &rec, fx)
		if rec != nil {
			fx.Append(rec, nil, 0)
		}
		if i%100 == 99 || i == n-1 {
			fx.WakeAll()
		}
	}
}

// A million messages take little memory as long as nobody wants them.
func TestRecoverMemory(t *testing.T) {
	const n = 1_000_000
	for _, c := range []struct {
		name   string
		places func(int) persistence.Recovered
		limit  float64 // bytes each
	}{
		{"in a row", func(i int) persistence.Recovered {
			return persistence.Recovered{Place: persistence.Place{Queue: 1, Seq: uint64(i)},
				Ref: persistence.Ref{Chunk: uint64(i / 64), Index: uint32(i % 64)}, Size: 1024}
		}, 0.5},
		{"of many sizes, with deadlines", func(i int) persistence.Recovered {
			return persistence.Recovered{Place: persistence.Place{Queue: 1, Seq: uint64(i), Expires: 4e18 + int64(i)*1777},
				Ref: persistence.Ref{Chunk: uint64(i / 64), Index: uint32(i % 64 * 3)}, Size: uint32(i % 977)}
		}, 6},
	} {
		store := newFakeStore(t)
		pager := NewPager(store, 0, 0)
		q := New(Options{ID: 1, Store: store, Pager: pager, Limits: NoLimits()})
		before := heap()
		for i := range n {
			q.Recover(c.places(i))
		}
		if err := q.Recovered(); err != nil {
			t.Fatal(err)
		}
		each := float64(heap()-before) / n
		t.Logf("%s: %.2f bytes a message", c.name, each)
		if each > c.limit {
			t.Errorf("%s: %.2f bytes a message, want %v at most", c.name, each, c.limit)
		}
		runtime.KeepAlive(q)
		q.Close()
		pager.Close()
	}
}

// BenchmarkRecover's unit is a place.
func BenchmarkRecover(b *testing.B) {
	for _, c := range []struct {
		name   string
		places []persistence.Recovered
	}{
		{"in order", found(1_000_000, 100)},
		{"10 publishers", publishers(found(1_000_000, 100), 10, 50)},
		{"100 publishers", publishers(found(1_000_000, 100), 100, 50)},
		{"nearly", jumble(found(1_000_000, 100), 1000)},
		{"relocated", relocate(found(1_000_000, 100), 10)},
	} {
		b.Run(c.name, func(b *testing.B) {
			store := newFakeStore(b)
			pager := NewPager(store, 0, 0)
			defer pager.Close()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				q := New(Options{ID: 1, Store: store, Pager: pager, Limits: NoLimits()})
				for _, r := range c.places {
					q.Recover(r)
				}
				if err := q.Recovered(); err != nil {
					b.Fatal(err)
				}
				n += len(c.places)
				q.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/place")
		})
	}
}
