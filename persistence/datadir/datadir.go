package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What Open refuses. Each is wrapped in a sentence that names the directory
// and may be shown to a user as it is.
var (
	// ErrInUse: another Dir, in this or another process, holds the lock.
	ErrInUse = errors.New("in use by another process")
	// ErrForeign: the directory holds files but no marker.
	ErrForeign = errors.New("not a Leveret data directory")
	// ErrNewer: the marker has a format above Format.
	ErrNewer = errors.New("it was written by a newer version of Leveret")
	// ErrNoMapping: files there cannot be mapped into memory, as a store does.
	ErrNoMapping = errors.New("on a file system that cannot map files into memory")
	// ErrOwner: the data, or the directory that denies access, is another
	// user's.
	ErrOwner = errors.New("belongs to another user")
	// ErrReadOnly: nothing can be written there.
	ErrReadOnly = errors.New("on a read-only file system")
	// ErrDamaged: the marker is there and cannot be understood.
	ErrDamaged = errors.New("the marker " + markerName + " is damaged")
)

const (
	lockName = "LOCK"
	dirMode  = 0o700
	fileMode = 0o600
)

// Dir is a data directory that this process holds the lock of.
type Dir struct {
	// immutable
	path   string
	marker marker

	lock *os.File // nil once closed
}

// Open takes the directory into possession, creating it (mode 0700) with its
// marker if it is absent or empty. It refuses what is not a directory, cannot
// be written (ErrReadOnly, ErrOwner) or mapped (ErrNoMapping), is in use
// (ErrInUse), is not ours (ErrForeign), was made by another user (ErrOwner), or
// has a marker that is too new (ErrNewer) or unreadable (ErrDamaged); nothing in
// a refused directory is changed. path may be relative; it must not be empty.
func Open(path string) (*Dir, error) { return openDir(path, true) }

// OpenExisting is Open for a directory that is a broker's already: one that is
// absent or empty is refused, not created.
func OpenExisting(path string) (*Dir, error) { return openDir(path, false) }

func openDir(path string, create bool) (d *Dir, err error) {
	if path == "" {
		return nil, errors.New("the path of the data directory is empty")
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", path, cause(err))
	}
	created, err := makeDir(path, create)
	if err != nil {
		return nil, err
	}
	if created {
		defer func() {
			if err != nil {
				os.Remove(path) // only if it is empty still
			}
		}()
	}
	// Looked at twice: before the lock so that a directory that is refused does
	// not even get a LOCK file, and under the lock because only then does it
	// count.
	_, found, err := inspect(path)
	if err != nil {
		return nil, err
	}
	if !found && !create {
		return nil, fmt.Errorf("%s is %w: it holds no %s", path, ErrForeign, markerName)
	}
	if !found {
		if err := probe(path); err != nil {
			return nil, err
		}
	}
	return take(path)
}

// take locks the directory and makes it ours.
func take(path string) (*Dir, error) {
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	m, err := settle(path)
	if err == nil {
		err = sign(lock, path)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Dir{path: path, marker: m, lock: lock}, nil
}

// Path returns the absolute path of the directory.
func (d *Dir) Path() string { return d.path }

// NodeID names the broker whose data this is: 32 hexadecimal digits, drawn
// when the directory was created and never changed.
func (d *Dir) NodeID() string { return d.marker.NodeID }

// CreatedAt is when the directory was created, in UTC.
func (d *Dir) CreatedAt() time.Time { return d.marker.CreatedAt }

// Close gives the directory up. Calls after the first do nothing.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	// The file stays: removing it would let a third process lock a new one
	// while a second waits for the old.
	err := errors.Join(d.lock.Truncate(0), d.lock.Close())
	d.lock = nil
	if err != nil {
		return fmt.Errorf("data directory %s: %w", d.path, cause(err))
	}
	return nil
}

// makeDir creates the directory if nothing is there and create allows it.
func makeDir(path string, create bool) (created bool, err error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return false, fmt.Errorf("data directory %s is not a directory", path)
	case err == nil:
		return false, nil
	case !errors.Is(err, os.ErrNotExist):
		return false, fmt.Errorf("data directory %s cannot be opened: %w", path, cause(err))
	case !create:
		return false, fmt.Errorf("data directory %s does not exist", path)
	}
	if err := os.MkdirAll(path, dirMode); err != nil {
		return false, fmt.Errorf("data directory %s cannot be created: %w", path, cause(err))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return true, fmt.Errorf("data directory %s cannot be created: %w", path, cause(err))
	}
	return true, nil
}

// inspect returns the marker of the directory, or found false if it is ours to
// create. It changes nothing.
func inspect(path string) (m marker, found bool, err error) {
	m, found, err = readMarker(path)
	if found || err != nil {
		return m, found, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return marker{}, false, denied(path, "read", err)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == lockName, isLeftover(name):
			// An earlier creation did not get further than this.
		case name == "lost+found":
			// The root of a volume of its own is as good as empty.
		default:
			return marker{}, false, fmt.Errorf("%s is %w: it holds %q but no %s", path, ErrForeign, name, markerName)
		}
	}
	return marker{}, false, nil
}

// settle does what is left once the lock is held: it reads the marker, or
// writes the first one, and makes sure that the directory can be used.
func settle(path string) (marker, error) {
	m, found, err := inspect(path)
	if err != nil {
		return marker{}, err
	}
	if err := removeLeftovers(path); err != nil {
		return marker{}, denied(path, "written", err)
	}
	if found {
		if err := probe(path); err != nil && !isFull(err) {
			return marker{}, err
		}
		return m, nil
	}
	m = newMarker(time.Now())
	if err := writeMarker(path, m); err != nil {
		return marker{}, denied(path, "written", err)
	}
	return m, nil
}

// lockDir takes the lock.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE|noFollow, fileMode)
	if err != nil {
		return nil, denied(path, "written", err)
	}
	locked, err := tryLock(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("data directory %s cannot be locked: %w", path, cause(err))
	}
	if !locked {
		defer f.Close()
		return nil, fmt.Errorf("data directory %s is %w%s", path, ErrInUse, holder(f))
	}
	return f, nil
}

// sign leaves the id of this process in the lock file, for the error of
// whoever comes second. On a full disk it does without.
func sign(lock *os.File, path string) error {
	err := lock.Truncate(0)
	if err == nil {
		_, err = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil && !isFull(err) {
		return denied(path, "written", err)
	}
	return nil
}

// holder returns " (NAME, pid N)" for the process that a LOCK file names, or
// nothing when it names none.
func holder(f *os.File) string {
	var buf [32]byte
	n, _ := f.ReadAt(buf[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid <= 0 {
		return ""
	}
	// Where there is no /proc, the number must do.
	name, _ := readSmallFile(fmt.Sprintf("/proc/%d/comm", pid))
	if name := strings.TrimSpace(string(name)); name != "" {
		return fmt.Sprintf(" (%s, pid %d)", name, pid)
	}
	return fmt.Sprintf(" (pid %d)", pid)
}
