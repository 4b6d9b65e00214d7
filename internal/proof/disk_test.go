package proof

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// smallDisk is a disk of a test's own, to be filled. As root it is a file system in memory. Nobody else may mount one: then it is
// a folder, and what is filled is the size to which files of one process may grow.
type smallDisk struct {
	t       *testing.T
	path    string
	mounted bool

	relent func() // ends what keeps it full
}

// newSmallDisk makes a disk of so many bytes, open to everybody; it is gone after the test. Without mayMount it is never mounted.
func newSmallDisk(t *testing.T, bytes int, mayMount bool) *smallDisk {
	t.Helper()
	d := &smallDisk{t: t, path: serverHome(t)}
	if !mayMount {
		return d
	}
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

// fill leaves no byte for anybody. Where there is no disk to fill, these processes may not let a file grow beyond so many bytes.
func (d *smallDisk) fill(processes []int, bytes int64) error {
	if !d.mounted {
		return limitFiles(processes, uint64(bytes))
	}
	if err := d.top(); err != nil {
		return err
	}
	enough, over := make(chan struct{}), make(chan struct{})
	d.relent = sync.OnceFunc(func() {
		close(enough)
		<-over
	})
	d.t.Cleanup(d.relent) // a test may end with the disk full
	go func() {
		defer close(over)
		for {
			select {
			case <-enough:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if err := d.top(); err != nil {
				d.t.Error(err)
				return
			}
		}
	}()
	return nil
}

// top takes what is free, also what somebody gave back since.
func (d *smallDisk) top() error {
	ballast, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("filling %s: %w", d.path, err)
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
func (d *smallDisk) clear(processes []int) error {
	if !d.mounted {
		return limitFiles(processes, ^uint64(0))
	}
	d.relent()
	return os.Remove(d.ballast())
}

func (d *smallDisk) ballast() string { return filepath.Join(d.path, "ballast") }

// limitFiles sets the size to which processes may let files grow: the soft limit alone, so that it can be lifted again.
func limitFiles(processes []int, bytes uint64) error {
	limit := syscall.Rlimit{Cur: bytes, Max: ^uint64(0)}
	for _, pid := range processes {
		_, _, failed := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		if failed != 0 && failed != syscall.ESRCH { // it may have ended just now
			return fmt.Errorf("limiting the files of process %d: %w", pid, failed)
		}
	}
	return nil
}
