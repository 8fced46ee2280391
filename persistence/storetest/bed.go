package storetest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// bed is what a test works with: a store, and the steps that most tests take.
type bed struct {
	*testing.T
	h Harness
	s persistence.Store // nil once it is closed
}

// close stops the store cleanly.
func (b *bed) close() {
	b.Helper()
	if b.s == nil {
		return
	}
	s := b.s
	b.s = nil
	if err := s.Close(); err != nil {
		b.Fatalf("Close: %v", err)
	}
}

// reopen stops the store cleanly and starts it again.
func (b *bed) reopen() {
	b.Helper()
	b.close()
	b.s = b.h.Open()
}

// write hands over a batch and waits for nothing.
func (b *bed) write(fill func(*persistence.Batch)) {
	b.Helper()
	var batch persistence.Batch
	fill(&batch)
	b.s.Write(&batch)
	if !batch.Empty() {
		b.Fatal("Write left something in the batch")
	}
}

// commit hands over a batch and waits until it is in the store.
func (b *bed) commit(fill func(*persistence.Batch)) {
	b.Helper()
	w := newTally()
	b.write(func(batch *persistence.Batch) {
		fill(batch)
		batch.Wait(w, 0)
	})
	w.want(b, nil, 0)
}

// barrier waits until all that was handed over is in the store.
func (b *bed) barrier() {
	b.Helper()
	b.commit(func(*persistence.Batch) {})
}

// queues defines durable queues.
func (b *bed) queues(n int) []persistence.QueueID {
	b.Helper()
	ids := make([]persistence.QueueID, n)
	b.commit(func(batch *persistence.Batch) {
		for i := range ids {
			ids[i] = persistence.QueueID(b.s.NewID())
			batch.Change(define(persistence.KindQueue, uint64(ids[i]), "queue"))
		}
	})
	return ids
}

// queue defines a durable queue.
func (b *bed) queue() persistence.QueueID {
	b.Helper()
	return b.queues(1)[0]
}

// recover returns the live places.
func (b *bed) recover() (all []persistence.Recovered) {
	b.Helper()
	err := b.s.Recover(func(r persistence.Recovered) bool {
		all = append(all, r)
		return true
	})
	if err != nil {
		b.Fatalf("Recover: %v", err)
	}
	return all
}

// read brings back the records at refs, each of which must be there.
func (b *bed) read(refs ...persistence.Ref) []*persistence.Record {
	b.Helper()
	var all []*persistence.Record
	b.s.Read(refs, func(i int, r *persistence.Record, err error) {
		switch {
		case i != len(all):
			b.Fatalf("Read found number %d, want %d", i, len(all))
		case err != nil:
			b.Fatalf("Read of %v: %v", refs[i], err)
		case r == nil || r.Message == nil:
			b.Fatalf("Read of %v: neither a message nor an error", refs[i])
		}
		all = append(all, r)
	})
	if len(all) != len(refs) {
		b.Fatalf("Read found %d records, want %d", len(all), len(refs))
	}
	return all
}

// wantPlaces compares what Recover yields, apart from the refs, in this order.
// Where something was settled the store may have moved the rest of its chunk:
// there wantSet is right.
func (b *bed) wantPlaces(want ...persistence.Recovered) []persistence.Recovered {
	b.Helper()
	got := b.recover()
	b.wantSame(got, want)
	return got
}

// wantSet compares what Recover yields, apart from the refs, in any order.
func (b *bed) wantSet(want ...persistence.Recovered) []persistence.Recovered {
	b.Helper()
	got := sorted(b.recover())
	b.wantSame(got, sorted(want))
	return got
}

// sorted sorts places by queue and then by Seq.
func sorted(places []persistence.Recovered) []persistence.Recovered {
	slices.SortFunc(places, func(x, y persistence.Recovered) int {
		return cmp.Or(cmp.Compare(x.Queue, y.Queue), cmp.Compare(x.Seq, y.Seq))
	})
	return places
}

