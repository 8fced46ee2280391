package queue

import "time"

// loadRetry is how long the loader leaves a queue alone whose messages could
// not be read.
const loadRetry = time.Second

// loadAlways is the loader.
func (p *Pager) loadAlways() {
	var failed []*Queue
	var since time.Time // of the first of them
	for {
		pause := time.Duration(0)
		if len(failed) > 0 {
			pause = max(loadRetry-time.Since(since), 1)
		}
		if !p.rest(p.loads, pause) {
			return
		}
		work := p.asked()
		if time.Since(since) >= loadRetry {
			work, failed = append(work, failed...), nil
		}
		for _, q := range work {
			if p.closes() {
				return
			}
			if err := q.serve(); err != nil {
				if len(failed) == 0 {
					since = time.Now()
				}
				failed = append(failed, q)
			}
		}
	}
}

// asked takes the queues that have asked.
func (p *Pager) asked() []*Queue {
	p.mu.Lock()
	defer p.mu.Unlock()
	work := p.asking
	p.asking = nil
	return work
}
