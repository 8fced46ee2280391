// Package vhost is the namespace: which exchanges, queues and bindings there
// are, and the way of a message from a publish to its queues, and from a queue
// that gave it up to the dead-letter exchange. It knows no sockets.
//
// One RWMutex guards the topology of a VHost; all that changes it is in
// topology.go. Each change takes a new topology version, which makes the route
// caches of all Routers stale; a publish whose cache is fresh takes no lock of
// the vhost at all. What is durable of a change is handed to the store under the
// lock, so in order, and waited for after it (definitions.go).
//
// Lock order: registry, vhost, queue, session. Under the vhost's lock a queue
// may be closed, but nothing is published and nobody is told: that is left in
// queue.Effects, for the caller to carry out with Apply when it holds no lock.
package vhost
