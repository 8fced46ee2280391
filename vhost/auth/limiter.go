package auth

import (
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// failureCost is how long it takes until a failed login is forgotten.
	failureCost = time.Second
	// maxFailures is how many may be remembered of an address before the next
	// login from there is refused unseen.
	maxFailures = 10
	// failureDelay is by how much longer each failure that is remembered makes the
	// next one.
	failureDelay = 200 * time.Millisecond
	// maxAddresses bounds the memory; of more the one that is forgotten soonest goes.
	maxAddresses = 4096
)

// Limiter slows down who guesses passwords. What failed is remembered for each
// address: an IPv4 address, or an IPv6 network of 64 bits. Of ten failures, one is
// forgotten each second; who has more is refused without a look at the password. A
// failure is answered late, 200 ms for each that is remembered.
//
// From this machine only the delay holds: all who come by way of a proxy there would
// share the address, and one of them could shut out the others. The zero Limiter is
// ready; its methods may be called from any goroutine.
type Limiter struct {
	mu sync.Mutex
	// guarded by mu: when the last failure of an address is forgotten
	forgotten map[string]time.Time
}

// Allow returns an error if a login from an address is to be refused unseen, and how
// long that answer is to be held back.
func (l *Limiter) Allow(remote net.Addr) (time.Duration, error) {
	if IsLoopback(remote) {
		return 0, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := time.Until(l.forgotten[network(remote)]); left >= maxFailures*failureCost {
		return maxFailures * failureDelay, fmt.Errorf("more than %d failed logins from this address; the next is looked at in %s",
			maxFailures, (left - maxFailures*failureCost + failureCost).Round(time.Second))
	}
	return 0, nil
}

// Failed notes a failed login, and returns how long its answer is to be held back.
func (l *Limiter) Failed(remote net.Addr) time.Duration {
	now, from := time.Now(), network(remote)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.forgotten == nil {
		l.forgotten = map[string]time.Time{}
	}
	until, known := l.forgotten[from]
	if !known && len(l.forgotten) >= maxAddresses {
		l.makeRoomLocked(now)
	}
	if until.Before(now) {
		until = now
	}
	until = until.Add(failureCost)
	if most := now.Add((maxFailures + 1) * failureCost); until.After(most) {
		until = most // many at once
	}
	l.forgotten[from] = until
	return time.Duration(float64(until.Sub(now)) / float64(failureCost) * float64(failureDelay))
}

// makeRoomLocked forgets what may be forgotten, and one address at least.
func (l *Limiter) makeRoomLocked(now time.Time) {
	var (
		soonest string
		at      time.Time
	)
	for from, until := range l.forgotten {
		if until.Before(now) {
			delete(l.forgotten, from)
		} else if soonest == "" || until.Before(at) {
			soonest, at = from, until
		}
	}
	if len(l.forgotten) >= maxAddresses {
		delete(l.forgotten, soonest)
	}
}

// network is what logins are counted by. All that has no IP is one.
func network(a net.Addr) string {
	ip := addressOf(a)
	if v4 := ip.To4(); v4 != nil {
		return string(v4)
	}
	if len(ip) == net.IPv6len {
		return string(ip[:8])
	}
	return ""
}
