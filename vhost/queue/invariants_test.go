package queue

import "fmt"

// invariants checks what must hold inside a queue between any two calls.
func invariants(q *Queue) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &q.core
	for _, check := range []func(*core) error{linesInvariant, unackedInvariant, rosterInvariant} {
		if err := check(c); err != nil {
			return err
		}
	}
	if q.closed {
		return nil
	}
	if c.ready.count > 0 && c.consumers.next() != nil {
		return fmt.Errorf("%d messages and consumer %s wait for each other", c.ready.count, c.consumers.next().Key.Tag)
	}
	if q.deathAt != c.nextDeath() {
		return fmt.Errorf("timer set for %d, next death is at %d", q.deathAt, c.nextDeath())
	}
	return nil
}

func linesInvariant(c *core) error {
	var count, mortal int
	var bytes int64
	l := &c.ready
	for p := range len(l.levels) + 1 {
		ln := l.line(uint8(p))
		n := 0
		if ln != nil {
			n = ln.len()
			items := append([]item(nil), ln.back...)
			for it := range ln.fresh.all {
				items = append(items, *it)
			}
			for _, it := range items {
				bytes += it.msg.Size()
				if it.expires != 0 {
					mortal++
				}
			}
			if len(items) != n {
				return fmt.Errorf("line %d: %d items counted as %d", p, len(items), n)
			}
		}
		count += n
		if used := l.used[p>>6]>>(p&63)&1 == 1; used != (n > 0) {
			return fmt.Errorf("line %d has %d messages and used is %v", p, n, used)
		}
	}
	if count != l.count || bytes != c.bytes || mortal != c.mortal {
		return fmt.Errorf("ready: %d messages, %d bytes, %d mortal; counted as %d, %d, %d",
			count, bytes, mortal, l.count, c.bytes, c.mortal)
	}
	return nil
}

func unackedInvariant(c *core) error {
	u := &c.unacked
	out := 0
	for _, s := range u.slots {
		if s.msg != nil {
			out++
		}
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
