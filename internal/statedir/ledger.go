package statedir

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/ledger"
)

const (
	keyName         = "consent.key"
	checkpointsName = "consent.checkpoints"
)

// LedgerKeys reads the keys of the consent ledger, one a line, 64 hexadecimal digits: the first is this folder's own, with which it
// chains and signs, and any others those of other folders that work with the database, with which it only checks. found is false
// when there is no file.
func (d *Dir) LedgerKeys() (keys []ledger.Key, found bool, err error) {
	path := filepath.Join(d.path, keyName)
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case err != nil:
		return nil, false, unusable("reading the key of the consent ledger", err)
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		secret, err := hex.DecodeString(line)
		if err != nil || len(secret) != ledger.SecretSize {
			return nil, false, unusable("reading the key of the consent ledger "+path, fmt.Errorf("line %d is not %d hexadecimal digits", len(keys)+1, 2*ledger.SecretSize))
		}
		keys = append(keys, ledger.NewKey(secret))
	}
	if len(keys) == 0 {
		return nil, false, unusable("reading the key of the consent ledger "+path, errors.New("it is empty"))
	}
	return keys, true, nil
}

// LedgerKey is the folder's own key, which is made at its first use. Only the file's owner may read it.
func (d *Dir) LedgerKey(ctx context.Context) (key ledger.Key, err error) {
	if keys, found, err := d.LedgerKeys(); err != nil || found {
		return first(keys), err
	}
	err = d.locked(ctx, func() error {
		keys, found, err := d.LedgerKeys() // another process may have been quicker
		if err != nil || found {
			key = first(keys)
			return err
		}
		secret := make([]byte, ledger.SecretSize)
		_, _ = rand.Read(secret) // it never fails; it ends the program instead
		key = ledger.NewKey(secret)
		return d.replace(keyName, append(hex.AppendEncode(nil, secret), '\n'))
	})
	return key, err
}

func first(keys []ledger.Key) ledger.Key {
	if len(keys) == 0 {
		return ledger.Key{}
	}
	return keys[0]
}

// CheckpointsPath is where the folder's checkpoints of the consent ledger are.
func (d *Dir) CheckpointsPath() string { return filepath.Join(d.path, checkpointsName) }

// ErrCheckpoints says that the file of checkpoints does not end with one: it was cut, or edited.
var ErrCheckpoints = errcode.With(errors.New("the checkpoints of the consent ledger do not end with one that can be read"), errcode.LedgerBroken)

// Checkpoint appends a checkpoint to the file, durable when it returns. next is called while no other process writes in the folder, with
// the last one, nil when there is none; it returns what to write, nil for nothing. line is the number of the last line then.
func (d *Dir) Checkpoint(ctx context.Context, key ledger.Key, next func(last *ledger.Checkpoint) (*ledger.Checkpoint, error)) (line int64, err error) {
	err = d.locked(ctx, func() error {
		line, err = d.checkpoint(key, next)
		return err
	})
	return line, err
}

func (d *Dir) checkpoint(key ledger.Key, next func(last *ledger.Checkpoint) (*ledger.Checkpoint, error)) (line int64, err error) {
	file, err := os.OpenFile(d.CheckpointsPath(), os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return d.firstCheckpoint(key, next)
	}
	if err != nil {
		return 0, unusable("opening the checkpoints of the consent ledger", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	raw, whole, err := lastLine(file)
	if err != nil {
		return 0, unusable("reading the checkpoints of the consent ledger", err)
	}
	var last *ledger.Checkpoint
	if raw != nil {
		c, err := ledger.ParseLine(raw)
		if err != nil {
			return 0, fmt.Errorf("%w: %s", ErrCheckpoints, d.CheckpointsPath())
		}
		last, line = &c, c.Line
	}
	c, err := next(last)
	if err != nil || c == nil {
		return line, err
	}
	c.Line = line + 1
	text, err := key.Line(*c, raw)
	if err != nil {
		return line, unusable("writing a checkpoint of the consent ledger", err)
	}
	// What is torn behind the last whole line is written over: it never counted.
	if err := file.Truncate(whole); err != nil {
		return line, unusable("writing a checkpoint of the consent ledger", err)
	}
	if _, err := file.WriteAt(append(text, '\n'), whole); err != nil {
		return line, unusable("writing a checkpoint of the consent ledger", errors.Join(err, file.Truncate(whole)))
	}
	if err := file.Sync(); err != nil {
		return line, unusable("writing a checkpoint of the consent ledger", err)
	}
	return c.Line, nil
}

func (d *Dir) firstCheckpoint(key ledger.Key, next func(last *ledger.Checkpoint) (*ledger.Checkpoint, error)) (int64, error) {
	c, err := next(nil)
	if err != nil || c == nil {
		return 0, err
	}
	c.Line = 1
	text, err := key.Line(*c, nil)
	if err != nil {
		return 0, unusable("writing a checkpoint of the consent ledger", err)
	}
	return 1, d.replace(checkpointsName, append(text, '\n'))
}

// lastLine is the last whole line of a file, without its end, nil when there is none, and where it ends.
func lastLine(file *os.File) (line []byte, whole int64, err error) {
	facts, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	for size := int64(1 << 14); ; size *= 8 {
		size = min(size, facts.Size())
		tail := make([]byte, size)
		if _, err := file.ReadAt(tail, facts.Size()-size); err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		end := bytes.LastIndexByte(tail, '\n')
		begin := bytes.LastIndexByte(tail[:max(0, end)], '\n')
		switch {
		case end >= 0 && (begin >= 0 || size == facts.Size()):
			return tail[begin+1 : end], facts.Size() - size + int64(end) + 1, nil
		case size == facts.Size():
			return nil, 0, nil
		}
	}
}

// ReadCheckpoints shows every whole line of a file of checkpoints to see, without its end; none when there is no file.
func ReadCheckpoints(path string, see func(line []byte)) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errcode.With(fmt.Errorf("opening the checkpoints of the consent ledger: %w", err), errcode.FileUnreadable)
	}
	defer func() { _ = file.Close() }() // it was only read
	in := bufio.NewReaderSize(file, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what has no end was torn, or is nothing
		}
		if err != nil {
			return errcode.With(fmt.Errorf("reading the checkpoints of the consent ledger: %w", err), errcode.FileUnreadable)
		}
		see(line[:len(line)-1])
	}
}

// SetCheckpointsAside renames the file of checkpoints and returns its new name, "" when there is none: the next one is the first.
func (d *Dir) SetCheckpointsAside(ctx context.Context) (name string, err error) {
	err = d.locked(ctx, func() error {
		name, err = d.aside(checkpointsName, "old")
		return err
	})
	return name, err
}
