package persistence

// Kind is what a definition defines. The numbers are on disk.
type Kind uint8

// The kinds of definitions.
const (
	KindVHost    Kind = 1
	KindExchange Kind = 2
	KindQueue    Kind = 3
	KindBinding  Kind = 4
	KindUser     Kind = 5
	// KindPermission is what a user may do in a vhost.
	KindPermission Kind = 6
	KindPolicy     Kind = 7
	KindParameter  Kind = 8
)

// Definition is something that was declared, as its room encodes it.
type Definition struct {
	Kind Kind
	// ID comes from NewID. That of a queue is its QueueID.
	ID uint64
	// Body is up to the room; it begins with a version byte. At most 1 MiB.
	Body []byte
}

// Change makes a definition, replaces the one with its kind and id, or deletes
// it. The records of a deleted queue are not deleted with it: they are settled
// by who deletes it, in bounded steps, and what a crash leaves over is not
// recovered.
type Change struct {
	Definition
	Delete bool
}
