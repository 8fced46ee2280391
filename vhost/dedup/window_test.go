package dedup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
)

// notes is a batch that knows its store, as queue.Effects do.
type notes struct {
	persistence.Batch
	store persistence.Store
}

func (n *notes) Use(s persistence.Store) { n.store = s }

func (n *notes) flush() {
	if n.store != nil {
		n.store.Write(&n.Batch)
	}
}

// told is a waiter that notes what it is told.
type told []string

func (l *told) Done(numbers []uint64, err error) {
	*l = append(*l, fmt.Sprint(numbers, err))
}

func subject(name string) Subject {
	k, _ := keyOf(name)
	return Subject{Key: k}
}

// enter publishes a message with the key, in a batch of its own, and reports
// whether it was a duplicate.
func (w *Window) enter(name string) bool {
	e, duplicate := w.Enter(subject(name))
	if !duplicate {
		var n notes
		e.Keep(&n)
		n.flush()
	}
	return duplicate
}

func (w *Window) want(t *testing.T, what string, seen map[string]bool) {
	t.Helper()
	for name, want := range seen {
		if got := w.Seen(subject(name)); got != want {
			t.Errorf("%s: seen %s: %v, want %v", what, name, got, want)
		}
	}
}

// inBoth runs a test with a window in memory and with one that is stored.
func inBoth(t *testing.T, o Options, test func(t *testing.T, w *Window)) {
	t.Run("memory", func(t *testing.T) { test(t, New(Config{Options: o})) })
	t.Run("stored", func(t *testing.T) { test(t, New(Config{Options: o, Owner: 5, Store: memory.New()})) })
}

func TestWindow_OldestGoes(t *testing.T) {
	inBoth(t, Options{Size: 3}, func(t *testing.T, w *Window) {
		for _, name := range []string{"a", "b", "c"} {
			if w.enter(name) || !w.enter(name) {
				t.Fatal(name)
			}
		}
		w.want(t, "full", map[string]bool{"a": true, "b": true, "c": true, "d": false})
		// To come again does not make a key younger.
		if !w.enter("a") || w.enter("d") || w.enter("a") {
			t.Error("a is not the first to go")
		}
		w.want(t, "a came again", map[string]bool{"a": true, "b": false, "c": true, "d": true})
		if w.Len() != 3 {
			t.Errorf("%d keys", w.Len())
		}
	})
}

func TestWindow_SizeOfOne(t *testing.T) {
	inBoth(t, Options{Size: 1}, func(t *testing.T, w *Window) {
		for i, name := range []string{"a", "a", "b", "a", "a"} {
			if got, want := w.enter(name), i == 1 || i == 4; got != want {
				t.Errorf("%d: %s is a duplicate: %v", i, name, got)
			}
		}
	})
}

func TestWindow_DefaultSize(t *testing.T) {
	w := New(Config{})
	for i := range DefaultSize + 1 {
		w.enter(fmt.Sprint(i))
	}
	w.want(t, "one too many", map[string]bool{"0": false, "1": true, "128": true})
	if cap(w.slots) != DefaultSize {
		t.Errorf("room for %d keys", cap(w.slots))
	}
}

func TestWindow_TTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Config{Options: Options{Size: 3, TTL: time.Second}})
		enter := func(name string, ttl time.Duration) bool {
			s := subject(name)
			s.TTL = ttl
			e, duplicate := w.Enter(s)
			if !duplicate {
				e.Keep(&notes{})
			}
			return duplicate
		}
		enter("a", time.Second)
		time.Sleep(time.Second - 1)
		if !enter("a", time.Second) {
			t.Error("a is forgotten too early")
		}
		time.Sleep(time.Nanosecond) // a duplicate does not renew it
		if enter("a", 10*time.Second) {
			t.Error("a is not forgotten")
		}
		// The room of the first a is taken; the second one lives on.
		enter("b", 0)
		enter("c", 0)
		w.want(t, "a came again", map[string]bool{"a": true, "b": true, "c": true})
		time.Sleep(10 * time.Second)
		w.want(t, "10 s later", map[string]bool{"a": false, "b": true, "c": true})
		for range 2 {
			if enter("never", -1) {
				t.Error("a key that is not to be remembered was")
			}
		}
	})
}