func (b *bed) wantSame(got, want []persistence.Recovered) {
	b.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(want):
			b.Fatalf("recovered %d places, want %d; the first too many is %+v", len(got), len(want), got[i])
		case i >= len(got):
			b.Fatalf("recovered %d places, want %d; the first that misses is %+v", len(got), len(want), want[i])
		}
		bare := got[i]
		bare.Ref = persistence.Ref{}
		if bare != want[i] {
			b.Fatalf("recovered place %d of %d is %+v, want %+v", i, len(got), bare, want[i])
		}
		if got[i].Ref == (persistence.Ref{}) {
			b.Fatalf("recovered place %d has no ref", i)
		}
	}
}

// places lists what Recover yields of a record, but for the places settled.
func places(r *persistence.Record, settled ...int) (all []persistence.Recovered) {
	for i, p := range r.Places {
		if !slices.Contains(settled, i) {
			all = append(all, persistence.Recovered{Place: p, Size: uint32(len(r.Message.Body)), Priority: r.Message.Priority})
		}
	}
	return all
}

// message makes a message whose fields all follow from n and the body's size.
func message(n, size int) *amqp.Message {
	m := amqp.NewMessage(fmt.Sprintf("exchange %d", n%7), []byte(fmt.Sprintf("key.%d", n)), []byte{0x10, 0, byte(n)}, size)
	piece := make([]byte, size)
	x := uint32(n)*2654435761 + 1
	for i := range piece {
		x = x*1664525 + 1013904223
		piece[i] = byte(x >> 24)
	}
	m.AppendBody(piece)
	m.Persistent = n%3 != 0
	m.HasHeaders = n%2 == 0
	m.Priority = uint8(n % 256)
	if n%4 == 0 {
		m.Expiration = int64(n) * 1000
	}
	for i := range n % 3 {
		m.ExtraKeys = append(m.ExtraKeys, fmt.Sprintf("extra.%d.%d", n, i))
	}
	return m
}

// record makes a record of message n with 100 bytes of body in a queue, whose
// Seq is n.
func record(n int, queue persistence.QueueID) *persistence.Record {
	r := persistence.NewRecord(message(n, 100))
	r.Add(persistence.Place{Queue: queue, Seq: uint64(n)})
	return r
}

// records makes records 1 to n in a queue.
func records(n int, queue persistence.QueueID) []*persistence.Record {
	all := make([]*persistence.Record, n)
	for i := range all {
		all[i] = record(i+1, queue)
	}
	return all
}

// spread makes a record of message n with a place in each queue.
func spread(n int, queues []persistence.QueueID) *persistence.Record {
	r := persistence.NewRecord(message(n, 100))
	for i, q := range queues {
		r.Add(persistence.Place{Queue: q, Seq: uint64(n), Expires: int64(i)})
	}
	return r
}

// define makes a definition.
func define(kind persistence.Kind, id uint64, body string) persistence.Change {
	return persistence.Change{Definition: persistence.Definition{Kind: kind, ID: id, Body: []byte("\x01" + body)}}
}

// wantMessage compares a message with the one that was stored.
func wantMessage(t testing.TB, got, want *amqp.Message) {
	t.Helper()
	switch {
	case !bytes.Equal(got.Body, want.Body):
		t.Fatalf("message %q: the body (%d bytes) is not the one that was stored (%d bytes)", want.RoutingKey, len(got.Body), len(want.Body))
	case got.Exchange != want.Exchange, got.RoutingKey != want.RoutingKey, !slices.Equal(got.ExtraKeys, want.ExtraKeys),
		!bytes.Equal(got.Properties, want.Properties), got.Expiration != want.Expiration, got.Priority != want.Priority,
		got.Persistent != want.Persistent, got.HasHeaders != want.HasHeaders:
		g, w := *got, *want
		g.Body, w.Body = nil, nil
		t.Fatalf("message is %+v, want %+v (bodies left out)", g, w)
	}
}
