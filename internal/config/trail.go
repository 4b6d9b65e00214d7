package config

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/permesso/permesso/internal/errcode"
)

// Trail is what a configuration was read from: the file itself, those that it includes or takes secrets from, and what was in
// them. The zero Trail has changed.
type Trail struct {
	files    []string
	patterns []string // where further files would be included from
	sum      [sha256.Size]byte
}

const (
	// settleFor is how long files have to stay as they are before they are believed to be whole: an editor, or a copy, writes
	// them in pieces.
	settleFor = 250 * time.Millisecond
	// settleMost bounds that for files which are written to without end.
	settleMost = 5 * time.Second
)

// Read is Load, of files that stand still: it waits while they are being written, some seconds at most. The Trail is theirs,
// also when they have mistakes.
func Read(path string, env func(name string) (string, bool)) (*Config, Trail, error) {
	for began := time.Now(); ; {
		_, first, _ := Trace(path, env)
		time.Sleep(settleFor)
		cfg, trail, err := Trace(path, env)
		switch {
		case trail.sum == first.sum && !trail.Changed():
			return cfg, trail, err
		case time.Since(began) > settleMost:
			return nil, trail, errcode.With(fmt.Errorf("the configuration %s, or a file that it names, does not stop changing", path), errcode.ConfigurationUnreadable)
		}
	}
}

// Trace is Load, and tells what it read, also when there are mistakes.
func Trace(path string, env func(name string) (string, bool)) (*Config, Trail, error) {
	trail := Trail{files: []string{path}}
	l, data, err := begin(path, env)
	if err != nil {
		trail.sum = trail.look()
		return nil, trail, err
	}
	cfg, err := l.load(data)
	trail.files, trail.patterns = append(trail.files, l.trail.files...), l.trail.patterns
	trail.sum = trail.look()
	return cfg, trail, err
}

// Changed reports whether a file has other content by now, is gone, or is new where files are included from.
func (t Trail) Changed() bool { return t.look() != t.sum }

// look reads all files: they are small, and their times of change tell nothing of what an editor put in another's place, or
// wrote twice within one tick of the clock.
func (t Trail) look() (sum [sha256.Size]byte) {
	all := slices.Clone(t.files)
	for _, pattern := range t.patterns {
		found, _ := filepath.Glob(pattern) // a bad pattern was refused when it was read
		all = append(all, found...)
	}
	slices.Sort(all)
	total := sha256.New()
	for _, file := range slices.Compact(all) {
		content, state := []byte(nil), "absent"
		switch stat, err := os.Stat(file); {
		case err != nil:
		case !stat.Mode().IsRegular():
			state = "not a file" // a pipe gives its content once
		default:
			state = "unreadable"
			if content, err = readFile(file); err == nil {
				state = "read"
			}
		}
		_, _ = fmt.Fprintf(total, "%q %s %x\n", file, state, sha256.Sum256(content)) // a hash takes everything
	}
	return [sha256.Size]byte(total.Sum(nil))
}
