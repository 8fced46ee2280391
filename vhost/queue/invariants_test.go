package queue

import "fmt"

// invariants checks what must hold inside a queue between any two calls.
func invariants(q *Queue) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &q.core
	for _, check := range []func(*core) error{linesInvariant, heldInvariant, unackedInvariant, rosterInvariant} {
		if err := check(c); err != nil {
			return err
		}
	}
	if q.closed {
		return nil
	}
	if c.ready.count > 0 && c.consumers.next() != nil && !c.want {
		return fmt.Errorf("%d messages and consumer %s wait for each other", c.ready.count, c.consumers.next().Key.Tag)
	}
	// If the head leaves memory while others are waited for, its timer fires for
	// nothing.
	if q.deathAt != c.nextDeath() && !(c.want && c.ready.count > 0 && c.ready.front().msg == nil) {
		return fmt.Errorf("timer set for %d, next death is at %d", q.deathAt, c.nextDeath())
	}
	return nil
}

func linesInvariant(c *core) error {
	var sum core
	for p, ln := range c.ready.all {
		items := c.items(ln)
		for i := range items {
			it := &items[i].item
			sum.bytes += int64(it.size)
			if it.expires != 0 {
				sum.mortal++
			}
			if it.msg != nil && it.msg.Persistent {
				sum.lasting.add(it)
			}
			if it.msg != nil && it.msg.Persistent != it.lasting {
				return fmt.Errorf("line %d: a message that is persistent: %v, said to be so: %v", p, it.msg.Persistent, it.lasting)
			}
			if it.rec != nil {
				sum.recorded++
			}
			if it.msg == nil {
				sum.away++
			} else {
				sum.memory += it.memory()
			}
		}
		for f := range ln.fifos {
			if err := fifoInvariant(f); err != nil {
				return fmt.Errorf("line %d: %w", p, err)
			}
		}
		sum.ready.count += len(items)
		if used := c.ready.used[p>>6]>>(p&63)&1 == 1; used != (len(items) > 0) || used == ln.empty() {
			return fmt.Errorf("line %d has %d messages, used is %v, empty %v", p, len(items), used, ln.empty())
		}
	}
	if c.held != nil {
		sum.memory += c.held.memory // see heldInvariant
	}
	total := func(c *core) string {
		return fmt.Sprintf("%d messages, %d bytes, %d mortal, %d recorded, %d away, %d in memory",
			c.ready.count, c.bytes, c.mortal, c.recorded, c.away, c.memory)
	}
	if got, want := total(c), total(&sum); got != want {
		return fmt.Errorf("ready: counted as %s\nbut there are %s", got, want)
	}
	if got, least := c.lasting, sum.lasting; got.count < least.count || got.count > least.count+c.away || c.away == 0 && got != least {
		return fmt.Errorf("ready: %+v counted as persistent, but there are %+v and %d away", got, least, c.away)
	}
	return nil
}

func heldInvariant(c *core) error {
	h := c.held
	if h == nil {
		return nil
	}
	sum := heldSet{recorded: len(h.away) + len(h.loading)}
	for i := range h.near {
		it := &h.near[i]
		if i > 0 && h.near.less(i, (i-1)/2) {
			return fmt.Errorf("held: not a heap at %d", i)
		}
		sum.memory += it.memory()
		sum.bytes += int64(it.size)
		if it.rec != nil {
			sum.recorded++
		}
	}
	for _, part := range [][]heldAway{h.away, h.loading} {
		for i := range part {
			sum.bytes += int64(part[i].size)
		}
	}
	for i := range h.away {
		if i > 0 && h.away.less(i, (i-1)/2) {
			return fmt.Errorf("held away: not a heap at %d", i)
		}
	}
	if sum.memory != h.memory || sum.bytes != h.bytes || sum.recorded != h.recorded {
		return fmt.Errorf("held: counted as %d in memory, %d bytes, %d recorded, but there are %d, %d, %d",
			h.memory, h.bytes, h.recorded, sum.memory, sum.bytes, sum.recorded)
	}
	return nil
}

func fifoInvariant(f *fifo) error {
	count, last, out := 0, uint64(0), f.out == nil
	for s := f.head; s != nil; s = s.next {
		count += s.count()
		if s == f.out {
			out = true
		}
		switch {
		case s != f.head && s.number <= last:
			return fmt.Errorf("segment %d after %d", s.number, last)
		case s.next == nil && s != f.tail:
			return fmt.Errorf("the last segment is not the tail")
		case s.count() == 0 && s != f.tail:
			return fmt.Errorf("an empty segment")
		case s.packed != nil && (s.items != nil || s.stub.msg != nil):
			return fmt.Errorf("a packed segment with items")
		}
		last = s.number
	}
	if count != f.count {
		return fmt.Errorf("%d items counted as %d", count, f.count)
	}
	if !out {
		return fmt.Errorf("a row ends in a segment that has gone")
	}
	return nil
}

func unackedInvariant(c *core) error {
	u := &c.unacked
	out, lasting := 0, extent{}
	for _, s := range u.slots {
		if s.msg == nil {
			continue
		}
		out++
		if s.msg.Persistent {
			lasting.add(&s.item)
		}
	}
	if lasting != u.lasting {
		return fmt.Errorf("unacked: %+v counted as persistent, but there are %+v", u.lasting, lasting)
	}
	if out != u.count || out+len(u.free) != len(u.slots) {
		return fmt.Errorf("unacked: %d of %d slots taken, %d free, counted as %d", out, len(u.slots), len(u.free), u.count)
	}
	return nil
}

func rosterInvariant(c *core) error {
	r := &c.consumers
	waiting := 0
	for i, t := range r.turns {
		if i > 0 && r.turns[i-1].priority <= t.priority {
			return fmt.Errorf("turns out of order: %d before %d", r.turns[i-1].priority, t.priority)
		}
		if t.head == nil {
			continue
		}
		for con := t.head; ; con = con.next {
			if con.turn != t || con.gone || con.Priority != t.priority || con.next.prev != con {
				return fmt.Errorf("consumer %s is wrong in its turn", con.Key.Tag)
			}
			waiting++
			if con.next == t.head {
				break
			}
		}
	}
	for _, con := range r.all {
		if con.turn != nil {
			waiting--
		}
	}
	if waiting != 0 {
		return fmt.Errorf("%d more consumers in turns than in all", waiting)
	}
	if len(r.turns) > len(r.all) {
		return fmt.Errorf("%d turns for %d consumers", len(r.turns), len(r.all))
	}
	if r.single && (r.active == nil) != (len(r.all) == 0) {
		return fmt.Errorf("%d consumers and active is %v", len(r.all), r.active)
	}
	return nil
}