func TestWindow_Withdraw(t *testing.T) {
	inBoth(t, Options{Size: 1}, func(t *testing.T, w *Window) {
		w.enter("a")
		var l told
		e, _ := w.Enter(subject("b"))
		if _, duplicate := w.Enter(subject("b")); !duplicate || !w.Await(subject("b").Key, &l, 7) {
			t.Error("a second b came through")
		}
		w.want(t, "on its way", map[string]bool{"a": true, "b": true})
		e.Withdraw(errors.New("full"))
		w.want(t, "withdrawn", map[string]bool{"a": true, "b": false})
		if want := []string{"[7] full"}; !slices.Equal(l, want) {
			t.Errorf("told %q, want %q", l, want)
		}
		if w.enter("b") {
			t.Error("b cannot come again")
		}
		var none *Entry
		none.Keep(nil)
		none.Withdraw(nil)
	})
}

// In memory, a duplicate waits until its original is kept.
func TestWindow_AwaitInMemory(t *testing.T) {
	w := New(Config{})
	e, _ := w.Enter(subject("a"))
	var l told
	if !w.Await(subject("a").Key, &l, 1) {
		t.Error("nothing to wait for")
	}
	e.Keep(&notes{})
	if !slices.Equal(l, []string{"[1] <nil>"}) || w.Await(subject("a").Key, &l, 2) {
		t.Errorf("told %q", l)
	}
}

// In the store, it waits until the batch of its original is stored, whichever
// batch is handed over first.
func TestWindow_AwaitStored(t *testing.T) {
	store := memory.New()
	release := store.Hold()
	w := New(Config{Owner: 5, Store: store})
	e, _ := w.Enter(subject("a"))
	var n notes
	e.Keep(&n)
	var l told
	a := subject("a").Key
	if !w.Seen(subject("a")) || !w.Await(a, &l, 1) {
		t.Error("nothing to wait for before the batch")
	}
	n.flush()
	if !w.Await(a, &l, 2) || len(l) > 0 {
		t.Errorf("told %q before it is stored", l)
	}
	release()
	if !slices.Equal(l, []string{"[1] <nil>", "[2] <nil>"}) || w.Await(a, &l, 3) {
		t.Errorf("told %q", l)
	}
	store.Hold()
	w.enter("b")
	w.Await(subject("b").Key, &l, 4)
	store.Fail(errors.New("no disk"))
	w.Await(subject("b").Key, &l, 5)
	if n := len(l); n != 4 || l[2] != "[4] the store has failed: no disk" || l[3] != "[5] the store has failed: no disk" {
		t.Errorf("told %q", l)
	}
}

func TestWindow_Close(t *testing.T) {
	store := memory.New()
	w := New(Config{Owner: 5, Store: store})
	w.enter("a")
	w.enter("b")
	late, _ := w.Enter(subject("c"))
	if ids := w.Close(); len(ids) != 2 || len(w.Close()) != 0 {
		t.Errorf("the keys are %v", ids)
	}
	var n notes
	late.Keep(&n)
	e, duplicate := w.Enter(subject("a"))
	if !n.Empty() || e != nil || duplicate || w.Len() != 0 {
		t.Error("a window that was closed remembers")
	}
}

// A naive list does the same with random keys.
func TestWindow_Model(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 1))
		size := 1 + random.IntN(20)
		inBoth(t, Options{Size: size}, func(t *testing.T, w *Window) {
			var model []string
			for range 5000 {
				name := fmt.Sprint(random.IntN(40))
				want := slices.Contains(model, name)
				if random.IntN(5) == 0 {
					if e, duplicate := w.Enter(subject(name)); duplicate != want {
						t.Fatalf("%s is a duplicate: %v", name, duplicate)
					} else {
						e.Withdraw(nil)
					}
					continue
				}
				if got := w.enter(name); got != want {
					t.Fatalf("seed %d: %s is a duplicate: %v, want %v", seed, name, got, want)
				}
				if !want {
					model = append(model, name)
					model = model[max(0, len(model)-size):]
				}
				if w.Len() != len(model) || cap(w.slots) > size || len(w.open) > 0 {
					t.Fatalf("%d keys, %d slots, %d on their way; want %d of %d", w.Len(), cap(w.slots), len(w.open), len(model), size)
				}
			}
		})
	}
}
