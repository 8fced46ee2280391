package main

import (
	"errors"
	"path/filepath"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/badger"
	"github.com/leveretmq/leveret/persistence/datadir"
	"github.com/leveretmq/leveret/persistence/diskguard"
	"github.com/rs/zerolog"
)

// storeName is the directory of the store in the data directory.
const storeName = "store"

// data is what the broker keeps on disk, each part within the one before. With
// --in-memory there is none of it.
type data struct {
	dir   *datadir.Dir
	disk  *diskguard.Guard
	store persistence.Store
}

// openDir takes the data directory.
func (d *data) openDir(c config) (err error) {
	if !c.inMemory {
		d.dir, err = datadir.Open(c.dataDir)
	}
	return err
}

// openStore looks at the disk and then opens the store in the data directory.
func (d *data) openStore(p process, c config, log *zerolog.Logger) (err error) {
	if d.dir == nil {
		return nil
	}
	d.disk, err = diskguard.Open(diskguard.Options{Dir: d.dir.Path(), Limit: c.diskFreeLimit, Log: log})
	if err != nil {
		return err
	}
	d.store, err = p.openStore(filepath.Join(d.dir.Path(), storeName), c, log)
	return err
}

// close gives up what is open, the store first. The error is that the store
// has failed at some time, or could not write what was left.
func (d *data) close() error {
	var failure error
	if d.store != nil {
		failure = d.store.Err()
		if err := d.store.Close(); failure == nil {
			failure = err
		}
	}
	if d.dir != nil {
		failure = errors.Join(failure, d.dir.Close())
	}
	return failure
}

// openBadger opens the store of a configuration.
func openBadger(dir string, c config, log *zerolog.Logger) (persistence.Store, error) {
	o := badger.Options{Log: log}
	switch c.sync {
	case syncInterval:
		o.Sync, o.Interval = badger.Interval, c.syncInterval
	case syncNever:
		o.Sync = badger.Never
	}
	s, err := badger.Open(dir, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}
