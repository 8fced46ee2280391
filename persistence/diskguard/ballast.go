package diskguard

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	ballastName = "ballast"
	ballastSize = 64 << 20
)

// ballast is a file that only takes up room.
type ballast struct{ path string }

func ballastIn(dir string) ballast { return ballast{filepath.Join(dir, ballastName)} }

// size is the room that it takes up; 0 if it is not there.
func (b ballast) size() int64 {
	info, err := os.Lstat(b.path)
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// make makes it anew. A crash may leave a shorter one, which counts for what it
// is.
func (b ballast) make() (err error) {
	if err := b.remove(); err != nil {
		return err
	}
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(allocate(f, ballastSize), f.Close())
	if err != nil {
		err = errors.Join(err, b.remove())
	}
	return err
}

// remove removes it, if it is there.
func (b ballast) remove() error {
	err := os.Remove(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// fill takes up size bytes by writing them; of a kind that no file system can
// store in less.
func fill(f *os.File, size int) error {
	block := make([]byte, 1<<20)
	noise := uint64(1)
	for written := 0; written < size; written += len(block) {
		for i := range block { // xorshift64
			noise ^= noise << 13
			noise ^= noise >> 7
			noise ^= noise << 17
			block[i] = byte(noise)
		}
		if _, err := f.Write(block[:min(len(block), size-written)]); err != nil {
			return err
		}
	}
	return nil
}
