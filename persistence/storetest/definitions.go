package storetest

import (
	"bytes"
	"math/rand/v2"
	"strings"

	"github.com/leveretmq/leveret/persistence"
)

var definitionTests = []test{
	{"FreshIsEmpty", freshIsEmpty},
	{"DefinitionsComeBack", definitionsComeBack},
	{"DefinitionsAreReplacedAndDeleted", definitionsAreReplacedAndDeleted},
	{"ChangesOfABatchAreInOrder", changesOfABatchAreInOrder},
	{"KindsAreApart", kindsAreApart},
	{"LargeDefinitions", largeDefinitions},
	{"ManyDefinitionsInOneBatch", manyDefinitionsInOneBatch},
	{"IDsAreNew", idsAreNew},
}

// wantDefinitions compares what Definitions returns, in this order.
func (b *bed) wantDefinitions(want ...persistence.Change) {
	b.Helper()
	got, err := b.s.Definitions()
	if err != nil {
		b.Fatalf("Definitions: %v", err)
	}
	if len(got) != len(want) {
		b.Fatalf("%d definitions, want %d", len(got), len(want))
	}
	for i, d := range got {
		if w := want[i]; d.Kind != w.Kind || d.ID != w.ID || !bytes.Equal(d.Body, w.Body) {
			b.Fatalf("definition %d is kind %d, id %d, %.40q, want kind %d, id %d, %.40q", i, d.Kind, d.ID, d.Body, w.Kind, w.ID, w.Body)
		}
	}
}

func freshIsEmpty(b *bed) {
	b.wantDefinitions()
	b.wantPlaces()
	if err := b.s.Err(); err != nil {
		b.Errorf("Err of a fresh store is %v", err)
	}
	b.reopen()
	b.wantDefinitions()
	b.wantPlaces()
}

func definitionsComeBack(b *bed) {
	kinds := []persistence.Kind{
		persistence.KindVHost, persistence.KindExchange, persistence.KindQueue, persistence.KindBinding,
		persistence.KindUser, persistence.KindPermission, persistence.KindPolicy, persistence.KindParameter,
		persistence.KindDuplicate,
	}
	// Ids beyond 255, so that sorting by their decimals, or by their lowest
	// byte, would show.
	var want, shuffled []persistence.Change
	for _, k := range kinds {
		for range 40 {
			want = append(want, define(k, b.s.NewID(), "of kind "+string('0'+rune(k))))
		}
	}
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(want)) {
		shuffled = append(shuffled, want[i])
	}
	for part := range 4 {
		b.commit(func(batch *persistence.Batch) {
			for _, c := range shuffled[part*90 : part*90+90] {
				batch.Change(c)
			}
		})
	}
	for range 2 {
		b.reopen()
		b.wantDefinitions(want...)
		b.wantPlaces()
	}
}

func definitionsAreReplacedAndDeleted(b *bed) {
	var ids []uint64
	change := func(changes ...persistence.Change) {
		b.commit(func(batch *persistence.Batch) {
			for _, c := range changes {
				batch.Change(c)
			}
		})
	}
	for range 4 {
		ids = append(ids, b.s.NewID())
		change(define(persistence.KindExchange, ids[len(ids)-1], "first"))
	}
	gone := define(persistence.KindExchange, ids[1], "")
	gone.Delete = true
	never := define(persistence.KindExchange, b.s.NewID(), "")
	never.Delete = true
	change(define(persistence.KindExchange, ids[0], "second, and longer"), gone)
	change(never)
	want := []persistence.Change{
		define(persistence.KindExchange, ids[0], "second, and longer"),
		define(persistence.KindExchange, ids[2], "first"),
		define(persistence.KindExchange, ids[3], "first"),
	}
	b.reopen()
	b.wantDefinitions(want...)

	// The same once more, over what an earlier run left.
	gone.ID = ids[2]
	change(define(persistence.KindExchange, ids[1], "again"), gone, define(persistence.KindExchange, ids[3], "x"))
	b.reopen()
	b.wantDefinitions(want[0], define(persistence.KindExchange, ids[1], "again"), define(persistence.KindExchange, ids[3], "x"))
}

func changesOfABatchAreInOrder(b *bed) {
	stays, goes, twice := b.s.NewID(), b.s.NewID(), b.s.NewID()
	drop := func(id uint64) persistence.Change {
		c := define(persistence.KindBinding, id, "")
		c.Delete = true
		return c
	}
	b.commit(func(batch *persistence.Batch) {
		batch.Change(define(persistence.KindBinding, stays, "a"))
		batch.Change(drop(stays))
		batch.Change(define(persistence.KindBinding, stays, "b"))
		batch.Change(define(persistence.KindBinding, goes, "c"))
		batch.Change(drop(goes))
		batch.Change(define(persistence.KindBinding, twice, "d"))
		batch.Change(define(persistence.KindBinding, twice, "e"))
	})
	b.reopen()
	b.wantDefinitions(define(persistence.KindBinding, stays, "b"), define(persistence.KindBinding, twice, "e"))
}

func kindsAreApart(b *bed) {
	id := b.s.NewID()
	b.commit(func(batch *persistence.Batch) {
		batch.Change(define(persistence.KindExchange, id, "exchange"))
		batch.Change(define(persistence.KindQueue, id, "queue"))
		batch.Change(define(persistence.KindUser, id, "user"))
	})
	b.commit(func(batch *persistence.Batch) {
		gone := define(persistence.KindQueue, id, "")
		gone.Delete = true
		batch.Change(gone)
	})
	b.reopen()
	b.wantDefinitions(define(persistence.KindExchange, id, "exchange"), define(persistence.KindUser, id, "user"))
}

func largeDefinitions(b *bed) {
	var want []persistence.Change
	for _, size := range []int{0, 1, 64 << 10, 1<<20 - 1, 1<<20 - 1, 1<<20 - 1} {
		want = append(want, define(persistence.KindParameter, b.s.NewID(), strings.Repeat("x", size)))
	}
	b.commit(func(batch *persistence.Batch) {
		for _, c := range want {
			batch.Change(c)
		}
	})
	b.reopen()
	b.wantDefinitions(want...)
}

// manyDefinitionsInOneBatch is what the import of definitions, or the delete of
// a vhost, may be.
func manyDefinitionsInOneBatch(b *bed) {
	want := make([]persistence.Change, 10_000)
	b.commit(func(batch *persistence.Batch) {
		for i := range want {
			want[i] = define(persistence.KindBinding, b.s.NewID(), "a binding of some sixty bytes, as most of them are, or longer")
			batch.Change(want[i])
		}
	})
	b.reopen()
	b.wantDefinitions(want...)
	b.commit(func(batch *persistence.Batch) {
		for _, c := range want[1:] {
			c.Delete = true
			batch.Change(c)
		}
	})
	b.reopen()
	b.wantDefinitions(want[0])
}

func idsAreNew(b *bed) {
	seen := make(map[uint64]bool)
	for range 4 {
		for range 3000 {
			id := b.s.NewID()
			if id == 0 || seen[id] {
				b.Fatalf("NewID returned %d, which is 0 or was there before", id)
			}
			seen[id] = true
		}
		b.reopen() // nothing was written: the ids count nevertheless
	}
	const workers = 4
	got := make(chan uint64, workers*1000)
	for range workers {
		go func() {
			for range cap(got) / workers {
				got <- b.s.NewID()
			}
		}()
	}
	for range cap(got) {
		id := <-got
		if id == 0 || seen[id] {
			b.Fatalf("NewID, from several goroutines, returned %d, which is 0 or was there before", id)
		}
		seen[id] = true
	}
}
