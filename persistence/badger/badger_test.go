package badger

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/storetest"
)

// modes are the sync modes by name.
var modes = []struct {
	name string
	sync Sync
}{{"Always", Always}, {"Interval", Interval}, {"Never", Never}}

func TestContract(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			if testing.Short() && mode.sync != Always {
				t.Skip("the others differ little: not in short mode")
			}
			storetest.Run(t, func(t *testing.T) storetest.Harness {
				return harness(t, Options{Sync: mode.sync, Interval: MinInterval})
			})
		})
	}
}

// tight has everything happen all the time that a store does only when there is
// much: chunks are cut, moved and reclaimed, transactions do not suffice.
var tight = limits{
	groupBytes: 16 << 10, groupRecords: 50, chunkBytes: 4 << 10, chunkPlaces: 20, ownChunk: 1 << 10, partBytes: 2 << 10,
	settleValue: 64, pending: 64 << 10, relocateMin: 1, relocateStep: 2 << 10, reclaim: 256 << 10, deletes: 3,
	txnValues: 64 << 10, txnSize: 6 << 10, txnCount: 40, valueLogFile: 4 << 20, indexCache: 100,
}

func TestContractInTightLimits(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		return harness(t, Options{Sync: Interval, Interval: MinInterval, limits: tight})
	})
}

// harness is a directory of the test.
func harness(t *testing.T, o Options) storetest.Harness {
	dir := t.TempDir()
	return storetest.Harness{
		Open: func() persistence.Store { return open(t, dir, o) },
		Fail: func(s persistence.Store, cause error) { fail(s.(*Store), "commit", cause) },
		Restore: func(backup io.Reader) (persistence.Store, error) {
			to := filepath.Join(t.TempDir(), "restored")
			if _, err := Restore(to, backup); err != nil {
				return nil, err
			}
			if r, err := Check(to); err != nil || r.Damages != nil {
				t.Errorf("Check says %v of what was restored, %v", r.Damages, err)
			}
			return Open(to, o)
		},
	}
}

// fail has a step fail from now on.
func fail(s *Store, step string, cause error) {
	f := func(at string) error {
		if at == step {
			return cause
		}
		return nil
	}
	s.fault.Store(&f)
}

// open opens the store, or ends the test.
func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
