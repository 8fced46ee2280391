package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	sst "github.com/dgraph-io/badger/v4/table"
)

// verifyTables reads the tables that the manifest names, and looks at what else
// there is. Badger would panic with some tables that are cut short, and leave
// others out. Tables that the manifest does not name it deletes, and is right to
// if they were being written, or deleted, when the process ended: then what is in
// them is in a log or in other tables too. If it is not, the manifest has lost its
// end. Tables are numbered in the order in which they are made, so what is older
// than one that is named has been compacted away.
func verifyTables(dir string) (damages []error) {
	named, err := namedTables(dir)
	if err != nil {
		return []error{err}
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		return []error{err}
	}
	var newest uint64 // version in tables that are named
	var last uint64   // number of the newest of them
	for id := range named {
		last = max(last, id)
	}
	stray := make(map[string]uint64)
	for _, path := range paths {
		version, err := verifyTable(path)
		id, _ := sst.ParseFileID(path)
		switch _, ok := named[id]; {
		case ok && err != nil:
			damages = append(damages, err)
		case ok:
			newest = max(newest, version)
		case err == nil && id > last:
			stray[filepath.Base(path)] = version
		}
	}
	first, err := firstVersionInLogs(dir)
	if err != nil {
		return append(damages, err)
	}
	for name, version := range stray {
		if version > newest && version < first {
			damages = append(damages, fmt.Errorf("%s does not name %s", badger.ManifestFilename, name))
		}
	}
	return damages
}

// namedTables returns the tables that the manifest names.
func namedTables(dir string) (map[uint64]badger.TableManifest, error) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the file %s is missing", badger.ManifestFilename)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil, fmt.Errorf("%s: %s", badger.ManifestFilename, firstLine(err))
	}
	return m.Tables, nil
}

// verifyTable reads a table with all its checksums, and returns the newest
// version in it.
func verifyTable(path string) (version uint64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s cannot be read as a table", filepath.Base(path))
		}
	}()
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	id, ok := sst.ParseFileID(path)
	if !ok {
		return 0, fmt.Errorf("%s is not the name of a table", filepath.Base(path))
	}
	t, err := sst.OpenInMemoryTable(data, id, &sst.Options{ChkMode: options.NoVerification, Compression: options.None})
	if err == nil {
		err = t.VerifyChecksum()
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %s", filepath.Base(path), firstLine(err))
	}
	return t.MaxVersion(), nil
}

// firstVersionInLogs returns the version of the first entry in the logs of
// memtables.
func firstVersionInLogs(dir string) (uint64, error) {
	first := uint64(math.MaxUint64)
	logs, err := memLogs(dir)
	if err != nil {
		return 0, err
	}
	for _, n := range logs {
		v, err := firstVersion(memPath(dir, n))
		if err != nil {
			return 0, err
		}
		first = min(first, v)
	}
	return first, nil
}

// firstVersion returns the version of the first entry in a log.
func firstVersion(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data := make([]byte, 128)
	n, err := f.Read(data)
	if err != nil {
		return 0, err
	}
	key := entryKey(data[:n])
	if len(key) < 8 {
		return math.MaxUint64, nil
	}
	return math.MaxUint64 - binary.BigEndian.Uint64(key[len(key)-8:]), nil
}

// entryKey returns the key of the first entry of a log, if it is short.
func entryKey(data []byte) []byte {
	const flags, numbers = 2, 3
	if len(data) < logHeader+flags {
		return nil
	}
	d := decoder{p: data[logHeader+flags:]}
	length := d.uvarint()
	for range numbers - 1 {
		d.uvarint()
	}
	if d.bad || length > uint64(len(d.p)) {
		return nil
	}
	return d.p[:length]
}
