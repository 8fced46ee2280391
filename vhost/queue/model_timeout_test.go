package queue

import (
	"cmp"
	"slices"
	"time"
)

// policy applies one in the place of the one before.
func (m *model) policy(definition map[string]any) {
	if m.closed {
		return
	}
	m.limits = m.base.under(m.kind, m.arguments.Get, definition)
	m.trim()
	if !m.behind {
		m.expire("")
	}
}

// timeoutOf is the timeout of a consumer, 0 for none.
func (m *model) timeoutOf(c *modelConsumer) time.Duration {
	switch {
	case c == m.getter:
		return 0
	case c.timeout < 0:
		return m.limits.ConsumerTimeout
	}
	return c.timeout
}

// overdue is when a consumer will have had a delivery for too long, 0 for never.
func (m *model) overdue(c *modelConsumer) (at int64) {
	timeout := m.timeoutOf(c)
	if timeout == 0 {
		return 0
	}
	for _, t := range c.tags {
		if end := t.at + int64(timeout); t.open && (at == 0 || end < at) {
			at = end
		}
	}
	return at
}

// nextTimeout is when the next consumer is overdue, 0 for never.
func (m *model) nextTimeout() (at int64) {
	if m.closed {
		return 0
	}
	for _, c := range m.everybody() {
		if end := m.overdue(c); end != 0 && (at == 0 || end < at) {
			at = end
		}
	}
	return at
}

// timeOut takes what consumers have that are overdue, who came first first.
func (m *model) timeOut() {
	all := m.everybody()
	slices.SortFunc(all, func(a, b *modelConsumer) int { return cmp.Compare(a.arrival, b.arrival) })
	some := false
	for _, c := range all {
		if at := m.overdue(c); m.closed || at == 0 || at > m.now {
			continue
		}
		some = true
		c.closing = true
		messages := c.unackedMessages()
		for i := range c.tags {
			c.tags[i].open = false
		}
		slices.SortFunc(messages, func(a, b modelMessage) int { return cmp.Compare(a.place, b.place) })
		for _, msg := range messages {
			m.comeBack(msg, CauseTimeout)
		}
		m.trim()
		if !c.gone {
			m.leave(c)
		}
		m.cancelled = append(m.cancelled, c.name+" after "+m.timeoutOf(c).String())
	}
	if some {
		m.serve("")
		m.left()
	}
}
