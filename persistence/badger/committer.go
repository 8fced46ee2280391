package badger

import (
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// counts are what there should be in the database, and the last numbers that
// were used. They are written with each group.
type counts struct {
	nextChunk, chunks    uint64 // nextChunk and nextSettles were used last
	nextSettles, settles uint64
	definitions          uint64
	front                uint64 // groups so far: up to this one the database has all
	fronted              uint64 // the last of them that went by way of the front log
}

// setCounts writes the counts.
func (s *Store) setCounts(g *group) {
	s.counts.definitions = uint64(len(s.definitions))
	s.counts.front++
	if g.ops.inFront = s.front.takes(&g.ops); g.ops.inFront {
		s.counts.fronted = s.counts.front
	}
	key := key1(keyCounts)
	g.ops.set(key, s.counts.seal(key))
}

// seal is the counts as a value.
func (c *counts) seal(key []byte) []byte {
	return sealedNumbers(key, c.nextChunk, c.chunks, c.nextSettles, c.settles, c.definitions, c.front, c.fronted)
}

// read reads the counts; before format 3 there was no front log.
func (c *counts) read(key, value []byte) error {
	old := []*uint64{&c.nextChunk, &c.chunks, &c.nextSettles, &c.settles, &c.definitions}
	if unsealNumbers(key, value, append(old, &c.front, &c.fronted)...) == nil {
		return nil
	}
	c.front, c.fronted = 0, 0
	return unsealNumbers(key, value, old...)
}

// difference is a count that is not as it should be, and what that means.
type difference struct {
	of, text    string
	want, found uint64
}

// differences compares c, which is what should be, with what is.
func (c *counts) differences(found counts) (all []difference) {
	for _, d := range []struct {
		difference
		more string
	}{
		{difference{"chunks", "messages are missing", c.chunks, found.chunks}, "messages that were deleted may be delivered again"},
		{difference{"settles", "messages may be delivered again", c.settles, found.settles}, "settles that were deleted are still there"},
		{difference{"definitions", "definitions are missing", c.definitions, found.definitions}, "definitions that were deleted are still there"},
	} {
		if d.found > d.want {
			d.text = d.more
		}
		if d.found != d.want {
			all = append(all, d.difference)
		}
	}
	return all
}

// wakeCommitter has the committer look what there is to do.
func (s *Store) wakeCommitter() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// commitGroups writes groups until the store is closed or fails.
func (s *Store) commitGroups() {
	defer close(s.committed)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	g := &group{ops: operations{threshold: int(s.limits.valueThreshold)}}
	for {
		s.beginBackups()
		wait, stop := s.nextGroup(g)
		switch {
		case stop:
			if s.failureOf() == nil {
				s.drainOrFail()
			}
			return
		case wait == 0:
			s.writeGroup(g)
			g.reset()
			if s.front.wait() == 0 {
				s.drainOrFail()
			}
			continue
		}
		if until := s.front.wait(); until == 0 {
			s.drainOrFail()
			continue
		} else if until > 0 {
			wait = min(wait, until)
		}
		timer.Reset(wait)
		select {
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// nextGroup fills the next group and returns 0, or how long to wait before
// looking again.
func (s *Store) nextGroup(g *group) (wait time.Duration, stop bool) {
	cause := s.logger.failure()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.pending
	many := p.bytes >= int64(s.limits.settleBytes)
	switch {
	case s.failure != nil:
		return 0, true
	case cause != nil:
	case s.closing && p.batches.len() == 0:
		return 0, true
	case s.closing:
	case p.urgent(), many, s.busy(), s.lastID+idBlock/2 >= s.idLimit:
		wait = s.untilNext()
	case p.batches.len() > 0:
		wait = s.limits.settleDelay - time.Since(p.since)
	default:
		wait = time.Hour
	}
	if wait > 0 {
		return wait, false
	}
	p.take(g, &s.limits)
	s.writing = g.bytes
	return 0, false
}

// untilNext returns how long it is until the next group may be written: in the
// mode Interval that is not before the interval is over, unless the group is
// full.
func (s *Store) untilNext() time.Duration {
	if s.opts.Sync != Interval || s.pending.full(&s.limits) {
		return 0
	}
	return s.opts.Interval - time.Since(s.lastGroup)
}

// busy reports whether there is more to tidy up than a group could.
func (s *Store) busy() bool {
	return len(s.doomed) > 0 || len(s.spent) > 0 || len(s.candidates) > 0
}

// writeGroup writes a group, and tells those who wait.
func (s *Store) writeGroup(g *group) {
	err := s.logger.failure()
	if err == nil {
		err = s.build(g)
	}
	wrote := len(g.ops.list) > 0
	took := time.Duration(0)
	if err == nil && wrote {
		s.lastGroup = time.Now()
		if err = s.commit(&g.ops); err == nil {
			err = s.faulty("committed")
		}
		took = time.Since(s.lastGroup)
	}
	if err == nil && len(g.moves) > 0 && s.opts.Sync == Never {
		// What is moved may be old, and should be as safe as it was.
		err = syncAll(s.db, s.dir)
	}
	if err == nil {
		s.finish(g)
	} else {
		s.fail(err)
		err = s.failureOf()
	}
	s.mu.Lock()
	s.writing = 0
	if err == nil {
		s.stats.Records += uint64(len(g.records))
		s.stats.Elided += uint64(g.elided)
		if wrote {
			s.stats.Groups++
			s.stats.CommitTimes.Note(took.Seconds(), &persistence.CommitBounds)
			s.stats.GroupSizes.Note(float64(len(g.records)), &persistence.SizeBounds)
		}
	}
	s.room.Broadcast()
	s.mu.Unlock()
	s.numbers = tell(g.told, err, s.numbers)
}

// drainOrFail brings the database up to the front log.
func (s *Store) drainOrFail() {
	if err := s.drain(); err != nil {
		s.fail(err)
	}
}

// fail stops the store for good.
func (s *Store) fail(cause error) {
	s.mu.Lock()
	if s.failure != nil {
		s.mu.Unlock()
		return
	}
	s.failure = failed(cause)
	s.err = s.failure
	p := s.pending
	s.pending = pending{}
	s.room.Broadcast()
	close(s.failed)
	s.mu.Unlock()
	s.table.stop()
	s.opts.Log.Error().Err(cause).Msg("the store has failed: nothing more is written")
	refuse(p.appends.front(p.appends.len()), p.waits.front(p.waits.len()), s.failure)
}
