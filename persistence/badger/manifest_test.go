package badger

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// A table that was compacted away may still be there after a kill, and what was
// newest in it, a deletion, in no other.
func TestCompactedTablesAreNoDamage(t *testing.T) {
	dir := t.TempDir()
	open := func(compact bool) *badger.DB {
		db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil).WithCompactL0OnClose(compact).WithCompression(options.None))
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	update := func(change func(txn *badger.Txn) error) {
		db := open(false)
		if err := db.Update(change); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil { // a table each time
			t.Fatal(err)
		}
	}
	update(func(txn *badger.Txn) error {
		return errors.Join(txn.Set([]byte("a"), []byte("1")), txn.Set([]byte("b"), []byte("1")))
	})
	update(func(txn *badger.Txn) error { return txn.Delete([]byte("b")) })
	before := tables(t, dir)
	if err := open(true).Close(); err != nil {
		t.Fatal(err)
	}
	after := tables(t, dir)
	stray := 0
	for name, data := range before {
		if _, ok := after[name]; ok {
			continue
		}
		stray++
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if stray == 0 {
		t.Fatalf("nothing was compacted away of %d tables", len(before))
	}
	if damages := verifyTables(dir); len(damages) > 0 {
		t.Errorf("%d tables that were compacted away are damage: %v", stray, damages)
	}
}

// tables returns the tables of a directory by the names of their files.
func tables(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = data
	}
	return all
}
