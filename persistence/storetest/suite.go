package storetest

import (
	"io"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

// Harness is the data of one test and how to open a store on it.
type Harness struct {
	// Open opens the store. The first time there is nothing in it; later it
	// has what the store before, which the suite has closed, left behind. It
	// fails the test if that does not work.
	Open func() persistence.Store
	// Fail makes the disk under an open store fail from now on. It is nil if
	// that cannot be arranged; what needs it is then skipped.
	Fail func(s persistence.Store, cause error)
	// Restore opens another store with what Backup has written. It is nil if the store
	// has no backups.
	Restore func(backup io.Reader) (persistence.Store, error)
}

// Run runs the suite; fresh gives each test new, empty data. The tests run in
// parallel. Short mode leaves out what takes long on a disk.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	for _, list := range [][]test{
		definitionTests, recordTests, elisionTests, settleTests, returnTests, dueTests, ownerTests, duplicateTests, waiterTests, readTests, largeTests, closingTests,
		concurrentTests, backupTests, modelTests,
	} {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel() // they wait for the disk most of the time
				b := &bed{T: t, h: fresh(t)}
				b.s = b.h.Open()
				t.Cleanup(func() {
					if b.s != nil {
						_ = b.s.Close() // the test has failed, or has closed it itself
					}
				})
				c.run(b)
				b.close()
			})
		}
	}
}

// test is one of the suite.
type test struct {
	name string
	run  func(*bed)
}
