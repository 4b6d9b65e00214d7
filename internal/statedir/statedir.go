// Package statedir owns the files of state_dir: what an installation must remember outside its database, to notice that
// the database was put back, and to keep people's stops when it was.
package statedir

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/permesso/permesso/internal/errcode"
)

const (
	instanceName = "instance.json"
	journalName  = "suppressions.journal"
	lockName     = "lock"
)

// lockWithin is how long another process may hold the folder's lock; who has it writes a few lines.
const lockWithin = 5 * time.Second

// Dir is a state_dir. Several processes may share one; its methods are safe for many goroutines and processes.
type Dir struct{ path string }

// At names a folder; nothing is read or made.
func At(path string) *Dir { return &Dir{path} }

// Path is where the folder is.
func (d *Dir) Path() string { return d.path }

// Instance is what the instance file holds. It is written after the database's commits and is never ahead of them.
type Instance struct {
	// Instance is the installation's id, as its database has it.
	Instance string `json:"instance"`
	// Home names this folder, at random: the database knows those that work with it. "" in a file of an older version.
	Home string `json:"home,omitempty"`
	// Seq is the number that the database had of this home when it was last seen. The database never has an earlier one.
	Seq int64 `json:"seq,omitempty"`
	// Judged is the latest slot of a schedule that was judged.
	Judged time.Time `json:"judged,omitzero"`
}

// NewHome makes the name of a folder that has none.
func NewHome() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // it never fails; it ends the program instead
	return hex.EncodeToString(b)
}

// Instance reads the instance file; found is false when there is none.
func (d *Dir) Instance() (i Instance, found bool, err error) {
	content, err := os.ReadFile(filepath.Join(d.path, instanceName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Instance{}, false, nil
	case err != nil:
		return Instance{}, false, unusable("reading the instance file", err)
	}
	if err := json.Unmarshal(content, &i); err != nil {
		return Instance{}, false, unusable("reading the instance file "+filepath.Join(d.path, instanceName), err)
	}
	if i.Instance == "" {
		return Instance{}, false, unusable("reading the instance file "+filepath.Join(d.path, instanceName), errors.New("it names no installation"))
	}
	return i, true, nil
}

// Keep writes the instance file: whole or not at all, and durable when it returns. Of one home's number and slots nothing goes back, whoever writes.
func (d *Dir) Keep(ctx context.Context, i Instance) error {
	return d.locked(ctx, func() error {
		before, found, err := d.Instance()
		if err != nil {
			return err
		}
		if found && before.Instance == i.Instance && before.Home == i.Home {
			i.Seq = max(i.Seq, before.Seq)
			if before.Judged.After(i.Judged) {
				i.Judged = before.Judged
			}
		}
		content, err := json.Marshal(i)
		if err != nil {
			return unusable("writing the instance file", err)
		}
		return d.replace(instanceName, append(content, '\n'))
	})
}

// Claim returns the instance file, writing one for the installation when there is none, or one of an older version. Of several processes
// that come at once all get the same home.
func (d *Dir) Claim(ctx context.Context, instance string) (i Instance, err error) {
	err = d.locked(ctx, func() error {
		var found bool
		if i, found, err = d.Instance(); err != nil {
			return err
		}
		if found && (i.Home != "" || i.Instance != instance) {
			return nil
		}
		i = Instance{Instance: instance, Home: NewHome()}
		content, err := json.Marshal(i)
		if err != nil {
			return unusable("writing the instance file", err)
		}
		return d.replace(instanceName, append(content, '\n'))
	})
	return i, err
}

// SetAside renames the files, which are of another installation, and returns their new names; the folder is as new then.
func (d *Dir) SetAside(ctx context.Context, instance string) (names []string, err error) {
	err = d.locked(ctx, func() error {
		for _, name := range []string{instanceName, journalName, checkpointsName} {
			aside, err := d.aside(name, "of-"+instance)
			if err != nil {
				return err
			}
			if aside != "" {
				names = append(names, aside)
			}
		}
		return d.syncFolder()
	})
	return names, err
}

// aside renames a file and returns its new name, "" when there is none.
func (d *Dir) aside(name, why string) (string, error) {
	aside := fmt.Sprintf("%s.%s", name, why)
	for n := 2; ; n++ {
		if _, err := os.Lstat(filepath.Join(d.path, aside)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s.%s.%d", name, why, n)
	}
	err := os.Rename(filepath.Join(d.path, name), filepath.Join(d.path, aside))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", unusable("setting "+name+" aside", err)
	}
	return aside, nil
}

// replace writes a file beside and renames it over, so that a reader sees the old or the new one, also after a power cut.
func (d *Dir) replace(name string, content []byte) error {
	beside, err := os.CreateTemp(d.path, name+".*")
	if err != nil {
		return unusable("writing "+name, err)
	}
	_, err = beside.Write(content)
	if err == nil {
		err = beside.Sync()
	}
	err = errors.Join(err, beside.Close())
	if err == nil {
		err = os.Rename(beside.Name(), filepath.Join(d.path, name))
	}
	if err != nil {
		return unusable("writing "+name, errors.Join(err, os.Remove(beside.Name())))
	}
	return d.syncFolder()
}

func (d *Dir) syncFolder() error {
	folder, err := os.Open(d.path)
	if err != nil {
		return unusable("opening state_dir", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return unusable("writing state_dir", err)
	}
	return nil
}

// locked makes the folder and does work while no other process writes in it. The kernel frees the lock, however a process ends.
func (d *Dir) locked(ctx context.Context, work func() error) (err error) {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return unusable("making state_dir", err)
	}
	lock, err := os.OpenFile(filepath.Join(d.path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return unusable("opening the lock of state_dir", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, lockWithin)
	defer cancel()
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return work()
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return unusable("locking state_dir", err)
		}
		select {
		case <-ctx.Done():
			return unusable("waiting for the lock of state_dir", ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func unusable(doing string, err error) error {
	return errcode.With(fmt.Errorf("%s: %w", doing, err), errcode.StateDirUnusable)
}
