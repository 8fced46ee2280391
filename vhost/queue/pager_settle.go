package queue

import "github.com/leveretmq/leveret/persistence"

// settleBatch is how many places are settled at once.
const settleBatch = 1000

// settleAlways is the settler.
func (p *Pager) settleAlways() {
	for {
		for r := p.nextGone(); r != nil; r = p.nextGone() {
			p.settleAll(r)
		}
		if p.closes() {
			return
		}
		p.rest(p.settles, 0)
	}
}

// nextGone takes what is to be settled next, nil if there is nothing.
func (p *Pager) nextGone() (r *remains) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.gone) > 0 {
		r = p.gone[0]
		p.gone = p.gone[1:]
	}
	return r
}

// settleAll settles what has gone at once. It gives way to those who publish,
// and gives up at the end of the broker if what is left does not come back.
func (p *Pager) settleAll(r *remains) {
	var b persistence.Batch
	for rec, place := range r.all {
		b.Settle(rec, place)
		if len(b.Settles) < settleBatch {
			continue
		}
		p.store.Write(&b)
		p.store.Await()
		if !r.returns && p.closes() {
			return
		}
	}
	p.store.Write(&b)
}
