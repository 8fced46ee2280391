package queue

import (
	"io"

	"github.com/leveretmq/leveret/persistence"
)

func (s *fakeStore) Backup(io.Writer) error { return persistence.ErrNoBackup }
