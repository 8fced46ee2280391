package dedup

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
)

func TestDefinition(t *testing.T) {
	k := subject("k").Key
	for _, d := range []Definition{
		{}, {1, 2, 3, k}, {math.MaxUint64, math.MaxUint64, math.MinInt64, k}, {300, 1, math.MaxInt64, k},
	} {
		body := d.Encode()
		var got Definition
		if err := got.Decode(body); err != nil || got != d {
			t.Errorf("%+v comes back as %+v, %v", d, got, err)
		}
		for n := range body {
			if got.Decode(body[:n]) == nil {
				t.Errorf("%+v is good with %d of %d bytes", d, n, len(body))
			}
		}
		if got.Decode(append(body, 0)) == nil {
			t.Error("it is good with a byte more")
		}
		body[0]++
		if err := got.Decode(body); err == nil || err.Error() != "its version is 2, and this program knows 1" {
			t.Errorf("another version: %v", err)
		}
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add((&Definition{1, 2, 3, subject("k").Key}).Encode())
	f.Add([]byte{})
	f.Add([]byte{persistence.BodyVersion, 0x80, 0x00, 0x01})
	f.Fuzz(func(t *testing.T, body []byte) {
		var d, again Definition
		if d.Decode(body) != nil {
			return
		}
		if err := again.Decode(d.Encode()); err != nil || again != d {
			t.Errorf("%x is %+v, and comes back as %+v, %v", body, d, again, err)
		}
		if len(d.Encode()) > len(body) {
			t.Errorf("%x grows to %x", body, d.Encode())
		}
	})
}

// reopen is a restart: the window of what is in the store, and what is of no use.
func reopen(t *testing.T, store *memory.Store, c Config) (*Window, []uint64, *memory.Store) {
	t.Helper()
	store = store.Reopen()
	all, err := store.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	c.Store = store
	w := New(c)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, from := range all {
		var d Definition
		if err := d.Decode(from.Body); err != nil || from.Kind != persistence.KindDuplicate || d.Owner != c.Owner {
			t.Fatalf("%+v: %+v, %v", from, d, err)
		}
		w.Recover(from.ID, d)
	}
	return w, w.Recovered(), store
}

func TestRecover(t *testing.T) {
	store := memory.New()
	c := Config{Options: Options{Size: 5}, Owner: 7, Store: store}
	w := New(c)
	next := 0
	for _, more := range []int{0, 2, 1, 4, 5, 13} { // also less than full, and just full
		for range more {
			if w.enter(fmt.Sprint(next)) {
				t.Fatalf("%d is a duplicate", next)
			}
			next++
		}
		var useless []uint64
		w, useless, store = reopen(t, store, c)
		first := max(0, next-5)
		for n := range next {
			if got, want := w.Seen(subject(fmt.Sprint(n))), n >= first; got != want {
				t.Errorf("of %d: seen %d: %v", next, n, got)
			}
		}
		if w.Len() != next-first || len(useless) > 0 {
			t.Errorf("%d keys, and %d of no use", w.Len(), len(useless))
		}
	}
}

// Batches may be handed over in another order than keys came to the window, and a
// crash may come between. What is stored is never older than the window.
func TestRecover_Overtaken(t *testing.T) {
	store := memory.New()
	c := Config{Options: Options{Size: 2}, Owner: 7, Store: store}
	w := New(c)
	keep := func(name string) *notes {
		n := &notes{}
		e, _ := w.Enter(subject(name))
		e.Keep(n)
		return n
	}
	a, b, d, e := keep("a"), keep("b"), keep("d"), keep("e")
	e.flush() // takes the room of b
	d.flush() // takes the room of a
	a.flush()
	_ = b // is lost
	w, useless, store := reopen(t, store, c)
	w.want(t, "after the restart", map[string]bool{"a": false, "b": false, "d": true, "e": true})
	if len(useless) != 1 {
		t.Errorf("%d keys are of no use, want 1", len(useless))
	}
	(&Deletion{Store: store, IDs: useless}).Done(nil, nil)
	if all, _ := store.Definitions(); len(all) != 2 {
		t.Errorf("%d keys are stored", len(all))
	}
	w.enter("f")
	w.want(t, "later", map[string]bool{"d": false, "e": true, "f": true})
}

// A window of which a key in the middle was lost does not remember longer for it.
func TestRecover_Gap(t *testing.T) {
	w := New(Config{Options: Options{Size: 3}, Owner: 7, Store: memory.New()})
	for order, name := range map[uint64]string{1: "a", 4: "d", 5: "e"} {
		w.Recover(100+order, Definition{7, order, 0, subject(name).Key})
	}
	if out := w.Recovered(); len(out) != 1 || out[0] != 101 {
		t.Errorf("%v is of no use", out)
	}
	w.want(t, "recovered", map[string]bool{"a": false, "d": true, "e": true})
	w.enter("f")
	w.enter("g")
	w.want(t, "full again", map[string]bool{"d": false, "e": true, "f": true, "g": true})
}

// A key that came again, after its time was over, is there twice.
func TestRecover_Twice(t *testing.T) {
	w := New(Config{Options: Options{Size: 3}, Owner: 7, Store: memory.New()})
	w.Recover(2, Definition{7, 2, 0, subject("a").Key})
	w.Recover(1, Definition{7, 1, 1, subject("a").Key}) // its time is over
	w.Recovered()
	w.want(t, "recovered", map[string]bool{"a": true})
	w.enter("b")
	w.enter("c") // takes the room of the first a
	w.want(t, "the first is gone", map[string]bool{"a": true, "b": true, "c": true})
}

// stepper notes how large batches are.
type stepper struct {
	*memory.Store
	steps []int
}

func (s *stepper) Write(b *persistence.Batch) {
	s.steps = append(s.steps, len(b.Changes))
	s.Store.Write(b)
}

func TestDeletion(t *testing.T) {
	store := &stepper{Store: memory.New()}
	w := New(Config{Options: Options{Size: 100_000}, Owner: 7, Store: store})
	var n notes
	for i := range 100_000 {
		var k Key
		copy(k[:], fmt.Sprint(i))
		e, _ := w.Enter(Subject{Key: k})
		e.Keep(&n)
	}
	n.flush()
	if all, _ := store.Definitions(); len(all) != 100_000 {
		t.Fatalf("%d keys are stored", len(all))
	}
	store.steps = nil
	(&Deletion{Store: store, IDs: w.Close()}).Done(nil, nil)
	all, err := store.Definitions()
	if err != nil || len(all) > 0 || len(store.steps) != 25 || store.steps[0] != deleteStep {
		t.Errorf("%d keys are left, after steps of %d, %v", len(all), store.steps, err)
	}
	(&Deletion{Store: store, IDs: []uint64{1}}).Done(nil, bytes.ErrTooLarge)
	if len(store.steps) != 25 {
		t.Error("it goes on after a failure")
	}
}
