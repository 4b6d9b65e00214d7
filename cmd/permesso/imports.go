package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/store"
)

// imported is one kind of file that can be imported.
type imported struct {
	noun, long string
	read       func(ctx context.Context, r io.Reader, sink imports.Sink, o imports.Options) (imports.Result, error)
	tags       bool // --tag makes sense
}

// importFlags are the flags of an import.
type importFlags struct {
	dryRun, strict bool
	tag            string
}

func (s *session) importVerb(kind imported) *cobra.Command {
	var f importFlags
	cmd := s.verb(&cobra.Command{
		Use:     "import FILE [flags]",
		Short:   "import " + kind.noun + " from a CSV file",
		Long:    kind.long + "\nRejected rows are counted, explained and written to FILE.rejected.csv. Importing a file twice changes nothing.",
		Example: "  permesso " + verbOf[kind.noun] + " import " + kind.noun + ".csv --dry-run",
		Args:    exactly("FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		return s.importFile(cmd, kind, args[0], f)
	})
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "check the file and change nothing")
	flags.BoolVar(&f.strict, "strict", false, "exit 4 when a row was rejected")
	if kind.tags {
		flags.StringVar(&f.tag, "tag", "", "add this `TAG` to every contact of the file")
	}
	return cmd
}

var verbOf = map[string]string{"contacts": "contacts", "consents": "consent", "suppressions": "suppress"}

func (s *session) importFile(cmd *cobra.Command, kind imported, path string, f importFlags) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrongUse("there is no file %s", path)
	case err != nil:
		return fmt.Errorf("opening the file: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	stat, err := file.Stat()
	if err != nil {
		return fmt.Errorf("opening the file: %w", err)
	}
	if stat.IsDir() {
		return wrongUse("%s is a folder: name the file in it", path)
	}
	bar := s.bytesBar(filepath.Base(path), stat.Size())
	o := imports.Options{
		Region: cfg.Business.Country, BusinessName: cfg.Business.Name, Categories: cfg.Rules.Categories, Tag: f.tag, DryRun: f.dryRun, Now: time.Now(),
		Progress: bar.bytes, RejectedPath: path + ".rejected.csv",
	}
	var result imports.Result
	id := ""
	if f.dryRun {
		result, err = kind.read(cmd.Context(), file, (*store.Store)(nil), o) // a dry run calls no sink
	} else {
		err = s.withStore(cmd, cfg, func(ctx context.Context, a *app.App) (err error) {
			noted, err := s.newImport(a, kind, path, file)
			if err != nil {
				return err
			}
			id = noted.ID()
			if result, err = kind.read(ctx, file, noted, o); err != nil {
				return err
			}
			return noted.Finish(ctx, result.Rejected)
		})
	}
	bar.finish()
	if err != nil {
		return errors.Join(afterRows(path, result, err), undoHint(kind, id, result))
	}
	if err := s.tellImport(path, id, result, f.dryRun); err != nil {
		return err
	}
	if f.strict && result.Rejected > 0 {
		return fmt.Errorf("%s: %d of %d %w", path, result.Rejected, result.Rows, errRejected)
	}
	return nil
}

// afterRows says how far a failed import came: its batches stay, and the file can be imported again.
func afterRows(path string, r imports.Result, err error) error {
	written := r.Counts.Added + r.Counts.Changed + r.Counts.Unchanged
	switch {
	case errors.Is(err, context.Canceled):
		return &interrupted{fmt.Sprintf("%s: interrupted after %s; importing the file again does no harm", path, count(written, "row"))}
	case written == 0:
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s: %w (%s were imported before that; importing the file again does no harm)", path, err, count(written, "row"))
}

// importResult is what an import prints as JSON.
type importResult struct {
	Import       string         `json:"import,omitempty"`
	Rows         int            `json:"rows"`
	Added        int            `json:"added"`
	Changed      int            `json:"changed"`
	Unchanged    int            `json:"unchanged"`
	Repeated     int            `json:"repeated"`
	Rejected     int            `json:"rejected"`
	ByReason     map[string]int `json:"by_reason"`
	RejectedFile string         `json:"rejected_file"`
	Warnings     []string       `json:"warnings,omitempty"`
	DryRun       bool           `json:"dry_run,omitempty"`
}

func (s *session) tellImport(path, id string, r imports.Result, dryRun bool) error {
	if s.json {
		out := importResult{
			id, r.Rows, r.Counts.Added, r.Counts.Changed, r.Counts.Unchanged, r.Repeated, r.Rejected, r.ByReason, r.RejectedFile, r.Warnings, dryRun,
		}
		if out.ByReason == nil {
			out.ByReason = map[string]int{}
		}
		return s.object(out)
	}
	if dryRun {
		if err := s.say("%s: %s, %d rejected. It was a dry run: nothing was changed.", path, count(r.Rows, "row"), r.Rejected); err != nil {
			return err
		}
	} else {
		again := ""
		if r.Repeated > 0 {
			again = fmt.Sprintf(", %d of people met again below", r.Repeated)
		}
		if err := s.say("%s: %s: %d added, %d changed, %d unchanged, %d rejected%s.", path, count(r.Rows, "row"),
			r.Counts.Added, r.Counts.Changed, r.Counts.Unchanged, r.Rejected, again); err != nil {
			return err
		}
		if err := s.say("It is import %s.", id); err != nil {
			return err
		}
	}
	for _, warning := range r.Warnings {
		if err := s.print("%s %s", s.painted(yellow, "warning:"), oneLine(warning)); err != nil {
			return err
		}
	}
	if r.Rejected == 0 {
		return nil
	}
	t := s.table("LINE", "COLUMN", "VALUE", "WHY IT WAS REJECTED").numbers(0)
	shown := map[string]int{}
	for _, p := range r.Problems {
		shown[p.Reason]++
		t.row(fmt.Sprint(p.Line), p.Column, p.Value, p.Reason)
		if more := r.ByReason[p.Reason] - shown[p.Reason]; more > 0 && shown[p.Reason] == problemsOfEach {
			t.row("", "", "", fmt.Sprintf("(and %d more like this)", more))
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if r.RejectedFile == "" {
		return nil
	}
	return s.say("The rejected rows are in %s: mend them there and import that file.", r.RejectedFile)
}

// problemsOfEach is how many rejections of one reason imports.Result keeps.
const problemsOfEach = 10

func (s *session) withStore(cmd *cobra.Command, cfg *config.Config, work func(ctx context.Context, a *app.App) error) error {
	return s.withConfig(cmd, cfg, logProblems, work)
}
