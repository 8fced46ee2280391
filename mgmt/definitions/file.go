package definitions

import (
	"crypto/sha256"
	"slices"
)

// File is what a file of definitions says, or what an export is to say. It does
// not change; its methods may be called from any goroutine.
type File struct {
	about About
	// one is whether the file is that of one vhost, and named then the vhost, if
	// the file is to go there or is from there.
	one   bool
	named string
	lists
	lenient bool // as ParseOptions.SkipUnsupported
	skipped []string
	sum     [sha256.Size]byte // of what was parsed
}

// About is what an export says about where it is from.
type About struct {
	// Product and Version are those of the program.
	Product, Version string
	// RabbitMQ is the version of RabbitMQ whose form the file has; who imports it
	// there goes by it.
	RabbitMQ string
	// Cluster is the name of the broker.
	Cluster string
}

// lists are the entries of a file by kind.
type lists struct {
	users       []user
	rooms       []room
	permissions []permission
	topics      []topicPermission
	parameters  []parameter
	globals     []globalParameter
	policies    []rule
	exchanges   []exchangeItem
	queues      []queueItem
	bindings    []bindingItem
}

// Warnings says what was left out because the broker has not such things, each
// entry in a sentence.
func (f *File) Warnings() []string { return slices.Clone(f.skipped) }

// For returns the file as one that is about a vhost alone: what it says of
// exchanges, queues, bindings, policies and parameters goes there, in whatever
// vhost it was, and all else is left out.
func (f *File) For(vhost string) *File {
	to := *f
	to.one, to.named = true, vhost
	to.lists = lists{
		parameters: slices.Clone(f.parameters), policies: slices.Clone(f.policies), exchanges: slices.Clone(f.exchanges),
		queues: slices.Clone(f.queues), bindings: slices.Clone(f.bindings),
	}
	for i := range to.parameters {
		to.parameters[i].in = vhost
	}
	for i := range to.policies {
		to.policies[i].in = vhost
	}
	for i := range to.exchanges {
		to.exchanges[i].in = vhost
	}
	for i := range to.queues {
		to.queues[i].in = vhost
	}
	for i := range to.bindings {
		to.bindings[i].in = vhost
	}
	return &to
}
