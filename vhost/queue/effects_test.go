package queue

import (
	"fmt"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

// logbook notes in which order things happen.
type logbook []string

func (l *logbook) Wake() { *l = append(*l, "wake") }

func (l *logbook) Done(numbers []uint64, err error) {
	for range numbers {
		*l = append(*l, fmt.Sprintf("done %v", err))
	}
}

// What is noted goes to the store as one batch, before anybody is woken who
// could tell of it.
func TestEffectsAreStoredFirst(t *testing.T) {
	store := newFakeStore(t)
	var fx Effects
	var log logbook
	fx.Use(store)
	r := persistence.NewRecord(message("m", 1))
	place := r.Add(persistence.Place{Queue: 1, Seq: 1})
	fx.Wake(&log)
	fx.Append(r, &log, 7)
	fx.Return(r, place, 2, 0)
	fx.Change(persistence.Change{})
	fx.Wait(&log, 8)
	if fx.Pending() {
		t.Error("pending though there is only storing and waking to do")
	}
	fx.WakeAll()
	fx.WakeAll()
	if want := (logbook{"done <nil>", "done <nil>", "wake"}); !slices.Equal(log, want) {
		t.Errorf("%v, want %v", log, want)
	}
	if want := [][2]int{{1, 1}}; !slices.Equal(store.batches, want) {
		t.Errorf("batches %v, want %v", store.batches, want)
	}
}

// A dead letter's old place ends in the batch in which its new one begins.
func TestDeadLetterIsOneBatch(t *testing.T) {
	store := newFakeStore(t)
	l := NoLimits()
	l.DeadLetter = true
	from := New(Options{ID: 1, Store: store, Limits: l})
	to := New(Options{ID: 2, Store: store, Limits: NoLimits()})
	var fx Effects
	fill(from, &fx, 1)
	d, _, _ := from.Get(false, &fx)
	from.Reject([]ID{d.ID}, &fx)
	for _, dead := range fx.TakeDead() {
		var rec *persistence.Record
		to.Publish(dead.Message, &rec, &fx)
		fx.Append(rec, nil, 0)
	}
	fx.WakeAll()
	if want := [][2]int{{1, 0}, {1, 1}}; !slices.Equal(store.batches, want) {
		t.Errorf("batches of appends and settles %v, want %v", store.batches, want)
	}
}

// Without a store there is nothing to wait for, and nothing may be stored.
func TestEffectsWithoutStore(t *testing.T) {
	var fx Effects
	var log logbook
	fx.Wait(&log, 1)
	fx.WakeAll()
	if want := (logbook{"done <nil>"}); !slices.Equal(log, want) {
		t.Errorf("%v, want %v", log, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a record was thrown away without a word")
		}
	}()
	fx.Append(persistence.NewRecord(message("m", 1)), &log, 1)
	fx.WakeAll()
}

// All queues of a message share its record.
func TestRecordHasAPlaceInEachStoredQueue(t *testing.T) {
	store := newFakeStore(t)
	var fx Effects
	var rec *persistence.Record
	m := message("m", 1)
	m.Persistent = true
	var queues []*Queue
	for _, id := range []persistence.QueueID{5, 0, 6, 7} {
		q := New(Options{ID: id, Store: store, Limits: NoLimits()})
		queues = append(queues, q)
		q.Publish(m, &rec, &fx)
	}
	full := NoLimits()
	full.MaxLength, full.Overflow = 0, RejectPublish
	if New(Options{ID: 8, Store: store, Limits: full}).Publish(m, &rec, &fx) != Refused {
		t.Error("a full queue accepted")
	}
	fx.Append(rec, nil, 0)
	fx.WakeAll()
	var ids []persistence.QueueID
	for _, p := range rec.Places {
		ids = append(ids, p.Queue)
	}
	if want := []persistence.QueueID{5, 6, 7}; !slices.Equal(ids, want) {
		t.Errorf("places in %v, want %v", ids, want)
	}
	queues[2].Get(true, &fx)
	fx.WakeAll()
	for i, want := range []int{1, 0, 0, 1} {
		if seqs, _ := store.live([]persistence.QueueID{5, 0, 6, 7}[i]); len(seqs) != want {
			t.Errorf("queue %d has %d places, want %d", i, len(seqs), want)
		}
	}
	transient := message("t", 1)
	rec = nil
	queues[0].Publish(transient, &rec, &fx)
	if rec != nil {
		t.Error("a record of a transient message")
	}
}
