package badger

import (
	"encoding/binary"

	"github.com/dgraph-io/badger/v4"
)

// operation sets a key, or deletes it if value is nil.
type operation struct{ key, value []byte }

// operations are to be done in order and in one transaction, all or none.
type operations struct {
	list []operation
	// what they take in a transaction of Badger, as it counts, and in its value
	// log
	size, logged int
	threshold    int // from which on values go to the value log
	// ahead: some of the group is in the database already.
	ahead bool
	// inFront: it goes by way of the front log.
	inFront bool
}

func (o *operations) reset() {
	clear(o.list)
	o.list, o.size, o.logged, o.ahead = o.list[:0], 0, 0, false
	o.inFront = false
}

// set sets a key. Neither slice may change before the commit has ended.
func (o *operations) set(key, value []byte) {
	o.list = append(o.list, operation{key, value})
	size, logged := o.sizeOf(o.list[len(o.list)-1])
	o.size, o.logged = o.size+size, o.logged+logged
}

// delete deletes a key, which need not be there.
func (o *operations) delete(key []byte) {
	o.list = append(o.list, operation{key, nil})
	size, _ := o.sizeOf(o.list[len(o.list)-1])
	o.size += size
}

// takeMessages takes the values of chunks out and returns them.
func (o *operations) takeMessages() (messages []operation) {
	all := o.list
	*o = operations{threshold: o.threshold, ahead: true}
	for _, op := range all {
		if op.value != nil && op.key[0] == keyChunk {
			messages = append(messages, op)
			continue
		}
		o.list = append(o.list, op)
		size, logged := o.sizeOf(op)
		o.size, o.logged = o.size+size, o.logged+logged
	}
	return messages
}

// sizeOf returns what an operation takes in a transaction and in the value log.
func (o *operations) sizeOf(op operation) (size, logged int) {
	const head = 12 // metas, and a version at the end of the key
	if len(op.value) < o.threshold {
		return len(op.key) + len(op.value) + head, 0
	}
	return len(op.key) + 12 + head, len(op.key) + len(op.value) + 32
}

// encoded returns how long the operations are at most where they are written down.
func (o *operations) encoded() (n int) {
	const head = 2 * binary.MaxVarintLen32
	for _, op := range o.list {
		n += len(op.key) + len(op.value) + head
	}
	return n
}

func (op operation) apply(txn *badger.Txn) error {
	if op.value == nil {
		return txn.Delete(op.key)
	}
	return txn.Set(op.key, op.value)
}
