package rates

import (
	"sync"
	"time"
)

// Retention is how long Long keeps samples, in seconds: those of RabbitMQ's policy
// global.
var Retention = []int{600, 3600, 28800, 86400}

// steps are how far apart samples are that are kept for as long as Retention says.
var steps = []time.Duration{Step, time.Minute, 10 * time.Minute, 30 * time.Minute}

// Long keeps the samples of one object for a day: the older, the fewer. Its methods
// may be called from any goroutine. Use NewLong.
type Long struct {
	mu     sync.RWMutex
	levels []*ring // guarded by mu
}

// NewLong returns a Long without samples, of so many numbers each.
func NewLong(columns int) *Long {
	l := &Long{}
	for i, step := range steps {
		keep := int(time.Duration(Retention[i])*time.Second/step) + 2
		l.levels = append(l.levels, &ring{columns: columns, keep: keep})
	}
	return l
}

// Sample takes a sample.
func (l *Long) Sample(now time.Time, numbers []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, level := range l.levels {
		n := len(level.times)
		if n == 0 || i == 0 || now.Truncate(steps[i]).After(level.times[n-1]) {
			level.add(now, numbers)
		}
	}
}

// Rates is as that of Group.
func (l *Long) Rates() []float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.levels[0].rates()
}

// Past returns the samples of at least age, as far as there are any, up to the last
// one.
func (l *Long) Past(age time.Duration) Past {
	l.mu.RLock()
	defer l.mu.RUnlock()
	recent := l.levels[0]
	if len(recent.times) == 0 {
		return Past{columns: recent.columns}
	}
	at := 0
	for at < len(l.levels)-1 && age > time.Duration(Retention[at])*time.Second {
		at++
	}
	past := l.levels[at].past()
	if at > 0 {
		past.now = recent.times[len(recent.times)-1]
		past.times = append(past.times, past.now)
		past.numbers = append(past.numbers, recent.numbers[len(recent.numbers)-recent.columns:]...)
	}
	return past
}
