package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// tally is a Waiter that keeps what it was told.
type tally struct {
	mu      sync.Mutex
	numbers []uint64
	calls   int
	errs    []error
	told    chan struct{} // has room for one
	// hook, if not nil, is called by Done, before it counts
	hook func(numbers []uint64, err error)
}

func newTally() *tally { return &tally{told: make(chan struct{}, 1)} }

// Done implements persistence.Waiter.
func (w *tally) Done(numbers []uint64, err error) {
	if w.hook != nil {
		w.hook(numbers, err)
	}
	w.mu.Lock()
	w.numbers = append(w.numbers, numbers...)
	w.calls++
	for range numbers {
		w.errs = append(w.errs, err)
	}
	w.mu.Unlock()
	select {
	case w.told <- struct{}{}:
	default:
	}
}

// await blocks until n numbers were told, and returns them with their errors.
func (w *tally) await(t testing.TB, n int) (numbers []uint64, errs []error) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		w.mu.Lock()
		numbers, errs = slices.Clone(w.numbers), slices.Clone(w.errs)
		w.mu.Unlock()
		if len(numbers) >= n {
			return numbers, errs
		}
		select {
		case <-w.told:
		case <-late.C:
			t.Fatalf("a waiter was told %d numbers in %v, want %d", len(numbers), patience, n)
		}
	}
}

// want waits until the waiter was told the numbers, in any order, and wants
// each once and with that error.
func (w *tally) want(t testing.TB, err error, want ...uint64) {
	t.Helper()
	got, errs := w.await(t, len(want))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("a waiter was told %v, want each of %v once", brief(got), brief(want))
	}
	for _, e := range errs {
		if !errors.Is(e, err) {
			t.Fatalf("a waiter was told %v, want %v", e, err)
		}
	}
}

// brief keeps failure texts short.
func brief(numbers []uint64) []uint64 { return numbers[:min(len(numbers), 20)] }

// upTo returns the numbers 1 to n.
func upTo(n int) []uint64 {
	all := make([]uint64, n)
	for i := range all {
		all[i] = uint64(i + 1)
	}
	return all
}
