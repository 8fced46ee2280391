package mgmt

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
)

var backupEndpoints = []endpoint{
	{http.MethodGet, "/api/leveret/backup", administrator, (*API).backup},
}

// patience is how long a client may take to read what is written next.
const patience = time.Minute

// patiently gives the client its time from now on, whatever has passed since it asked.
func patiently(w http.ResponseWriter) {
	// A server without deadlines has none to set.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience))
}

var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9._@-]`)

// backup streams a backup. What goes wrong in the middle of it cuts the connection.
func (a *API) backup(w http.ResponseWriter, r *request) error {
	if !a.backups.TryLock() {
		return conflict("a backup is under way")
	}
	defer a.backups.Unlock()
	out := &backupResponse{w: w}
	out.name = "leveret-" + unsafeInName.ReplaceAllString(a.opts.NodeName, "_") + "-" + time.Now().UTC().Format("20060102T150405Z") + ".backup"
	if r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	started := time.Now()
	err := a.broker.Backup(out)
	switch {
	case errors.Is(err, server.ErrNoBackup):
		return &refusal{http.StatusNotImplemented, "not_supported", err.Error()}
	case err != nil && !out.begun:
		return err
	case err != nil:
		a.log.Error().Err(err).Int64("bytes", out.written).Msg("backup ended early")
		panic(http.ErrAbortHandler)
	}
	a.log.Info().Str("user", r.user.Name).Int64("bytes", out.written).Dur("took", time.Since(started)).Msg("backup written")
	return nil
}

// backupResponse is a response that begins with the first write, and has a deadline for
// each.
type backupResponse struct {
	w       http.ResponseWriter
	name    string
	begun   bool
	written int64
}

var _ io.Writer = (*backupResponse)(nil)

func (b *backupResponse) begin() {
	b.begun = true
	h := b.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+b.name+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	b.w.WriteHeader(http.StatusOK)
}

func (b *backupResponse) Write(p []byte) (int, error) {
	if !b.begun {
		b.begin()
	}
	patiently(b.w)
	n, err := b.w.Write(p)
	b.written += int64(n)
	return n, err
}
