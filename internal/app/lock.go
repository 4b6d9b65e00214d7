package app

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/permesso/permesso/internal/errcode"
)

// ErrSecondServe says that another serve has the SQLite file.
var ErrSecondServe = errcode.With(errors.New("another `permesso serve` has this database: one SQLite file takes one; use PostgreSQL for more"), errcode.SecondServe)

// lockFile holds FILE.lock for as long as the process lives; the kernel frees it, however the process ends.
func lockFile(database string) (release func() error, err error) {
	path := database + ".lock"
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errcode.With(fmt.Errorf("opening %s: %w", path, err), errcode.LockUnusable)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		closed := file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrSecondServe), closed)
		}
		return nil, errors.Join(errcode.With(fmt.Errorf("locking %s: %w", path, err), errcode.LockUnusable), closed)
	}
	return file.Close, nil
}
