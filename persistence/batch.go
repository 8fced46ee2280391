package persistence

// Waiter is told what became of what it waits for. Its type is comparable, a
// pointer at best: stores tell by == who is the same.
type Waiter interface {
	// Done is called once for each number that was handed over with the
	// waiter, several at a time where the store can: err is nil when what it
	// stands for is in the store, and then the Ref of the record is known. No
	// lock of the store is held, so it may call Write. It must not block, and
	// numbers is good only until it returns.
	Done(numbers []uint64, err error)
}

// Batch collects changes that belong together: they are in the store all or
// none. The zero value is empty. It belongs to one goroutine.
type Batch struct {
	// Appends are new records, in order.
	Appends []Append
	// Settles end places, or note what is to be remembered of them. They are
	// not waited for, unless the batch has Appends, Changes or Waits: an ack
	// that a crash swallows is a redelivery.
	Settles []Settle
	// Changes are definitions made or deleted, in order.
	Changes []Change
	// Waits are told when all of the batch is in the store.
	Waits []Wait
}

// Append is a new record and who waits for it, if anybody.
type Append struct {
	Record *Record
	Waiter Waiter
	Number uint64
}

// Settle ends a place of a record, once: acked, dropped, expired or moved. With
// Returned it does not end it but notes how often it came back, and when it is
// due: Returns and Due take the place of both that the place had.
type Settle struct {
	Record *Record
	// Place is the number of the place in Record.Places.
	Place    int
	Returned bool
	Returns  uint32
	Due      int64
}

// Note returns what is noted of a place that came back.
func (t Settle) Note() Note { return Note{Returns: t.Returns, Due: t.Due} }

// Wait is somebody who waits for the whole batch.
type Wait struct {
	Waiter Waiter
	Number uint64
}

// Empty reports whether there is nothing in the batch.
func (b *Batch) Empty() bool {
	return len(b.Appends)+len(b.Settles)+len(b.Changes)+len(b.Waits) == 0
}

// Append adds a record that w, if not nil, waits for.
func (b *Batch) Append(r *Record, w Waiter, number uint64) {
	b.Appends = append(b.Appends, Append{r, w, number})
}

// Settle ends a place of a record.
func (b *Batch) Settle(r *Record, place int) {
	b.Settles = append(b.Settles, Settle{Record: r, Place: place})
}

// Return notes that the message of a place came back for the nth time, and when
// it may be handed on, in Unix nanoseconds; 0: at once. The last note counts.
func (b *Batch) Return(r *Record, place int, n uint32, due int64) {
	b.Settles = append(b.Settles, Settle{Record: r, Place: place, Returned: true, Returns: n, Due: due})
}

// Change adds a change of the definitions.
func (b *Batch) Change(c Change) { b.Changes = append(b.Changes, c) }

// Wait lets w be told when all of the batch is in the store.
func (b *Batch) Wait(w Waiter, number uint64) { b.Waits = append(b.Waits, Wait{w, number}) }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Appends)
	clear(b.Settles)
	clear(b.Changes)
	clear(b.Waits)
	b.Appends, b.Settles = b.Appends[:0], b.Settles[:0]
	b.Changes, b.Waits = b.Changes[:0], b.Waits[:0]
}

// Outcome is a Waiter for one thing, to be waited for in place. Make it with
// NewOutcome.
type Outcome struct{ done chan error }

// NewOutcome returns an Outcome.
func NewOutcome() *Outcome { return &Outcome{make(chan error, 1)} }

// Done implements Waiter.
func (o *Outcome) Done(_ []uint64, err error) { o.done <- err }

// Await blocks until it is known, and returns the error.
func (o *Outcome) Await() error { return <-o.done }
