package queue

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
)

// browse looks at a part of the queue, page by page. That it changes nothing is what
// the comparison after each operation says.
func (p *play) browse(o op) (real, want any) {
	var words []string
	found, err := p.look(o)
	if err != nil {
		return p.fails(), true
	}
	for _, b := range found {
		words = append(words, showBrowsed(b.State, b.Message.RoutingKey, b.ID, b.Returns, b.Redelivered))
	}
	var expected []string
	for _, msg := range p.model.shown() {
		if !p.model.hurt[msg.name] || msg.state == StateUnacked {
			expected = append(expected, showBrowsed(msg.state, msg.name, uint64(msg.place), msg.returns, msg.redelivered))
		}
	}
	return words, expected
}

// look browses all of the queue, in small steps and in pages.
func (p *play) look(o op) (found []Browsed, err error) {
	sizes := stepSizes{note: 1 + int(o[1]%4), look: 1 + int(o[1]/4%4), read: 1 + int(o[2]%3), size: int(o[2])}
	page := 1 + int(o[3]%16)
	for at := (Cursor{}); ; {
		n := 0
		next, end, err := p.queue.browse(Look{After: at}, sizes, func(b *Browsed) bool {
			found = append(found, *b)
			n++
			return n < page
		})
		if err != nil || end {
			return found, err
		}
		if at, err = ParseCursor(next.String()); err != nil || at != next {
			return nil, fmt.Errorf("cursor %+v comes back as %+v, %w", next, at, err)
		}
	}
}

func showBrowsed(s State, name string, id uint64, returns uint32, redelivered bool) string {
	return fmt.Sprintf("%s %s at %d, back %d times, redelivered %t", s, name, id, returns, redelivered)
}

// shownMessage is a message and how it is in its queue.
type shownMessage struct {
	modelMessage
	state State
}

// shown is what a browse shows.
func (m *model) shown() (all []shownMessage) {
	if m.closed {
		return nil
	}
	for _, msg := range m.ready {
		all = append(all, shownMessage{msg, StateReady})
	}
	var out []shownMessage
	for _, c := range m.everybody() {
		for _, msg := range c.unackedMessages() {
			out = append(out, shownMessage{msg, StateUnacked})
		}
	}
	slices.SortFunc(out, func(a, b shownMessage) int { return cmp.Compare(a.place, b.place) })
	all = append(all, out...)
	for _, msg := range m.held {
		all = append(all, shownMessage{msg, StateDelayed})
	}
	return all
}

// take takes some of what is ready or held, and settles it or puts it back.
func (p *play) take(o op) (real, want any) {
	found, err := p.look(o)
	if err != nil || p.model.lasts(o) {
		return nil, nil
	}
	var picks []*Browsed
	for i := range found {
		h := fnv.New32a()
		fmt.Fprint(h, found[i].ID, o[2])
		if h.Sum32()%8 < uint32(o[3]%4) {
			picks = append(picks, &found[i])
		}
	}
	taken := p.queue.Take(picks, &p.fx)
	var gone []shownMessage
	for _, msg := range p.model.shown() {
		chosen := slices.ContainsFunc(picks, func(b *Browsed) bool { return b.ID == uint64(msg.place) })
		if chosen && msg.state != StateUnacked {
			gone = append(gone, msg)
		}
	}
	p.model.without(gone)
	if o[1]%2 == 0 {
		for _, b := range taken {
			p.queue.Settle(b, &p.fx)
		}
		return len(taken), len(gone)
	}
	p.queue.PutBack(taken, &p.fx)
	p.model.putBack(gone)
	return len(taken), len(gone)
}

// without takes messages out.
func (m *model) without(gone []shownMessage) {
	isGone := func(msg modelMessage) bool {
		return slices.ContainsFunc(gone, func(g shownMessage) bool { return g.place == msg.place })
	}
	m.ready = slices.DeleteFunc(slices.Clone(m.ready), isGone)
	m.held = slices.DeleteFunc(slices.Clone(m.held), isGone)
	if !m.closed {
		m.serve("")
	}
}

// putBack puts them where they were.
func (m *model) putBack(all []shownMessage) {
	for _, msg := range all {
		if msg.state == StateDelayed {
			m.hold(msg.modelMessage, msg.due)
		} else {
			m.insert(msg.modelMessage)
		}
	}
	if !m.closed {
		m.trim()
		m.serve("")
	}
}
