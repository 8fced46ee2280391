package vhost

import (
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// recoveredKeys are the windows of what is stored, by the ids of their owners, and
// what is left in the store for nothing.
type recoveredKeys struct {
	windows map[uint64]*dedup.Window
	useless []uint64
}

// own notes the window of an exchange or queue; it may be nil.
func (k *recoveredKeys) own(id uint64, w *dedup.Window) {
	if w == nil {
		return
	}
	if k.windows == nil {
		k.windows = map[uint64]*dedup.Window{}
	}
	k.windows[id] = w
}

// key gives a key to its window. That of an owner that was deleted is left over
// from a crash, or from a publish that was overtaken by the delete.
func (k *recoveredKeys) key(from persistence.Definition) error {
	var d dedup.Definition
	if err := d.Decode(from.Body); err != nil {
		return err
	}
	if w := k.windows[d.Owner]; w != nil {
		w.Recover(from.ID, d)
	} else {
		k.useless = append(k.useless, from.ID)
	}
	return nil
}

// finish ends the recovery of all windows, and has deleted what is useless.
func (k *recoveredKeys) finish(store persistence.Store) {
	for _, w := range k.windows {
		k.useless = append(k.useless, w.Recovered()...)
	}
	if len(k.useless) > 0 {
		d := dedup.Deletion{Store: store, IDs: k.useless}
		d.Done(nil, nil)
	}
}
