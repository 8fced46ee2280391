package queue

import (
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// State is how a message is in its queue.
type State uint8

// The states, in the order in which a browse shows them.
const (
	// StateReady: it is in line.
	StateReady State = iota
	// StateUnacked: somebody has it.
	StateUnacked
	// StateDelayed: it waits for its time.
	StateDelayed
	states
)

// String returns the word for people: ready, unacked, delayed.
func (s State) String() string { return [...]string{"ready", "unacked", "delayed"}[s] }

// Browsed is a message as a browse has found it.
type Browsed struct {
	// ID names the message in its queue, for as long as it is there. Of the ready
	// ones of a priority it is the place in line.
	ID    uint64
	State State
	// Message is nil while a browse only asks whether it is wanted.
	Message *amqp.Message
	// Size is the length of the body, in bytes.
	Size int
	// Returns is how often the message was handed out and came back.
	Returns     uint32
	Redelivered bool
	// Again says that it may have left the queue before a restart.
	Again bool
	// Expires is when it dies, Due when its wait is over; zero if not at all.
	Expires, Due time.Time
	// It came between these two times; zero where that is not known.
	CameAfter, CameBefore time.Time
	// Consumer has it since Since, a second's fraction left out; nil after basic.get.
	// Both are for what is unacked.
	Consumer *Consumer
	Since    time.Time

	level uint8
	it    item            // without message and record if it was not in memory
	ref   persistence.Ref // then
	due   int64
	why   Reason // of a dead letter that waits for being taken
}

// Look says what a browse is to show.
type Look struct {
	// After is where to begin; the zero value is the begin.
	After Cursor
	// Skip says which states are left out.
	Skip [states]bool
	// Until leaves out what came after a place, by Queue.LastPlace; 0 leaves out
	// nothing.
	Until uint64
	// Pick, if set, says whether a message is wanted, before it is read from the store
	// for that. It is called without a lock.
	Pick func(b *Browsed) bool
}

// LastPlace is the place that was taken last in line.
func (q *Queue) LastPlace() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.core.nextSeq
}

// Browse shows the messages of a queue to visit, until that returns false, and returns
// where to go on and whether that was all: those that are ready in the order in which
// they are handed out, what is unacked by age, and what is delayed by the time at which
// it is due. Nothing is changed by it, and the queue does not count as used.
//
// What visit is given is good until it returns; a copy, of which the message is a part,
// may be kept. The queue's lock is held for bounded steps, in which messages are noted; they are
// read, where they are in the store only, and shown without it. What has gone by then
// is left out or shown as it was. What changes its state meanwhile may be shown twice
// or not at all; so may be, of more than 65,536 that came back, one for each that comes
// back. The memory taken is some megabytes besides what visit keeps. The error is the
// store's.
func (q *Queue) Browse(l Look, visit func(b *Browsed) bool) (next Cursor, end bool, err error) {
	return q.browse(l, browseSteps, visit)
}

func (q *Queue) browse(l Look, n stepSizes, visit func(b *Browsed) bool) (next Cursor, end bool, err error) {
	s := scan{queue: q, look: l, steps: n, at: l.After}
	s.begin()
	for !s.done {
		found := s.step()
		more, err := s.show(found, visit)
		if err != nil || !more {
			return s.at, false, err
		}
		s.arrive()
	}
	return s.at, true, nil
}
