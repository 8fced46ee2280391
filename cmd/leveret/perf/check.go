package perf

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// position is the place of a message among the arrivals, by its number; ok is
// false if the queue should not get it.
func (a *arrivals) position(number uint64) (n uint64, ok bool) {
	i, ok := slices.BinarySearch(a.residues, number%a.cycle)
	return number/a.cycle*uint64(len(a.residues)) + uint64(i), ok
}

// count is how many of the first n messages of the producer arrive.
func (a *arrivals) count(n uint64) uint64 {
	i, _ := slices.BinarySearch(a.residues, n%a.cycle)
	return n/a.cycle*uint64(len(a.residues)) + uint64(i)
}

// seen is a set of positions that mostly come in order, one bit each: those
// below base are all in it.
type seen struct {
	base  uint64 // a multiple of 64
	words []uint64
	len   uint64
}

// add puts a position into the set; false if it was there.
func (s *seen) add(n uint64) bool {
	if n < s.base {
		return false
	}
	i, bit := (n-s.base)/64, uint64(1)<<(n%64)
	for uint64(len(s.words)) <= i {
		s.words = append(s.words, 0)
	}
	if s.words[i]&bit != 0 {
		return false
	}
	s.words[i] |= bit
	s.len++
	if s.words[0] == ^uint64(0) {
		s.advance()
	}
	return true
}

// advance drops the full words at the front.
func (s *seen) advance() {
	full := 0
	for full < len(s.words) && bits.OnesCount64(s.words[full]) == 64 {
		full++
	}
	s.base += uint64(full) * 64
	s.words = s.words[:copy(s.words, s.words[full:])]
}

// ledger is what has come out of one queue. Its consumers share it.
type ledger struct {
	plan *queuePlan
	mu   sync.Mutex // for seen, if there are several consumers
	seen []seen     // by producer
}

func newLedger(q *queuePlan) *ledger {
	return &ledger{plan: q, seen: make([]seen, len(q.arrivals))}
}

// add notes an arrival; false if the message had come before.
func (l *ledger) add(producer uint32, position uint64) bool {
	if l.plan.competing {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	return l.seen[producer].add(position)
}

// lost is how many messages have not come, when each producer has published
// that many.
func (l *ledger) lost(published []uint64) uint64 {
	var lost uint64
	for i, a := range l.plan.arrivals {
		if a != nil {
			want := a.count(published[i])
			lost += want - min(want, l.seen[i].len)
		}
	}
	return lost
}

// maxJump is how many messages may be missing in a row: a number that says more
// is nonsense, and would cost memory.
const maxJump = 1 << 28

// auditor checks what one consumer gets from one queue: what a queue hands to
// a consumer is in the producer's order.
type auditor struct {
	ledger *ledger
	next   []uint64 // by producer: past the highest position so far
	last   []uint64 // by producer: the highest number so far, for its high half
	faults faults
}

func newAuditor(l *ledger) *auditor {
	n := len(l.plan.arrivals)
	return &auditor{ledger: l, next: make([]uint64, n), last: make([]uint64, n)}
}

// delivered checks one message. It reports whether the message is the queue's
// and has come for the first time.
func (a *auditor) delivered(s stamp) bool {
	if int64(s.producer) >= int64(len(a.last)) || a.ledger.plan.arrivals[s.producer] == nil {
		a.faults.Misrouted++
		return false
	}
	number := int64(a.last[s.producer]) + int64(int32(s.number-uint32(a.last[s.producer])))
	if number < 0 || number > int64(a.last[s.producer])+maxJump {
		a.faults.Damaged++
		return false
	}
	position, ok := a.ledger.plan.arrivals[s.producer].position(uint64(number))
	if !ok {
		a.faults.Misrouted++
		return false
	}
	if !a.ledger.add(s.producer, position) {
		a.faults.Duplicates++
		return false
	}
	if position < a.next[s.producer] {
		a.faults.OutOfOrder++
		return true
	}
	a.next[s.producer], a.last[s.producer] = position+1, uint64(number)
	return true
}

// faults are what a broker must not do, in messages.
type faults struct {
	Lost        uint64 `json:"lost"`
	Duplicates  uint64 `json:"duplicates"`
	OutOfOrder  uint64 `json:"out_of_order"`
	Misrouted   uint64 `json:"misrouted"`
	Damaged     uint64 `json:"damaged"`      // of another size than was sent
	Refused     uint64 `json:"refused"`      // answered with basic.nack
	Unconfirmed uint64 `json:"unconfirmed"`  // of those to be confirmed
	BadConfirms uint64 `json:"bad_confirms"` // confirms of what was not under way
}

func (f *faults) add(o faults) {
	f.Lost += o.Lost
	f.Duplicates += o.Duplicates
	f.OutOfOrder += o.OutOfOrder
	f.Misrouted += o.Misrouted
	f.Damaged += o.Damaged
	f.Refused += o.Refused
	f.Unconfirmed += o.Unconfirmed
	f.BadConfirms += o.BadConfirms
}

// err is nil if there were none.
func (f faults) err() error {
	if f == (faults{}) {
		return nil
	}
	return fmt.Errorf("the check failed: %s", f)
}

// String lists the faults, as far as there are any.
func (f faults) String() string {
	var parts []string
	for _, p := range []struct {
		n    uint64
		what string
	}{
		{f.Lost, "lost"}, {f.Duplicates, "duplicate"}, {f.OutOfOrder, "out of order"},
		{f.Misrouted, "misrouted"}, {f.Damaged, "damaged"}, {f.Refused, "refused (basic.nack)"},
		{f.Unconfirmed, "not confirmed"}, {f.BadConfirms, "confirmed without need"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		return "nothing lost, doubled or out of order"
	}
	return strings.Join(parts, ", ")
}
