package queue

import "math/bits"

// lines is the ready messages of a queue: a line for each priority that has
// been used, the highest served first. A queue without priorities has one.
type lines struct {
	zero   line      // priority 0, all that most queues have
	levels []*line   // priorities 1 to len(levels), nil until used
	used   [4]uint64 // bit p is set while priority p has messages
	count  int       // ready messages
}

func newLines(maxPriority uint8) lines {
	return lines{levels: make([]*line, maxPriority)}
}

// at returns the line for a message of that priority; one above the maximum
// counts as the maximum.
func (l *lines) at(priority uint8) (*line, uint8) {
	p := min(int(priority), len(l.levels))
	if p == 0 {
		return &l.zero, 0
	}
	if l.levels[p-1] == nil {
		l.levels[p-1] = new(line)
	}
	return l.levels[p-1], uint8(p)
}

func (l *lines) push(it *item) {
	ln, p := l.at(it.msg.Priority)
	ln.fresh.push(it)
	l.used[p>>6] |= 1 << (p & 63)
	l.count++
}

func (l *lines) putBack(it item) {
	ln, p := l.at(it.msg.Priority)
	ln.back.push(it)
	l.used[p>>6] |= 1 << (p & 63)
	l.count++
}

// top returns the highest priority that has messages; there must be one.
func (l *lines) top() uint8 {
	for w := len(l.used) - 1; w >= 0; w-- {
		if l.used[w] != 0 {
			return uint8(w<<6 + bits.Len64(l.used[w]) - 1)
		}
	}
	return 0
}

// line returns the line of a priority, nil if it was never used.
func (l *lines) line(p uint8) *line {
	if p == 0 {
		return &l.zero
	}
	return l.levels[p-1]
}

// all yields the lines that were ever used, and their priorities.
func (l *lines) all(yield func(uint8, *line) bool) {
	for p := range len(l.levels) + 1 {
		if ln := l.line(uint8(p)); ln != nil && !yield(uint8(p), ln) {
			return
		}
	}
}

// front returns what is delivered next, or nil. It is valid until the next
// call. It has no message if that is not in memory.
func (l *lines) front() *item {
	if l.count == 0 {
		return nil
	}
	return l.line(l.top()).front()
}

// drop removes what front returned. It reports what fifo.drop does.
func (l *lines) drop() (ahead bool) {
	p := l.top()
	ln := l.line(p)
	ahead = ln.drop()
	l.count--
	l.emptied(p, ln)
	return ahead
}

// emptied notes it if a line has no messages any more.
func (l *lines) emptied(p uint8, ln *line) {
	if ln.empty() {
		l.used[p>>6] &^= 1 << (p & 63)
	}
}
