package statedir

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
)

// Source is the database that the journal follows.
type Source interface {
	// LastStopChange returns the number of the latest change of stops.
	LastStopChange(ctx context.Context) (int64, error)
	// StopChanges reads the stops that were changed last after one number and up to another.
	StopChanges(ctx context.Context, after, through int64) iter.Seq2[policy.StopRecord, error]
}

// ErrAhead says that the journal has changes of stops that the database does not: the database is an older copy.
var ErrAhead = errcode.With(errors.New("the suppression journal is ahead of the database"), errcode.Quarantined)

// ErrDamaged says that a line in the middle of the journal cannot be read: nothing may be cut off there, for stops come after it.
var ErrDamaged = errcode.With(errors.New("the suppression journal is damaged"), errcode.JournalDamaged)

// nothingYet is how far a journal is that has no line: also the stops of before changes were numbered, number 0, are missing in it.
const nothingYet = -1

// Journal is the append-only file of all changes of stops, one line each: eight hexadecimal digits, the CRC-32C of what follows
// after a space, which is JSON. The first line names the installation. A line with "through" says that up to that number
// of a change all are in the file; what stands after the last one of these is written again. There is no phone number in it.
type Journal struct {
	dir      *Dir
	instance string
}

// Journal is the folder's, of an installation.
func (d *Dir) Journal(instance string) *Journal { return &Journal{d, instance} }

// line is one line of the journal: a head, a stop, or a mark.
type line struct {
	Journal  int    `json:"journal,omitempty"` // the version of the form, in the first line
	Instance string `json:"instance,omitempty"`

	Hash     string        `json:"hash,omitempty"`
	Scope    policy.Scope  `json:"scope,omitempty"`
	Origin   policy.Origin `json:"origin,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Source   string        `json:"source,omitempty"`
	At       time.Time     `json:"at,omitzero"`
	LiftedAt time.Time     `json:"lifted_at,omitzero"`

	Through *int64 `json:"through,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (l line) encode() ([]byte, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text), nil
}

// errLine says that a line is not one that was written whole.
var errLine = errors.New("the line is not whole")

