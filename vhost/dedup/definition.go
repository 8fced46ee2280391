package dedup

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/leveretmq/leveret/persistence"
)

// Definition is a key as it is in the store: a definition of KindDuplicate.
type Definition struct {
	// Owner is the id of the exchange's or queue's definition.
	Owner uint64
	// Order counts the keys of the owner.
	Order uint64
	// Expires is when the key is forgotten, in Unix nanoseconds; 0: never.
	Expires int64
	Key     Key
}

// Encode returns the definition's body: a version byte, owner, order and expiry
// as varints, and the key.
func (d *Definition) Encode() []byte {
	b := make([]byte, 1, 1+3*binary.MaxVarintLen64+len(d.Key))
	b[0] = persistence.BodyVersion
	b = binary.AppendUvarint(b, d.Owner)
	b = binary.AppendUvarint(b, d.Order)
	b = binary.AppendVarint(b, d.Expires)
	return append(b, d.Key[:]...)
}

// Decode reads what Encode wrote.
func (d *Definition) Decode(body []byte) error {
	r := persistence.OpenBody(body)
	d.Owner, d.Order, d.Expires = r.Uvarint(), r.Uvarint(), r.Varint()
	copy(d.Key[:], r.Bytes(uint64(len(d.Key))))
	return r.End()
}

// Recover gives a window a key that was found at start, in any order, before
// anybody else has the window. Recovered must follow.
func (w *Window) Recover(id uint64, d Definition) {
	w.slots = append(w.slots, slot{key: d.Key, id: id, order: d.Order, expires: d.Expires})
}

// Recovered ends the recovery. It returns the definitions of keys that are out of
// the window, to be deleted.
func (w *Window) Recovered() (out []uint64) {
	slices.SortFunc(w.slots, func(a, b slot) int { return cmp.Compare(a.order, b.order) })
	all := w.slots
	if n := len(all); n > 0 {
		w.order = all[n-1].order
	}
	first := 0
	for first < len(all) && (w.order-all[first].order >= uint64(w.size) || len(all)-first > w.size) {
		out = append(out, all[first].id)
		first++
	}
	w.slots = slices.Clip(slices.Clone(all[first:]))
	for i := range w.slots {
		w.index[w.slots[i].key] = uint32(i)
	}
	return out
}

// deleteStep is how many definitions are deleted in one batch.
const deleteStep = 4096

// Deletion deletes the definitions of keys, in steps of some thousand, each when
// the one before is stored. It begins when it is Done: as the waiter of the batch
// that deletes the owner, or at once. What a crash leaves over, the next start
// finds without an owner.
type Deletion struct {
	Store persistence.Store
	IDs   []uint64
}

// Done implements persistence.Waiter: the step before is stored. After a failure
// there is no other.
func (d *Deletion) Done(_ []uint64, err error) {
	if err != nil || len(d.IDs) == 0 {
		return
	}
	step := d.IDs[:min(len(d.IDs), deleteStep)]
	d.IDs = d.IDs[len(step):]
	var b persistence.Batch
	for _, id := range step {
		b.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindDuplicate, ID: id}, Delete: true})
	}
	b.Wait(d, 0)
	d.Store.Write(&b)
}
