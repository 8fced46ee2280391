package persistence_test

import (
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/persistence"
)

func TestBatchesKeepOrder(t *testing.T) {
	r, other := persistence.NewRecord(messages["all"]), persistence.NewRecord(messages["body"])
	w := persistence.NewOutcome()
	defined := persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: 4, Body: []byte{1}}}
	deleted := persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: 4}, Delete: true}
	var b persistence.Batch
	b.Append(r, w, 1)
	b.Append(other, nil, 0)
	b.Settle(r, 2)
	b.Return(other, 1, 5, 70)
	b.Change(defined)
	b.Change(deleted)
	b.Wait(w, 9)
	want := persistence.Batch{
		Appends: []persistence.Append{{Record: r, Waiter: w, Number: 1}, {Record: other}},
		Settles: []persistence.Settle{{Record: r, Place: 2}, {Record: other, Place: 1, Returned: true, Returns: 5, Due: 70}},
		Changes: []persistence.Change{defined, deleted},
		Waits:   []persistence.Wait{{Waiter: w, Number: 9}},
	}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("the batch is %+v, want %+v", b, want)
	}
	if n := b.Settles[1].Note(); n != (persistence.Note{Returns: 5, Due: 70}) {
		t.Errorf("what is noted is %+v", n)
	}
}

func TestEmptyBatches(t *testing.T) {
	r := persistence.NewRecord(messages["all"])
	for name, fill := range map[string]func(*persistence.Batch){
		"append": func(b *persistence.Batch) { b.Append(r, nil, 0) },
		"settle": func(b *persistence.Batch) { b.Settle(r, 0) },
		"return": func(b *persistence.Batch) { b.Return(r, 0, 1, 0) },
		"change": func(b *persistence.Batch) { b.Change(persistence.Change{}) },
		"wait":   func(b *persistence.Batch) { b.Wait(persistence.NewOutcome(), 0) },
	} {
		var b persistence.Batch
		if !b.Empty() {
			t.Fatal("the zero batch is not empty")
		}
		fill(&b)
		if b.Empty() {
			t.Errorf("empty with one %s", name)
		}
		b.Reset()
		if !b.Empty() {
			t.Errorf("not empty after a %s and Reset", name)
		}
	}
}

func TestResetKeepsMemoryAndForgets(t *testing.T) {
	r := persistence.NewRecord(messages["all"])
	var b persistence.Batch
	fill := func() {
		b.Append(r, nil, 0)
		b.Settle(r, 0)
		b.Change(persistence.Change{})
		b.Wait(nil, 0)
	}
	fill()
	b.Reset()
	if b.Appends[:1][0].Record != nil || b.Settles[:1][0].Record != nil {
		t.Error("a batch that was reset holds on to records")
	}
	if n := testing.AllocsPerRun(10, func() { fill(); b.Reset() }); n != 0 {
		t.Errorf("a batch used again is %v allocations, want none", n)
	}
}

func TestOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		early := persistence.NewOutcome()
		early.Done([]uint64{1}, nil) // must not block, though nobody waits yet
		if err := early.Await(); err != nil {
			t.Errorf("Await returned %v", err)
		}
		late, want := persistence.NewOutcome(), errors.New("the disk is full")
		var got error
		returned := false
		go func() { got, returned = late.Await(), true }()
		synctest.Wait()
		if returned {
			t.Fatal("Await returned before it was known")
		}
		late.Done([]uint64{1}, want)
		synctest.Wait()
		if got != want {
			t.Errorf("Await returned %v, want %v", got, want)
		}
	})
}
