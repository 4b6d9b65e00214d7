package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
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
		Short:   "import " + kind.noun + " from a CSV file or an Excel workbook",
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
		return misuse(errcode.FileMissing, "there is no file %s", path)
	case err != nil:
		return errcode.With(fmt.Errorf("opening the file: %w", err), errcode.FileUnreadable)
	}
	defer func() { _ = file.Close() }() // it was only read
	stat, err := file.Stat()
	if err != nil {
		return errcode.With(fmt.Errorf("opening the file: %w", err), errcode.FileUnreadable)
	}
	if stat.IsDir() {
		return misuse(errcode.FileIsFolder, "%s is a folder: name the file in it", path)
	}
	bar := s.bytesBar(filepath.Base(path), stat.Size())
	o := imports.Options{
		Region: cfg.Business.Country, BusinessName: cfg.Business.Name, Categories: cfg.Rules.Categories, Attributes: cfg.Attributes, Zone: zoneOf(cfg),
		Tag: f.tag, DryRun: f.dryRun, Now: time.Now(), Progress: bar.bytes, RejectedPath: imports.RejectedPath(path),
	}
	var result imports.Result
	if f.dryRun {
		result, err = kind.read(cmd.Context(), file, (*store.Store)(nil), o) // a dry run calls no sink
	} else {
		err = s.withStore(cmd, cfg, func(ctx context.Context, a *app.App) (err error) {
			result, err = kind.read(ctx, file, a.Store, o)
			return err
		})
	}
	bar.finish()
	if err != nil {
		return afterRows(path, result, err)
	}
	if err := s.tellImport(path, result, f.dryRun); err != nil {
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
	Rows         int                  `json:"rows"`
	Added        int                  `json:"added"`
	Changed      int                  `json:"changed"`
	Unchanged    int                  `json:"unchanged"`
	Repeated     int                  `json:"repeated"`
	Rejected     int                  `json:"rejected"`
	ByReason     map[errcode.Code]int `json:"by_reason"`
	Problems     []importProblem      `json:"problems"`
	RejectedFile string               `json:"rejected_file"`
	Format       string               `json:"format"`
	Encoding     string               `json:"encoding,omitempty"`
	Sheet        string               `json:"sheet,omitempty"`
	Warnings     []string             `json:"warnings,omitempty"`
	DryRun       bool                 `json:"dry_run,omitempty"`
}

// importProblem is one kind of rejection as JSON, with the first rows that have it.
type importProblem struct {
	Reason errcode.Code `json:"reason"`
	Why    string       `json:"why"`
	Count  int          `json:"count"`
	Rows   []problemRow `json:"rows"`
}

type problemRow struct {
	Line   int    `json:"line"`
	Column string `json:"column,omitempty"`
	Value  string `json:"value,omitempty"`
}

// problems puts the rejections of each kind together, in the order in which the kinds were met.
func problems(r imports.Result) []importProblem {
	kinds, places := []importProblem{}, map[errcode.Code]int{}
	for _, p := range r.Problems {
		place, known := places[p.Code]
		if !known {
			place = len(kinds)
			places[p.Code] = place
			kinds = append(kinds, importProblem{Reason: p.Code, Why: p.Reason, Count: r.ByReason[p.Code]})
		}
		kinds[place].Rows = append(kinds[place].Rows, problemRow{p.Line, p.Column, p.Value})
	}
	return kinds
}

func (s *session) tellImport(path string, r imports.Result, dryRun bool) error {
	if s.json {
		out := importResult{
			Rows: r.Rows, Added: r.Counts.Added, Changed: r.Counts.Changed, Unchanged: r.Counts.Unchanged, Repeated: r.Repeated,
			Rejected: r.Rejected, ByReason: r.ByReason, Problems: problems(r), RejectedFile: r.RejectedFile,
			Format: r.ReadAs.Format, Encoding: r.ReadAs.Encoding, Sheet: r.ReadAs.Sheet, Warnings: r.Warnings, DryRun: dryRun,
		}
		if out.ByReason == nil {
			out.ByReason = map[errcode.Code]int{}
		}
		return s.object(out)
	}
	if err := s.tellCounts(path, r, dryRun); err != nil {
		return err
	}
	for _, warning := range r.Warnings {
		if err := s.print("%s %s", s.painted(yellow, "warning:"), oneLine(warning)); err != nil {
			return err
		}
	}
	for _, kind := range problems(r) {
		if err := s.print("%s: %s [%s]\n  %s", s.painted(red, count(kind.Count, "row")), kind.Why, kind.Reason, kind.where()); err != nil {
			return err
		}
	}
	if r.RejectedFile == "" {
		return nil
	}
	return s.say("The rejected rows are in %s: mend them there and import that file.", r.RejectedFile)
}

func (s *session) tellCounts(path string, r imports.Result, dryRun bool) error {
	if as := r.ReadAs.String(); as != "" {
		if err := s.say("%s: %s", path, oneLine(as)); err != nil {
			return err
		}
	}
	again := ""
	if r.Repeated > 0 {
		again = fmt.Sprintf(", %d of people met again below", r.Repeated)
	}
	if dryRun {
		return s.say("%s: %s: %d good, %d rejected%s. It was a dry run: nothing was changed.", path, count(r.Rows, "row"),
			r.Rows-r.Rejected, r.Rejected, again)
	}
	return s.say("%s: %s: %d added, %d changed, %d unchanged, %d rejected%s.", path, count(r.Rows, "row"),
		r.Counts.Added, r.Counts.Changed, r.Counts.Unchanged, r.Rejected, again)
}

// where names the rows of a kind for people: lines 3, 9 (language "italiano") and 2 more.
func (p importProblem) where() string {
	var rows []string
	for _, row := range p.Rows {
		text := fmt.Sprint(row.Line)
		if row.Value != "" {
			text += fmt.Sprintf(" (%s %q)", row.Column, oneLine(row.Value))
		}
		rows = append(rows, text)
	}
	text := "line " + rows[0]
	if p.Count > 1 {
		text = "lines " + strings.Join(rows, ", ")
	}
	if more := p.Count - len(rows); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (s *session) withStore(cmd *cobra.Command, cfg *config.Config, work func(ctx context.Context, a *app.App) error) error {
	return s.withConfig(cmd, cfg, logProblems, work)
}