// parseLine reads a line without its end.
func parseLine(raw []byte) (l line, err error) {
	if len(raw) < 10 || raw[8] != ' ' {
		return l, errLine
	}
	sum, err := strconv.ParseUint(string(raw[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(raw[9:], castagnoli) {
		return l, errLine
	}
	if err := json.Unmarshal(raw[9:], &l); err != nil {
		return l, errLine
	}
	if l.Hash != "" {
		if _, err := l.record(); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (l line) record() (policy.StopRecord, error) {
	r := policy.StopRecord{Scope: l.Scope, Origin: l.Origin, Reason: l.Reason, Source: l.Source, At: l.At, LiftedAt: l.LiftedAt}
	raw, err := hex.DecodeString(l.Hash)
	if err != nil || len(raw) != len(r.Hash) || r.Scope == "" || r.Origin == "" || r.At.IsZero() {
		return r, errLine
	}
	copy(r.Hash[:], raw)
	return r, nil
}

// reach is how far a journal is that was read to its end.
type reach struct {
	instance string
	through  int64
	whole    int64 // bytes up to the end of the last whole line
	size     int64
}

// CatchUp appends what the database has and the journal has not, and returns once that is durable. With anew it appends every
// stop, whatever was appended before: after the database was put back the numbers alone tell no more. It returns how many it
// appended; ErrAhead when the journal has later changes than the database, and ErrDamaged.
func (j *Journal) CatchUp(ctx context.Context, db Source, anew bool) (appended int, err error) {
	err = j.dir.locked(ctx, func() error {
		appended, err = j.catchUp(ctx, db, anew)
		return err
	})
	return appended, err
}

func (j *Journal) catchUp(ctx context.Context, db Source, anew bool) (int, error) {
	at, err := j.end()
	if err != nil {
		return 0, err
	}
	if at.instance != "" && at.instance != j.instance {
		return 0, unusable("writing the suppression journal", fmt.Errorf("it is of another installation, %s", at.instance))
	}
	last, err := db.LastStopChange(ctx)
	switch {
	case err != nil:
		return 0, err
	case last < at.through:
		return 0, fmt.Errorf("%w: it knows %d changes of stops, the database %d", ErrAhead, at.through, last)
	case last == at.through && !anew:
		return 0, nil
	}
	after := at.through
	if anew {
		after = nothingYet
	}
	return j.extend(at, db.StopChanges(ctx, after, last), last)
}

// extend appends records, cutting off a torn tail first. What it cannot write whole it takes back.
func (j *Journal) extend(at reach, records iter.Seq2[policy.StopRecord, error], through int64) (appended int, err error) {
	file, err := os.OpenFile(j.path(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, unusable("opening the suppression journal", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Truncate(at.whole))
		}
		err = errors.Join(err, file.Close())
	}()
	if at.size > at.whole {
		if err := file.Truncate(at.whole); err != nil {
			return 0, unusable("cutting off what was torn from the suppression journal", err)
		}
	}
	if _, err := file.Seek(at.whole, io.SeekStart); err != nil {
		return 0, unusable("writing the suppression journal", err)
	}
	out := bufio.NewWriterSize(file, 1<<16)
	put := func(l line) error {
		text, err := l.encode()
		if err == nil {
			_, err = out.Write(text)
		}
		if err != nil {
			return unusable("writing the suppression journal", err)
		}
		return nil
	}
	if at.whole == 0 {
		if err := put(line{Journal: 1, Instance: j.instance}); err != nil {
			return 0, err
		}
	}
	for r, err := range records {
		if err != nil {
			return 0, err
		}
		if err := put(line{Hash: hex.EncodeToString(r.Hash[:]), Scope: r.Scope, Origin: r.Origin, Reason: r.Reason, Source: r.Source, At: r.At, LiftedAt: r.LiftedAt}); err != nil {
			return 0, err
		}
		appended++
	}
	if err := put(line{Through: &through}); err != nil {
		return 0, err
	}
	if err := errors.Join(out.Flush(), file.Sync()); err != nil {
		return 0, unusable("writing the suppression journal", err)
	}
	if at.whole == 0 {
		return appended, j.dir.syncFolder()
	}
	return appended, nil
}

// Through returns up to which change of stops the journal is whole; less than 0 when there is none.
func (j *Journal) Through() (int64, error) {
	at, err := j.end()
	return at.through, err
}

// Records reads every stop in the journal, in the order in which they were appended. A torn tail is not read; it ends with ErrDamaged
// at a line that cannot be read and has whole ones after it.
func (j *Journal) Records() iter.Seq2[policy.StopRecord, error] {
	return func(yield func(policy.StopRecord, error) bool) {
		stopped := false
		_, err := j.scan(func(l line) bool {
			if l.Hash == "" {
				return true
			}
			r, _ := l.record() // parseLine has read it
			stopped = !yield(r, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(policy.StopRecord{}, err)
		}
	}
}

func (j *Journal) path() string { return filepath.Join(j.dir.path, journalName) }

// tailBytes hold more than one line.
const tailBytes = 1 << 13

// end finds out how far the journal is: by its last line, or, if that is no whole mark, by reading all of it.
func (j *Journal) end() (reach, error) {
	file, err := os.Open(j.path())
	if errors.Is(err, fs.ErrNotExist) {
		return reach{through: nothingYet}, nil
	}
	if err != nil {
		return reach{}, unusable("opening the suppression journal", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	facts, err := file.Stat()
	if err != nil {
		return reach{}, unusable("opening the suppression journal", err)
	}
	size := facts.Size()
	tail := make([]byte, min(size, tailBytes))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return reach{}, unusable("reading the suppression journal", err)
	}
	text, ended := bytes.CutSuffix(tail, []byte("\n"))
	last, err := parseLine(text[bytes.LastIndexByte(text, '\n')+1:])
	if ended && err == nil && last.Through != nil {
		head, err := bufio.NewReader(io.LimitReader(file, tailBytes)).ReadBytes('\n')
		if first, wrong := parseLine(bytes.TrimSuffix(head, []byte("\n"))); err == nil && wrong == nil {
			return reach{first.Instance, *last.Through, size, size}, nil
		}
	}
	return j.scan(func(line) bool { return true })
}

// scan reads the journal line by line until see says no.
func (j *Journal) scan(see func(line) bool) (at reach, err error) {
	at.through = nothingYet
	file, err := os.Open(j.path())
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil
	}
	if err != nil {
		return at, unusable("opening the suppression journal", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	in := bufio.NewReaderSize(file, 1<<16)
	for n, broken := 1, 0; ; n++ {
		raw, failure := in.ReadSlice('\n')
		at.size += int64(len(raw))
		for errors.Is(failure, bufio.ErrBufferFull) { // no line of ours is that long
			var more []byte
			more, failure = in.ReadSlice('\n')
			at.size += int64(len(more))
			raw = nil
		}
		if failure != nil && !errors.Is(failure, io.EOF) {
			return at, unusable("reading the suppression journal", failure)
		}
		l, wrong := parseLine(bytes.TrimSuffix(raw, []byte("\n")))
		if failure != nil {
			return at, nil // what has no end was torn, or is nothing
		}
		switch {
		case wrong != nil && broken == 0:
			broken = n
			continue
		case wrong != nil:
			continue
		case broken > 0:
			return at, fmt.Errorf("%w: line %d of %s cannot be read, and later ones can", ErrDamaged, broken, j.path())
		}
		at.whole = at.size
		if l.Journal != 0 {
			at.instance = l.Instance
		}
		if l.Through != nil {
			at.through = *l.Through
		}
		if !see(l) {
			return at, nil
		}
	}
}
