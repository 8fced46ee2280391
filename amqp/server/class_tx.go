package server

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost"
)

// transaction is what a channel in tx mode has done since the last commit. All
// of it was checked when it was asked for.
type transaction struct {
	publishes []pendingPublish
	settles   []pendingSettle
}

type pendingPublish struct {
	exchange  *exchange.Exchange
	message   *amqp.Message
	mandatory bool
}

type pendingSettle struct {
	entries []entry
	verdict verdict
}

// settle keeps settled entries for the commit; the list is copied.
func (t *transaction) settle(entries []entry, v verdict) {
	if len(entries) > 0 {
		t.settles = append(t.settles, pendingSettle{append([]entry(nil), entries...), v})
	}
}

// takeEntries returns the entries that wait for a commit, and forgets them.
func (t *transaction) takeEntries() (all []entry) {
	for _, s := range t.settles {
		all = append(all, s.entries...)
	}
	t.settles = nil
	return all
}

func (ch *channel) classTx(m amqp.Method) error {
	switch m.(type) {
	case *amqp.TxSelect:
		return ch.txSelect()
	case *amqp.TxCommit:
		return ch.txCommit()
	case *amqp.TxRollback:
		return ch.txRollback()
	}
	return unimplemented()
}

func (ch *channel) txSelect() error { // [1.9.2.1]
	if ch.confirms.on {
		return amqp.PreconditionFailed("cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.tx = &transaction{}
		ch.showFace()
	}
	ch.send(&amqp.TxSelectOk{})
	return nil
}

// txCommit carries out what was collected: publishes, then acks, and says so
// when both are stored [1.9.2.3]. The store has all of it or nothing.
func (ch *channel) txCommit() error {
	if ch.tx == nil {
		return amqp.PreconditionFailed("channel is not transactional")
	}
	t := *ch.tx
	*ch.tx = transaction{}
	ch.showFace()
	ch.conn.beforeStored() // what came before is no part of it
	partial := false
	var originals []*persistence.Outcome
	for _, p := range t.publishes {
		o := persistence.NewOutcome()
		done := ch.route(p.exchange, p.message, p.mandatory, vhost.Ticket{Waiter: o})
		partial = done.Refused || partial
		if done.Duplicate && done.Stored && !done.Refused {
			originals = append(originals, o) // it may be in a batch of somebody else's
		}
	}
	for _, s := range t.settles {
		out := &ch.conn.out
		out.mu.Lock()
		ready := ch.creditLocked(s.entries)
		out.mu.Unlock()
		ch.settled(s.entries, s.verdict, ready)
	}
	if len(t.publishes)+len(t.settles) > 0 {
		if err := ch.conn.commitBatch(); err != nil {
			return err
		}
	}
	for _, o := range originals {
		if err := o.Await(); err != nil {
			return fmt.Errorf("not stored: %w", err)
		}
	}
	if partial {
		return amqp.PreconditionFailed("partial tx completion")
	}
	ch.send(&amqp.TxCommitOk{})
	return nil
}

// txRollback forgets the publishes and gives the deliveries that were settled
// back to the channel, where they are unacked again [1.9.2.5].
func (ch *channel) txRollback() error {
	if ch.tx == nil {
		return amqp.PreconditionFailed("channel is not transactional")
	}
	entries := ch.tx.takeEntries()
	*ch.tx = transaction{}
	ch.showFace()
	out := &ch.conn.out
	out.mu.Lock()
	ch.unacked.restore(entries)
	out.mu.Unlock()
	ch.send(&amqp.TxRollbackOk{})
	return nil
}
