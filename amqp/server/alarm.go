package server

import "sync"

// alarm is the broker-wide order to publishers to wait.
type alarm struct {
	mu      sync.Mutex
	reason  string
	cleared chan struct{} // closed when reason becomes empty
}

func (a *alarm) set(reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case reason != "" && a.reason == "":
		a.cleared = make(chan struct{})
	case reason == "" && a.reason != "":
		close(a.cleared)
	}
	a.reason = reason
}

// raised returns why publishers must wait and what to wait for; "" if they
// need not.
func (a *alarm) raised() (reason string, cleared <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reason, a.cleared
}
