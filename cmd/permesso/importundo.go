package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
)

// newImport notes the file under an id of its own.
func (s *session) newImport(a *app.App, kind imported, path string, file *os.File) (*store.Import, error) {
	hash, err := hashOf(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return a.Store.NewImport(report.Import{Kind: kind.noun, File: filepath.Base(path), Hash: hash, Actor: s.actor()}), nil
}

// hashOf is the SHA-256 of a file that can be read twice; "" for a pipe.
func hashOf(file *os.File) (string, error) {
	stat, err := file.Stat()
	if err != nil || !stat.Mode().IsRegular() {
		return "", err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// undoHint says how to take back what an import that failed has stored; nil when that is nothing.
func undoHint(kind imported, id string, r imports.Result) error {
	if kind.noun != "contacts" || r.Counts.Added+r.Counts.Changed == 0 {
		return nil
	}
	return errcode.With(fmt.Errorf("what was stored is import %s: `permesso contacts import --undo %s` takes it back", id, id), errcode.ImportInPart)
}

// undoable lets an import be undone by the verb that made it.
func (s *session) undoable(cmd *cobra.Command) *cobra.Command {
	id := cmd.Flags().String("undo", "", "take back what the import `ID` added and changed, instead of importing a file")
	cmd.Long += "\nEach import has an id; --undo takes back what it added and changed, never touching consent or suppression."
	cmd.Example += "\n  permesso contacts import --undo i20261121-1800-k3f9xq"
	fileArgs, importFile := cmd.Args, cmd.RunE
	undoes := func(cmd *cobra.Command) bool { return cmd.Flags().Changed("undo") }
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if undoes(cmd) {
			return exactly()(cmd, args)
		}
		return fileArgs(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if undoes(cmd) {
			s.entered = true
			return s.undoImport(cmd, *id)
		}
		return importFile(cmd, args)
	}
	return cmd
}

// undoResult is what undoing an import prints as JSON.
type undoResult struct {
	Import string `json:"import"`
	report.Undone
	AlreadyUndone bool `json:"already_undone,omitempty"`
}

func (s *session) undoImport(cmd *cobra.Command, id string) error {
	for _, other := range []string{"dry-run", "strict", "tag"} {
		if cmd.Flags().Changed(other) {
			return misuse(errcode.ConflictingFlags, "--undo takes back an import; --%s is for importing a file", other)
		}
	}
	return s.with(cmd, func(ctx context.Context, a *app.App) error {
		bar := s.newBar(-1, "undoing")
		done, err := a.Store.UndoImport(ctx, id, s.actor(), func(so report.Undone) { bar.contacts(so.Removed + so.Restored + so.Kept) })
		bar.finish()
		switch {
		case errors.Is(err, store.ErrNoImport):
			return s.noImport(ctx, a, id)
		case errors.Is(err, store.ErrForgotten):
			return misuse(errcode.ImportForgotten, "import %s cannot be undone: %w", id, store.ErrForgotten)
		case errors.Is(err, store.ErrImportStays):
			return misuse(errcode.ImportStays, "import %s cannot be undone: %w", id, store.ErrImportStays)
		case errors.Is(err, store.ErrAlreadyUndone):
			if s.json {
				return s.object(undoResult{Import: id, AlreadyUndone: true})
			}
			return s.say("Import %s is undone already; nothing was changed.", id)
		case errors.Is(err, context.Canceled):
			return &interrupted{fmt.Sprintf("interrupted after %s; the same command goes on", count(done.Removed+done.Restored+done.Kept, "contact"))}
		case err != nil:
			return err
		}
		return s.tellUndone(id, done)
	})
}

// noImport names the last imports beside the one that is not there.
func (s *session) noImport(ctx context.Context, a *app.App, id string) error {
	const shown = 5
	last, err := a.Store.Imports(ctx, shown)
	if err != nil {
		return err
	}
	if len(last) == 0 {
		return misuse(errcode.NoSuchImport, "there is no import %q; nothing was imported yet", id)
	}
	var ids []string
	for _, i := range last {
		ids = append(ids, fmt.Sprintf("%s (%s, %s)", i.ID, i.Kind, oneLine(i.File)))
	}
	return misuse(errcode.NoSuchImport, "there is no import %q; the last are %s; `permesso contacts imports` lists all", id, strings.Join(ids, ", "))
}

func (s *session) tellUndone(id string, u report.Undone) error {
	if s.json {
		return s.object(undoResult{Import: id, Undone: u})
	}
	if err := s.say("Import %s is undone: %s removed, %d restored, %d kept what was changed since.", id, count(u.Removed, "contact"), u.Restored, u.Kept); err != nil {
		return err
	}
	if u.Remembered > 0 {
		return s.say("Of the removed, %d stay on record as persons, for their consents, stops or messages.", u.Remembered)
	}
	return nil
}

// importsVerb lists what was imported.
func (s *session) importsVerb() *cobra.Command {
	var limit int
	cmd := s.verb(&cobra.Command{
		Use:   "imports",
		Short: "list the files that were imported, of every kind, the newest first",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(limit); err != nil {
			return err
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			list, err := a.Store.Imports(ctx, limit)
			if err != nil {
				return err
			}
			return s.tellImports(a, list)
		})
	})
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N` lines")
	return cmd
}

func (s *session) tellImports(a *app.App, list []report.Import) error {
	if s.json {
		for _, i := range list {
			if err := s.object(i); err != nil {
				return err
			}
		}
		return nil
	}
	zone := zoneOf(a.Config)
	t := s.table("IMPORT", "STARTED", "KIND", "FILE", "ADDED", "CHANGED", "UNCHANGED", "REJECTED", "BY", "STATE").numbers(4, 5, 6, 7)
	for _, i := range list {
		t.row(i.ID, clock(i.StartedAt.Time, zone), i.Kind, oneLine(i.File), fmt.Sprint(i.Added), fmt.Sprint(i.Changed), fmt.Sprint(i.Unchanged),
			fmt.Sprint(i.Rejected), oneLine(i.Actor), importState(i))
	}
	return t.flush()
}

// importState says in words where an import stands. One that was cut off looks as one that is running does.
func importState(i report.Import) string {
	switch {
	case !i.UndoneAt.IsZero():
		return "undone"
	case !i.ForgottenAt.IsZero():
		return "done, kept no longer"
	case i.UndoneBy != "":
		return "undone in part"
	case i.FinishedAt.IsZero():
		return "running, or cut off"
	}
	return "done"
}
