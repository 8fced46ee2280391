package memory_test

import (
	"testing"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/persistence/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness {
		s := memory.New()
		return storetest.Harness{
			Open: func() persistence.Store {
				s = s.Reopen()
				return s
			},
			Fail: func(_ persistence.Store, cause error) { s.Fail(cause) },
		}
	})
}
