package queue

import (
	"math"
	"slices"
	"time"
)

// past is what a queue knows of times besides the last one.
type past struct {
	timeline timeline
	// taking is the part of the time in which what came was taken at once, as an
	// average whose half-life is a second, up to turned, when that changed last.
	taking float64
	turned int64 // Unix nanoseconds
}

// noteTimes notes that something goes on, and when the last place was taken.
func (c *core) noteTimes(fx *Effects) {
	c.active = fx.Time()
	if c.active >= c.sampleAt {
		c.sample()
	}
}

func (c *core) sample() {
	c.pastOf().timeline.add(c.nextSeq, c.active, c.head())
	c.sampleAt = c.active + samplePeriod
}

// noteTaking notes whether what comes now is taken at once.
func (c *core) noteTaking(does bool, fx *Effects) {
	if does != c.taking {
		c.turnTaking(fx)
	}
}

func (c *core) turnTaking(fx *Effects) {
	now := fx.Time()
	c.pastOf().taking = c.capacity(now)
	c.past.turned = now
	c.taking = !c.taking
}

func (c *core) pastOf() *past {
	if c.past == nil {
		c.past = new(past)
	}
	return c.past
}

// capacity is the average as it is at a time: RabbitMQ's consumer utilisation.
func (c *core) capacity(now int64) float64 {
	if c.past == nil {
		return 0
	}
	old, share := math.Exp2(-float64(max(now-c.past.turned, 0))/float64(time.Second)), 0.0
	if c.taking {
		share = 1
	}
	return c.past.taking*old + share*(1-old)
}

// takenAt returns between which two times a place in line was taken, in Unix
// nanoseconds; 0 where that is not known.
func (c *core) takenAt(seq uint64) (from, to int64) {
	if c.past == nil {
		return 0, 0
	}
	from, to, ok := c.past.timeline.taken(seq)
	if !ok {
		to = c.sampleAt // else there would be another sample
	}
	return from, to
}

// oldestReady returns the place of what is ready that was taken first; false if
// nothing is ready.
func (c *core) oldestReady() (seq uint64, ok bool) {
	for _, ln := range c.ready.all {
		if it := ln.front(); it != nil && (!ok || it.seq < seq) {
			seq, ok = it.seq, true
		}
	}
	return seq, ok
}

// head is the first place in line that is ready; with none, the one taken last.
func (c *core) head() uint64 {
	if seq, ok := c.oldestReady(); ok {
		return seq
	}
	return c.nextSeq
}

// takenUnit is about a second: a division for each delivery would show.
const (
	takenShift = 30
	takenUnit  = 1 << takenShift // ns
)

// oldestTaken returns when what is unacked longest was handed out, in takenUnit; 0 if
// nothing is unacked. What it has found it looks at first the next time: as long as
// that is out, nothing is older.
func (u *unacked) oldestTaken() uint32 {
	if s := u.find(u.oldest); s != nil {
		return s.taken
	}
	first := uint32(0)
	for i := range u.slots {
		if s := &u.slots[i]; s.msg != nil && (first == 0 || s.taken < first) {
			first, u.oldest = s.taken, ID{uint32(i), s.turn}
		}
	}
	return first
}

// timeline knows about when places in line were taken, without a time for each: it has
// a sample for each second in which something was published. When there are too many
// it lets go of those before the head, or else of the one whose neighbours are closest
// together for their age. So what it says of an age is right to a seventh of it or a
// second.
type timeline []sample // by seq

// sample says that a place in line was taken at a time, in Unix nanoseconds.
type sample struct {
	seq uint64
	at  int64
}

const (
	samplePeriod = int64(time.Second)
	samplesMost  = 128
)

// add adds a sample. head is the first place that is of interest still.
func (t *timeline) add(seq uint64, now int64, head uint64) {
	if head >= seq || len(*t) >= samplesMost {
		if i := t.find(head); i > 0 { // the one at or before the head is needed
			*t = slices.Delete(*t, 0, i)
		}
	}
	if len(*t) >= samplesMost {
		t.thin(now)
	}
	*t = append(*t, sample{seq, now})
}

// thin makes room for one.
func (t *timeline) thin(now int64) {
	s, least, at := *t, math.Inf(1), 1
	for i := 1; i < len(s)-1; i++ {
		gap := float64(s[i+1].at-s[i-1].at) / float64(now-s[i-1].at+1)
		if gap < least {
			least, at = gap, i
		}
	}
	*t = slices.Delete(s, at, at+1)
}

// find returns the last sample at or before a place, -1 if there is none.
func (t timeline) find(seq uint64) int {
	i, _ := slices.BinarySearchFunc(t, seq, func(s sample, seq uint64) int {
		if s.seq <= seq {
			return -1
		}
		return 1
	})
	return i - 1
}

// taken returns between which two times a place in line was taken, in Unix
// nanoseconds; from is 0 where that is not known, and ok false where to is not.
func (t timeline) taken(seq uint64) (from, to int64, ok bool) {
	i := t.find(seq)
	if i >= 0 {
		from = t[i].at
	}
	if i+1 < len(t) {
		return from, t[i+1].at, true
	}
	return from, 0, false
}
