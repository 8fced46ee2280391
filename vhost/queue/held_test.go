package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// keeper is a queue that holds and passes on, and what comes of it.
type keeper struct {
	t       *testing.T
	storage *storage
	queue   *Queue
	after   aftermath
}

func newKeeper(t *testing.T, kind byte) *keeper {
	k := &keeper{t: t, storage: newStorage(t, kind)}
	k.queue = New(k.storage.options(Options{VHost: "/", Name: "x", PassesOn: true, Limits: NoLimits(), Apply: k.after.carryOut}))
	return k
}

func (k *keeper) close() {
	var fx Effects
	if _, err := k.queue.Delete(false, false, &fx); err != nil {
		k.t.Error(err)
	}
	k.after.carryOut(&fx)
	k.storage.close()
}

func (k *keeper) hold(m *amqp.Message, due time.Time) {
	k.put(m, due)
	k.check()
}

// put is hold without a look at all that is there.
func (k *keeper) put(m *amqp.Message, due time.Time) {
	var fx Effects
	var rec *persistence.Record
	if out := k.queue.Hold(m, due.UnixNano(), &rec, &fx); out != Accepted {
		k.t.Fatalf("hold %s: %d", m.RoutingKey, out)
	}
	if rec != nil {
		fx.Append(rec, nil, 0)
	}
	k.after.carryOut(&fx)
}

func (k *keeper) check() {
	if err := invariants(k.queue); err != nil {
		k.t.Fatal(err)
	}
}

// away returns how many messages are in the store only, and what the others take.
func (k *keeper) away() (n int, memory int64) {
	k.queue.mu.Lock()
	defer k.queue.mu.Unlock()
	return len(k.queue.core.held.away), k.queue.core.held.memory
}

// whileReading has something done with each message that is read.
func (k *keeper) whileReading(do func()) {
	k.storage.store.mu.Lock()
	k.storage.store.damaged = func(*amqp.Message) bool { do(); return false }
	k.storage.store.mu.Unlock()
}

// advance lets time go by.
func (k *keeper) advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
	k.check()
}

// each runs a test with each kind of storage, on a clock of its own.
func eachStorage(t *testing.T, test func(t *testing.T, kind byte)) {
	for kind, name := range []string{"in memory", "stored", "not stored with a pager", "stored without a pager"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, byte(kind)) })
		})
	}
}

// TestHoldIsExact: all that is held goes on at its time, not before, and in the
// order of the times.
func TestHoldIsExact(t *testing.T) {
	eachStorage(t, func(t *testing.T, kind byte) {
		k := newKeeper(t, kind)
		defer k.close()
		random := rand.New(rand.NewPCG(1, 2))
		start := time.Now()
		type expected struct{ due, n int }
		var want []expected
		for n := range 300 {
			due := 10 * (1 + random.IntN(200)) // 10 ms to 2 s
			want = append(want, expected{due, n})
			k.hold(message(fmt.Sprint("m", n), 10), start.Add(time.Duration(due)*time.Millisecond))
		}
		slices.SortStableFunc(want, func(a, b expected) int { return a.due - b.due })
		if got := k.queue.Stats(); got.Held != 300 || got.HeldBytes != 3000 || got.Ready != 0 {
			t.Errorf("stats: %+v", got)
		}
		k.advance(3 * time.Second)
		if len(k.after.passed) != len(want) {
			t.Fatalf("%d passed on, want %d", len(k.after.passed), len(want))
		}
		for i, w := range want {
			if exact := fmt.Sprint("m", w.n, " ", start.UnixMilli()+int64(w.due)); k.after.passed[i] != exact {
				t.Fatalf("number %d is %s, want %s", i, k.after.passed[i], exact)
			}
		}
		if got := k.queue.Stats(); got.Held != 0 || got.HeldBytes != 0 {
			t.Errorf("stats in the end: %+v", got)
		}
		if kind == 1 || kind == 3 {
			if left, others := k.storage.store.live(k.storage.id); len(left)+others > 0 {
				t.Errorf("left in the store: %v and %d", left, others)
			}
		}
	})
}

