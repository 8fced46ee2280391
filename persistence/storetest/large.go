package storetest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

var largeTests = []test{
	{"BodiesOfAllSizes", bodiesOfAllSizes},
	{"LongHeads", longHeads},
	{"ManyRecordsInOneBatch", manyRecordsInOneBatch},
	{"MuchIsHandedOverAtOnce", muchIsHandedOverAtOnce},
}

func bodiesOfAllSizes(b *bed) {
	q := b.queue()
	var all []*persistence.Record
	for i, size := range []int{
		0, 1, 127, 128, 20 << 20, 255, 256, 4095, 4096, 4097, 0, 65535, 65536, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1 << 20, 1<<20 + 1, 3, 5 << 20, 0,
	} {
		r := persistence.NewRecord(message(i, size))
		r.Add(persistence.Place{Queue: q, Seq: uint64(i)})
		all = append(all, r)
	}
	w := newTally()
	b.write(func(batch *persistence.Batch) {
		for i, r := range all {
			batch.Append(r, w, uint64(i+1))
		}
	})
	w.want(b, nil, upTo(len(all))...)
	check := func(found map[uint64]persistence.Ref) {
		b.Helper()
		for i, r := range all {
			at, ok := found[uint64(i)]
			if !ok {
				b.Fatalf("a body of %d bytes is lost", len(r.Message.Body))
			}
			wantMessage(b, b.read(at)[0].Message, r.Message)
		}
	}
	now := make(map[uint64]persistence.Ref)
	for i, r := range all {
		now[uint64(i)], _ = r.Ref(0)
	}
	check(now)
	b.reopen()
	// Large bodies may stand in chunks of their own, so the order is free.
	now = make(map[uint64]persistence.Ref)
	for _, p := range b.recover() {
		if int(p.Size) != len(all[p.Seq].Message.Body) {
			b.Errorf("recovered a body of %d bytes, want %d", p.Size, len(all[p.Seq].Message.Body))
		}
		now[p.Seq] = p.Ref
	}
	if len(now) != len(all) {
		b.Errorf("recovered %d places, want %d", len(now), len(all))
	}
	check(now)
	b.commit(func(batch *persistence.Batch) {
		for i, at := range now {
			batch.Settle(persistence.StoredRecord(nil, all[i].Places[0], at), 0)
		}
	})
	b.reopen()
	b.wantPlaces()
}

// longHeads have more before the body than most messages.
func longHeads(b *bed) {
	q := b.queue()
	long := make([]byte, 255)
	for i := range long {
		long[i] = byte(i)
	}
	var all []*persistence.Record
	for i, properties := range []int{2, 127, 128, 128 << 10, 2 << 20} {
		m := amqp.NewMessage(string(long), long, make([]byte, properties), 10)
		m.AppendBody([]byte("0123456789"))
		for range i * 100 {
			m.ExtraKeys = append(m.ExtraKeys, string(long))
		}
		r := persistence.NewRecord(m)
		r.Add(persistence.Place{Queue: q, Seq: uint64(i)})
		all = append(all, r)
	}
	b.commit(func(batch *persistence.Batch) {
		for _, r := range all {
			batch.Append(r, nil, 0)
		}
	})
	b.reopen()
	n := 0
	for _, p := range b.recover() {
		n++
		wantMessage(b, b.read(p.Ref)[0].Message, all[p.Seq].Message)
	}
	if n != len(all) {
		b.Errorf("recovered %d places, want %d", n, len(all))
	}
}

func manyRecordsInOneBatch(b *bed) {
	q := b.queues(2)
	const n = 100_000
	body := message(1, 64)
	all := make([]*persistence.Record, n)
	w := newTally()
	b.write(func(batch *persistence.Batch) {
		for i := range all {
			m := amqp.NewMessage("", nil, nil, 64)
			m.AppendBody(body.Body)
			m.Body[0], m.Body[1], m.Body[2] = byte(i), byte(i>>8), byte(i>>16)
			all[i] = persistence.NewRecord(m)
			all[i].Add(persistence.Place{Queue: q[i%2], Seq: uint64(i)})
			batch.Append(all[i], w, uint64(i+1))
		}
	})
	w.want(b, nil, upTo(n)...)
	b.reopen()
	found := b.recover()
	if len(found) != n {
		b.Fatalf("recovered %d places, want %d", len(found), n)
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for i, p := range found {
		if p.Place != all[i].Places[0] {
			b.Fatalf("recovered place %d is %+v, want %+v", i, p.Place, all[i].Places[0])
		}
		if rng.IntN(1000) == 0 {
			wantMessage(b, b.read(p.Ref)[0].Message, all[i].Message)
		}
	}
	b.commit(func(batch *persistence.Batch) {
		for _, p := range found {
			batch.Settle(persistence.StoredRecord(nil, p.Place, p.Ref), 0)
		}
	})
	b.reopen()
	b.wantPlaces()
}

// muchIsHandedOverAtOnce hands over more than fits into one group, with and
// without waiting for room.
func muchIsHandedOverAtOnce(b *bed) {
	q := b.queue()
	megabytes := 16
	if !testing.Short() {
		megabytes = 128
	}
	m := message(1, 64<<10)
	w := newTally()
	var seqs []uint64
	for i := range uint64(megabytes * 16) {
		r := persistence.NewRecord(m)
		r.Add(persistence.Place{Queue: q, Seq: i})
		b.write(func(batch *persistence.Batch) { batch.Append(r, w, i+1) })
		if i%2 == 0 {
			b.s.Await()
		}
		seqs = append(seqs, i)
	}
	w.want(b, nil, upTo(len(seqs))...)
	b.reopen()
	var found []uint64
	for _, p := range b.recover() {
		found = append(found, p.Seq)
	}
	slices.Sort(found)
	if !slices.Equal(found, seqs) {
		b.Fatalf("recovered %d places, want %d, each once", len(found), len(seqs))
	}
}
