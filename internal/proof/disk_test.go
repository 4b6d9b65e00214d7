package proof

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// smallDisk is a disk of a test's own, to be filled. As root it is a file system in memory. Nobody else may mount one: then it is
// a folder, and what is filled is the size to which files of one process may grow.
type smallDisk struct {
	t       *testing.T
	path    string
	mounted bool
}

// newSmallDisk makes a disk of so many bytes, open to everybody; it is gone after the test.
func newSmallDisk(t *testing.T, bytes int) *smallDisk {
	t.Helper()
	d := &smallDisk{t: t, path: t.TempDir()}
	if err := syscall.Mount("tmpfs", d.path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=1777", bytes)); err != nil {
		t.Logf("no disk could be mounted (%v): files are kept from growing instead", err)
		return d
	}
	d.mounted = true
	t.Cleanup(func() {
		if err := syscall.Unmount(d.path, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", d.path, err)
		}
	})
	return d
}

// way names what is filled, for the line of results.
func (d *smallDisk) way() string {
	if d.mounted {
		return "tmpfs"
	}
	return "RLIMIT_FSIZE"
}

// fill leaves no byte for anybody; grown is the file that the process p is kept from letting grow where there is no disk to fill.
func (d *smallDisk) fill(p *process, grown string) error {
	if !d.mounted {
		at, err := os.Stat(grown)
		if err != nil {
			return err
		}
		return limitFiles(p.cmd.Process.Pid, uint64(at.Size()))
	}
	ballast, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for size := 1 << 20; size > 0; {
		if _, err = ballast.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(fmt.Errorf("filling %s: %w", d.path, err), ballast.Close())
	}
	return ballast.Close()
}

// clear gives the space back.
func (d *smallDisk) clear(p *process) error {
	if !d.mounted {
		return limitFiles(p.cmd.Process.Pid, ^uint64(0))
	}
	return os.Remove(d.ballast())
}

func (d *smallDisk) ballast() string { return filepath.Join(d.path, "ballast") }

// limitFiles sets the size to which a process may let files grow: the soft limit alone, so that it can be lifted again.
func limitFiles(pid int, bytes uint64) error {
	limit := syscall.Rlimit{Cur: bytes, Max: ^uint64(0)}
	if _, _, failed := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0); failed != 0 {
		return fmt.Errorf("limiting the files of process %d: %w", pid, failed)
	}
	return nil
}
