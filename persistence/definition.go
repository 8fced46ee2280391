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
	// KindDuplicate is a key that a deduplicating exchange or queue has seen.
	// It is replaced about as often as records are appended, there may be some
	// 100,000 per owner, and its bodies are small.
	KindDuplicate Kind = 9
)

// Owns reports whether what is defined may have places of records.
func (k Kind) Owns() bool { return k == KindQueue || k == KindExchange }

// Definition is something that was declared, as its room encodes it.
type Definition struct {
	Kind Kind
	// ID comes from NewID. That of a queue, or of an exchange, is its QueueID.
	ID uint64
	// Body is up to the room; it begins with a version byte. At most 1 MiB.
	// Once it is handed over it does not change.
	Body []byte
}

// Change makes a definition, replaces the one with its kind and id, or deletes
// it. The records of a deleted queue or exchange are not deleted with it: they
// are settled by who deletes it, in bounded steps, and what a crash leaves over
// is not recovered.
type Change struct {
	Definition
	Delete bool
}