// TestHoldLeavesMemory: what waits for long is in the store only, goes on in
// order all the same, and is there after a restart, even if it is transient.
func TestHoldLeavesMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, 1)
		defer k.close()
		random := rand.New(rand.NewPCG(3, 4))
		start := time.Now()
		const count, size = 3000, 20_000
		due := make([]int, count)
		for n := range count {
			due[n] = 60_000 + random.IntN(100_000)
			k.hold(message(fmt.Sprint("m", n), size), start.Add(time.Duration(due[n])*time.Millisecond))
		}
		if away, memory := k.away(); away < count*3/4 || memory > heldMemory+2*heldStep {
			t.Errorf("%d of %d are away, %d bytes in memory", away, count, memory)
		}
		k.advance(100 * time.Second)
		before := len(k.after.passed)
		k.queue = k.storage.restart(k.queue, nil)
		k.check()
		if got := k.queue.Stats().Held; got+before != count {
			t.Errorf("%d after the restart and %d before, want %d", got, before, count)
		}
		k.advance(time.Minute)
		order := make([]int, count)
		for n := range order {
			order[n] = n
		}
		slices.SortStableFunc(order, func(a, b int) int { return due[a] - due[b] })
		for i, n := range order {
			if i >= len(k.after.passed) {
				t.Fatalf("only %d of %d came", i, count)
			}
			if want := fmt.Sprint("m", n, " ", start.UnixMilli()+int64(due[n])); k.after.passed[i] != want {
				t.Fatalf("number %d is %s, want %s", i, k.after.passed[i], want)
			}
		}
		if reads := k.storage.store.reads; reads > 120 {
			t.Errorf("%d reads for %d messages", reads, count)
		}
	})
}

// TestHoldOverdue: what came due while the broker was down goes on at once.
func TestHoldOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, 1)
		defer k.close()
		start := time.Now()
		k.hold(message("b", 1), start.Add(2*time.Second))
		k.hold(message("a", 1), start.Add(time.Second))
		k.hold(message("z", 1), start.Add(10*365*24*time.Hour))
		o := k.queue.Options()
		k.queue.Close()
		<-time.After(time.Hour)
		synctest.Wait()
		if len(k.after.passed) != 0 {
			t.Fatalf("a closed queue passed on %v", k.after.passed)
		}
		k.queue = k.storage.restart(New(o), nil)
		k.advance(time.Millisecond)
		got := strings.Join(k.after.passed, ",")
		if at := start.Add(time.Hour + time.Millisecond).UnixMilli(); got != fmt.Sprint("a ", at, ",b ", at) {
			t.Errorf("passed on: %s", got)
		}
		if n := k.queue.Stats().Held; n != 1 {
			t.Errorf("%d held, want 1", n)
		}
	})
}

// TestHeldListAndCancel: what is held can be looked at and cancelled, wherever
// it is.
func TestHeldListAndCancel(t *testing.T) {
	eachStorage(t, func(t *testing.T, kind byte) {
		k := newKeeper(t, kind)
		defer k.close()
		start := time.Now()
		for n := range 10 {
			k.hold(message(fmt.Sprint("m", n), 1), start.Add(time.Duration(10-n)*time.Hour))
		}
		k.storage.pageOut(k.queue, everything)
		k.storage.pageOut(k.queue, everything)
		if away, _ := k.away(); k.storage.pager != nil && away != 10 {
			t.Errorf("%d are away", away)
		}
		list, total, err := k.queue.Held(2, 3)
		if err != nil || total != 10 || len(list) != 3 {
			t.Fatalf("listed %d of %d: %v", len(list), total, err)
		}
		for i, want := range []string{"m7", "m6", "m5"} {
			if list[i].Message.RoutingKey != want || !list[i].Due.Equal(start.Add(time.Duration(3+i)*time.Hour)) {
				t.Errorf("%d: %s due %v", i, list[i].Message.RoutingKey, list[i].Due)
			}
		}
		for _, bad := range [][2]int{{10, 1}, {-1, 5}, {0, 0}} {
			if list, total, err := k.queue.Held(bad[0], bad[1]); len(list) != 0 || total != 10 || err != nil {
				t.Errorf("listed %d of %d from %d: %v", len(list), total, bad[0], err)
			}
		}
		var fx Effects
		if !k.queue.CancelHeld(list[1].Number, &fx) || k.queue.CancelHeld(list[1].Number, &fx) {
			t.Error("cancelling should work once")
		}
		k.after.carryOut(&fx)
		k.advance(11 * time.Hour)
		if len(k.after.passed) != 9 || slices.ContainsFunc(k.after.passed, func(s string) bool { return strings.HasPrefix(s, "m6 ") }) {
			t.Errorf("passed on: %v", k.after.passed)
		}
	})
}

// TestHeldGoesWithItsQueue: a purge and a delete settle what is held, wherever
// it is, also what is being read.
func TestHeldGoesWithItsQueue(t *testing.T) {
	for _, end := range []string{"purge", "delete"} {
		eachStorage(t, func(t *testing.T, kind byte) {
			k := newKeeper(t, kind)
			start := time.Now()
			for n := range 1500 {
				k.hold(message(fmt.Sprint("m", n), 1), start.Add(time.Hour))
			}
			k.storage.pageOut(k.queue, everything)
			k.storage.pageOut(k.queue, everything)
			for n := range 10 {
				k.hold(message(fmt.Sprint("n", n), 1), start.Add(time.Hour))
			}
			var fx Effects
			if end == "purge" {
				if n := k.queue.Purge(&fx); n != 1510 {
					t.Errorf("purged %d", n)
				}
			}
			k.after.carryOut(&fx)
			k.close()
			if k.storage.store != nil {
				if left, others := k.storage.store.live(k.storage.id); len(left)+others > 0 && end == "purge" {
					t.Errorf("%s: left in the store: %d and %d", end, len(left), others)
				}
			}
			<-time.After(2 * time.Hour)
			synctest.Wait()
			if len(k.after.passed) != 0 {
				t.Errorf("%s: passed on %d", end, len(k.after.passed))
			}
		})
	}
}

