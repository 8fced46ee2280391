package server

import (
	"io"

	"github.com/leveretmq/leveret/persistence"
)

// ErrNoBackup is what Backup says where nothing is on disk.
var ErrNoBackup = persistence.ErrNoBackup

// Backup writes a backup of all that is stored, as it is at one moment after the call: see
// persistence.Store. A server without a store has none.
func (s *Server) Backup(w io.Writer) error {
	if s.opts.Store == nil {
		return ErrNoBackup
	}
	return s.opts.Store.Backup(w)
}
