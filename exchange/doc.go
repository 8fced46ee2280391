// Package exchange is exchange types as routing and nothing else: a message in,
// the set of its queues out, and of the exchanges that hold it until it is due. It
// follows exchange-to-exchange bindings, alternate exchanges and the extra keys of
// CC and BCC; who may declare or bind what, and what happens to the message then,
// is the vhost's business.
//
// Exchanges have no lock. All that changes one (Bind, Unbind, RemoveDestination,
// SetPolicyAlternate) happens under the write lock of whoever owns the topology,
// and Route under its read lock: it goes through the bindings of several
// exchanges, which must stand still together. Any number of goroutines may
// route at once, each with a Result of its own; what routing changes in an exchange,
// its history, has a leaf lock.
package exchange