// TestHoldSameMoment: what is due at the same moment goes on in the order in
// which it came, wherever it was until then.
func TestHoldSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, 1)
		defer k.close()
		due := time.Now().Add(time.Hour)
		var want []string
		for n := range 10_000 {
			k.put(message(fmt.Sprint("m", n), 1), due)
			want = append(want, fmt.Sprint("m", n, " ", due.UnixMilli()))
			if n == 9000 {
				k.storage.pageOut(k.queue, everything)
			}
		}
		if away, _ := k.away(); away != 9001 {
			t.Errorf("%d are away", away)
		}
		k.advance(time.Hour + 100*time.Millisecond)
		for i := range k.after.passed {
			name, _, _ := strings.Cut(k.after.passed[i], " ")
			if first, _, _ := strings.Cut(want[i], " "); name != first {
				t.Fatalf("number %d is %s, want %s", i, name, first)
			}
		}
		if n := len(k.after.passed); n != len(want) || k.after.passed[0] != want[0] {
			t.Errorf("%d passed on, the first is %s", n, k.after.passed[0])
		}
	})
}

// TestHoldIsExactBesideLoading: a look at what is to be read makes nothing late.
func TestHoldIsExactBesideLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, 1)
		defer k.close()
		k.after.detailed = true
		start := time.Now()
		look := time.Minute - heldAhead
		k.hold(message("b", 1), start.Add(time.Minute))
		k.storage.pageOut(k.queue, everything)
		k.advance(look - time.Second)
		k.hold(message("a", 1), start.Add(look+300*time.Microsecond))
		k.advance(heldAhead + 2*time.Second)
		want := []string{fmt.Sprint("a at ", start.Add(look+300*time.Microsecond).UnixNano()), fmt.Sprint("b at ", start.Add(time.Minute).UnixNano())}
		if !slices.Equal(k.after.passed, want) {
			t.Errorf("got %v, want %v", k.after.passed, want)
		}
	})
}

// TestHoldWhileReadingFails: while a message cannot be read, those that are due
// after it wait, without a timer; then all go on in order.
func TestHoldWhileReadingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, 1)
		defer k.close()
		start := time.Now()
		k.hold(message("a", 1), start.Add(time.Minute))
		k.storage.pageOut(k.queue, everything)
		k.hold(message("b", 1), start.Add(time.Minute))
		k.hold(message("c", 1), start.Add(time.Minute+time.Millisecond))
		k.storage.store.failReads(errors.New("reading fails"))
		k.advance(2 * time.Minute)
		if len(k.after.passed) != 0 {
			t.Errorf("passed on: %v", k.after.passed)
		}
		if k.queue.wakeAt != 0 {
			t.Error("a timer is set for what cannot go on")
		}
		k.storage.store.failReads(nil)
		k.advance(loadRetry + heldTick)
		var names []string
		for _, s := range k.after.passed {
			names = append(names, s[:1])
		}
		if got := strings.Join(names, " "); got != "a b c" {
			t.Errorf("passed on: %s", got)
		}
	})
}

// TestHoldPurgedWhileRead: what is purged while it is being read is gone, and
// what is held after that is not.
func TestHoldPurgedWhileRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, 1)
		defer k.close()
		due := time.Now().Add(time.Minute)
		for n := range 100 {
			k.hold(message(fmt.Sprint("m", n), 1), due)
		}
		k.storage.pageOut(k.queue, everything)
		var fx Effects
		purged := 0
		k.whileReading(func() { purged += k.queue.Purge(&fx) })
		k.advance(time.Minute - heldAhead)
		k.after.carryOut(&fx)
		if purged != 100 {
			t.Errorf("purged %d", purged)
		}
		k.whileReading(func() {})
		k.hold(message("new", 1), due)
		k.advance(time.Minute)
		if want := fmt.Sprint("new ", due.UnixMilli()); len(k.after.passed) != 1 || k.after.passed[0] != want {
			t.Errorf("passed on: %v, want %s", k.after.passed, want)
		}
		if left, others := k.storage.store.live(k.storage.id); len(left)+others > 0 {
			t.Errorf("left in the store: %v and %d", left, others)
		}
	})
}
