package crashtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// image is an ext4 file system in a file, mounted on a loop device.
type image struct {
	t       *testing.T
	file    string
	dir     string // where it is mounted
	mounted bool
}

// newImage makes one of some MiB. It skips the test where that is not possible.
func newImage(t *testing.T, mib int) *image {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system of its own")
	}
	base := roomyDir(t)
	v := &image{t: t, file: filepath.Join(base, "image"), dir: filepath.Join(base, "mounted")}
	must(t, os.Mkdir(v.dir, 0o700), "make the mount point")
	must(t, os.WriteFile(v.file, nil, 0o600), "make the image")
	must(t, os.Truncate(v.file, int64(mib)<<20), "make the image")
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", v.file).CombinedOutput(); err != nil {
		t.Skipf("no ext4 can be made here: %v\n%s", err, out)
	}
	if err := v.mount(); err != nil {
		t.Skip("no image can be mounted here:", err)
	}
	t.Cleanup(func() {
		if v.mounted {
			v.unmount()
		}
	})
	return v
}

func (v *image) mount() error {
	out, err := exec.Command("mount", "-o", "loop", v.file, v.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	v.mounted = true
	return nil
}

// unmount tries for a while: the kernel may hold on to a mapping a little
// longer than to its process.
func (v *image) unmount() {
	v.t.Helper()
	var out []byte
	gone := eventually(10*time.Second, func() bool {
		var err error
		out, err = exec.Command("umount", v.dir).CombinedOutput()
		return err == nil
	})
	if !gone {
		exec.Command("umount", "-l", v.dir).Run()
		v.t.Errorf("umount: %s", out)
	}
	v.mounted = false
}

// shutDown stops the file system as a power cut would: what is not on the disk
// by now will never be, the log of the file system included.
func (v *image) shutDown() {
	v.t.Helper()
	const (
		ioctlShutdown = 0x8004587d // FS_IOC_SHUTDOWN: _IOR('X', 125, __u32)
		noLogFlush    = 2          // FS_SHUTDOWN_FLAGS_NOLOGFLUSH
	)
	f, err := os.Open(v.dir)
	must(v.t, err, "open the mount point")
	defer f.Close()
	flags := uint32(noLogFlush)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), ioctlShutdown, uintptr(unsafe.Pointer(&flags)))
	if errors.Is(errno, syscall.ENOTTY) || errors.Is(errno, syscall.EOPNOTSUPP) {
		v.t.Skip("this kernel cannot shut an ext4 down:", errno)
	}
	if errno != 0 {
		v.t.Fatal("shut the file system down:", errno)
	}
}

// fill makes a file of so many bytes of the disk.
func (v *image) fill(name string, size int64) {
	v.t.Helper()
	f, err := os.Create(filepath.Join(v.dir, name))
	must(v.t, err, "create a file")
	defer f.Close()
	must(v.t, syscall.Fallocate(int(f.Fd()), 0, 0, size), "fill the disk")
}

func (v *image) remove(name string) {
	v.t.Helper()
	must(v.t, os.Remove(filepath.Join(v.dir, name)), "make room")
}

// free is what is left, in bytes.
func (v *image) free() int64 {
	v.t.Helper()
	var s syscall.Statfs_t
	must(v.t, syscall.Statfs(v.dir, &s), "statfs")
	return int64(s.Bavail) * s.Bsize
}
