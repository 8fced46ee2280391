package memory

import (
	"io"

	"github.com/leveretmq/leveret/persistence"
)

// Backup implements persistence.Store: it refuses.
func (s *Store) Backup(io.Writer) error { return persistence.ErrNoBackup }
