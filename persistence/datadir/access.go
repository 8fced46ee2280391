package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// probe creates a file, maps it into memory and removes it: permissions,
// read-only mounts and file systems that a store cannot work on all show
// themselves here instead of at the first message.
func probe(path string) error { return probeWith(path, mapFile) }

func probeWith(path string, mapFile func(*os.File) error) error {
	f, err := os.CreateTemp(path, markerTempName+"-*")
	if err != nil {
		return denied(path, "written", err)
	}
	defer os.Remove(f.Name()) // of another process's Open at the latest
	defer f.Close()
	if _, err = f.Write(make([]byte, os.Getpagesize())); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return denied(path, "written", err)
	}
	if err := mapFile(f); err != nil {
		return fmt.Errorf("data directory %s is %w, which the store needs: %w", path, ErrNoMapping, cause(err))
	}
	return nil
}

// isFull tells a full disk. A directory that is ours already can be opened on
// one: whoever guards the disk has to know what is to be given up.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// isLeftover tells the files that exist only while Open is at work.
func isLeftover(name string) bool { return strings.HasPrefix(name, markerTempName) }

func removeLeftovers(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isLeftover(e.Name()) {
			continue
		}
		// A second Open that is about to be refused may remove its own.
		if err := os.Remove(filepath.Join(path, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// denied is the sentence for a directory that cannot be read or written.
func denied(path, done string, err error) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("data directory %s is %w", path, ErrReadOnly)
	case errors.Is(err, fs.ErrPermission):
		if err := checkOwner(path, path); err != nil {
			return err
		}
	}
	return fmt.Errorf("data directory %s cannot be %s: %w", path, done, cause(err))
}

// checkOwner refuses if the file is not of the user who runs this process, be
// that root: what root writes, the owner of the rest could not read. The
// directory itself may be another's, as long as it can be written: the volumes
// of containers are.
func checkOwner(path, file string) error {
	uid, ok := owner(file)
	if !ok || uid == os.Geteuid() {
		return nil
	}
	return fmt.Errorf("data directory %s %w: %s, while this process runs as %s", path, ErrOwner, userName(uid), userName(os.Geteuid()))
}

// userName is the name and number of a user; the number alone if nobody has it.
func userName(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return fmt.Sprintf("uid %d", uid)
	}
	return fmt.Sprintf("%s (uid %d)", u.Username, uid)
}

// cause strips the operation and path that package os puts before an error,
// because our sentences name them already.
func cause(err error) error {
	var path *os.PathError
	var link *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &call):
		return call.Err
	}
	return err
}
