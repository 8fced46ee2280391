package ctl

import (
	"io"
	"net/http"
	"path/filepath"
)

func backupVerbs() []verb {
	return []verb{
		{name: "backup", usage: `<file_path | "-">`, about: "Writes a backup of the running broker, for leveret store restore", least: 1, most: 1, run: backup},
	}
}

// backup copies the broker's stream. A stream that ends early is an error of the
// transfer, and leaves no file.
func backup(c *call) error {
	file := c.args[0]
	if dir := filepath.Dir(file); file != "-" && !isDir(dir) {
		return misused(exitData, "Bad argument: Directory %s does not exist", dir)
	}
	res, err := c.api.send(c.ctx, http.MethodGet, "/leveret/backup", nil, nil)
	if err != nil {
		return c.absent(err, "there is no backup")
	}
	defer res.Body.Close()
	bar := c.bar("backing up", -1, true)
	defer bar.end()
	var size int64
	transfer := func(w io.Writer) error {
		size, err = io.Copy(w, bar.reading(&sourced{r: res.Body}))
		bar.end()
		if source, ok := err.(*sourceError); ok {
			return failed(exitUnavailable, "the backup was cut off: %s", c.api.broken(c.ctx, source.cause))
		}
		if err != nil {
			return failed(exitCannot, "%s", fileError(err))
		}
		return nil
	}
	if file == "-" {
		return transfer(c.env.Stdout)
	}
	if err := saveFile(file, transfer); err != nil {
		return err
	}
	return c.message("Wrote %d bytes to %s", size, file)
}

// sourced marks the errors of what is read, so that they differ from those of what is
// written.
type sourced struct{ r io.Reader }

type sourceError struct{ cause error }

func (s *sourceError) Error() string { return s.cause.Error() }

func (s *sourced) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}
