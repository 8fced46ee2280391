package storetest

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/leveretmq/leveret/persistence"
)

var readTests = []test{
	{"ReadInAnyOrder", readInAnyOrder},
	{"ReadOfNothing", readOfNothing},
	{"ReadOfUnknownRefs", readOfUnknownRefs},
	{"ReadHoldsNoLock", readHoldsNoLock},
	{"WhatIsReadIsOwned", whatIsReadIsOwned},
}

func readInAnyOrder(b *bed) {
	q := b.queues(2)
	n, group := 2000, 100
	all := make([]*persistence.Record, n)
	for i := range all {
		all[i] = persistence.NewRecord(message(i, i%300))
		all[i].Add(persistence.Place{Queue: q[0], Seq: uint64(i), Expires: int64(i) * 1e9})
		all[i].Add(persistence.Place{Queue: q[1], Seq: uint64(i) * 3})
	}
	for part := range slices.Chunk(all, group) {
		b.commit(func(batch *persistence.Batch) {
			for _, r := range part {
				batch.Append(r, nil, 0)
			}
		})
	}
	rng := rand.New(rand.NewPCG(3, 3))
	check := func(order []int, place int) {
		b.Helper()
		var refs []persistence.Ref
		for _, i := range order {
			at, ok := all[i].Ref(place)
			if !ok {
				b.Fatal("a record has no ref after its commit")
			}
			refs = append(refs, at)
		}
		for i, back := range b.read(refs...) {
			want := all[order[i]]
			if len(back.Places) != 1 || back.Places[0] != want.Places[place] {
				b.Fatalf("read back places %+v, want only %+v", back.Places, want.Places[place])
			}
			wantMessage(b, back.Message, want.Message)
		}
	}
	sorted := make([]int, n)
	for i := range sorted {
		sorted[i] = i
	}
	for range 2 {
		check(sorted, 0)
		check(sorted[n/3:n/2], 1)
		check(rng.Perm(n), 1)
		check([]int{5, 5, n - 1, 5, 0, 0}, 0)
		for range 100 {
			check([]int{rng.IntN(n)}, rng.IntN(2))
		}
		b.reopen() // refs outlive the run
	}
}

func readOfNothing(b *bed) {
	b.s.Read(nil, func(int, *persistence.Record, error) { b.Error("Read of nothing found something") })
}

func readOfUnknownRefs(b *bed) {
	q := b.queue()
	r := record(1, q)
	b.commit(func(batch *persistence.Batch) { batch.Append(r, nil, 0) })
	at, _ := r.Ref(0)
	refs := []persistence.Ref{{}, {Chunk: at.Chunk + 1_000_000}, at, {Chunk: at.Chunk, Index: 1000}, {Index: at.Index}}
	n := 0
	b.s.Read(refs, func(i int, back *persistence.Record, err error) {
		if i != n {
			b.Fatalf("Read found number %d, want %d", i, n)
		}
		n++
		if i == 2 {
			if err != nil || back == nil {
				b.Fatalf("Read of a good ref among unknown ones: %v", err)
			}
			wantMessage(b, back.Message, r.Message)
			return
		}
		if back != nil || !errors.Is(err, persistence.ErrDamaged) {
			b.Errorf("Read of unknown ref %v found %v and %v, want an error that wraps ErrDamaged", refs[i], back, err)
		}
	})
	if n != len(refs) {
		b.Errorf("Read found %d of %d refs", n, len(refs))
	}
	if err := b.s.Err(); err != nil {
		b.Errorf("an unknown ref failed the store: %v", err)
	}
}

// readHoldsNoLock writes, settles and reads from the callback of Read.
func readHoldsNoLock(b *bed) {
	q := b.queues(2)
	all := records(20, q[0])
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	var refs []persistence.Ref
	for _, r := range all {
		at, _ := r.Ref(0)
		refs = append(refs, at)
	}
	var want []persistence.Recovered
	b.s.Read(refs, func(i int, r *persistence.Record, err error) {
		if err != nil {
			b.Fatalf("Read: %v", err)
		}
		moved := record(i+1, q[1])
		b.commit(func(batch *persistence.Batch) {
			batch.Settle(r, 0)
			batch.Append(moved, nil, 0)
		})
		at, _ := moved.Ref(0)
		wantMessage(b, b.read(at)[0].Message, r.Message)
		want = append(want, places(moved)...)
	})
	b.reopen()
	b.wantSet(want...)
}

// whatIsReadIsOwned keeps what was read while its place is settled and much is
// written.
func whatIsReadIsOwned(b *bed) {
	q := b.queue()
	all := records(50, q)
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	var back []*persistence.Record
	for _, r := range all {
		at, _ := r.Ref(0)
		back = append(back, b.read(at)...)
	}
	b.commit(func(batch *persistence.Batch) {
		for _, r := range back {
			batch.Settle(r, 0)
		}
	})
	for n := range 20 {
		b.commit(func(batch *persistence.Batch) {
			r := persistence.NewRecord(message(1000+n, 10_000))
			r.Add(persistence.Place{Queue: q, Seq: uint64(1000 + n)})
			batch.Append(r, nil, 0)
		})
	}
	b.close()
	for i, r := range back {
		wantMessage(b, r.Message, all[i].Message)
	}
}
