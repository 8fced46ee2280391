package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// fillName is the directory in which content is made before it is moved to where it
// belongs.
const fillName = "restoring"

// Fill makes a data directory with content: fill is given an empty directory, and what it
// makes there is in path when Fill returns. path must be absent or as good as empty. As
// long as not all is done it has no marker, so that Open refuses it; after an error nothing
// is left of what was made.
func Fill(path string, fill func(dir string) error) (err error) {
	if path == "" {
		return errors.New("the path of the data directory is empty")
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("data directory %s: %w", path, cause(err))
	}
	created, err := makeDir(path, true)
	if err != nil {
		return err
	}
	made := filepath.Join(path, fillName)
	defer func() {
		if created && err != nil {
			os.Remove(path) // only if it is empty
		}
	}()
	if err := vacant(path); err != nil {
		return err
	}
	// Of two who come at once only one makes it.
	if err := os.Mkdir(made, dirMode); err != nil {
		return denied(path, "written", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	if err := fillAndSign(path, made, fill); err != nil {
		return err
	}
	return syncDir(path)
}

// vacant refuses what holds data, or what an earlier Fill has left that was killed.
func vacant(path string) error {
	if _, err := os.Stat(filepath.Join(path, fillName)); err == nil {
		return fmt.Errorf("%s holds %q, which is what is left of a restore that was stopped: delete it first", path, fillName)
	}
	_, found, err := inspect(path)
	if found {
		return fmt.Errorf("%s holds the data of a broker already", path)
	}
	return err
}

// fillAndSign makes a whole data directory within made, and moves it to path, the marker
// last.
func fillAndSign(path, made string, fill func(dir string) error) error {
	d, err := Open(made)
	if err != nil {
		return err
	}
	err = fill(filepath.Join(made, "content"))
	if closed := d.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return move(path, made)
}

// move moves what was made to where it belongs.
func move(path, made string) (err error) {
	content := filepath.Join(made, "content")
	entries, err := os.ReadDir(content)
	if err != nil {
		return err
	}
	var moved []string
	defer func() {
		if err != nil {
			for _, to := range moved {
				err = errors.Join(err, os.RemoveAll(to))
			}
		}
	}()
	for _, e := range entries {
		to := filepath.Join(path, e.Name())
		if err := os.Rename(filepath.Join(content, e.Name()), to); err != nil {
			return denied(path, "written", err)
		}
		moved = append(moved, to)
	}
	if err := syncDir(path); err != nil {
		return err
	}
	return os.Rename(filepath.Join(made, markerName), filepath.Join(path, markerName))
}
