package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

func (s *session) checkVerb() *cobra.Command {
	var online bool
	var format string
	cmd := s.verb(&cobra.Command{
		Use:   "check [--online] [--format text|json|sarif|github]",
		Short: "read the configuration and explain every mistake",
		Long: "Reads the configuration and explains every mistake with its line. With --online it also asks Meta for the token,\nthe numbers and every campaign's template.\n\n" +
			"--format github marks the lines in a pull request, --format sarif is for code scanning.",
		Example: "  permesso check\n  permesso check --format sarif > permesso.sarif",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		if err := s.checkFormat(format); err != nil {
			return err
		}
		return s.check(cmd, format, online)
	})
	cmd.Flags().BoolVar(&online, "online", false, "also ask Meta: token, numbers, templates")
	cmd.Flags().StringVar(&format, "format", formatText, "`FORMAT` of what is found: text, json, sarif or github")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(checkFormats, cobra.ShellCompDirectiveNoFileComp)) // errs only on a flag that is not there
	return cmd
}

const (
	formatText   = "text"
	formatJSON   = "json"
	formatSARIF  = "sarif"
	formatGitHub = "github"
)

var checkFormats = []string{formatText, formatJSON, formatSARIF, formatGitHub}

// checkFormat accepts a format; json is what --json means as well.
func (s *session) checkFormat(format string) error {
	switch {
	case !slices.Contains(checkFormats, format):
		return misuse(errcode.InvalidFlagValue, "--format: there is no format %q%s", format, among(format, checkFormats))
	case s.json && (format == formatSARIF || format == formatGitHub):
		return misuse(errcode.ConflictingFlags, "--json and --format %s are two formats: choose one", format)
	}
	s.json = s.json || format == formatJSON
	return nil
}

// checked is what `check --json` prints.
type checked struct {
	Valid    bool             `json:"valid"` // the configuration; what Meta says is in online
	Problems []config.Problem `json:"problems"`
	More     int              `json:"more,omitempty"` // problems that were left out
	Warnings []config.Problem `json:"warnings"`
	Online   *app.Online      `json:"online,omitempty"`
}

func (s *session) check(cmd *cobra.Command, format string, online bool) error {
	cfg, err := s.config()
	found := findings(s.configFile, cfg, err)
	if err != nil {
		return s.tellInvalid(format, found, err)
	}
	if !s.json {
		if err := s.tellValid(format, cfg, found); err != nil {
			return err
		}
	}
	var refused error
	if online {
		said, err := app.AskMeta(cmd.Context(), cfg, s.logger(slog.LevelWarn))
		found.Online, refused = said, err
		if said != nil && !s.json && format == formatText {
			refused = errors.Join(refused, s.tellOnline(*said))
		}
	}
	if s.json {
		return errors.Join(refused, s.object(found))
	}
	return refused
}

// findings gathers what loading found, right or wrong. A file that cannot be read has its mistake at its beginning.
func findings(file string, cfg *config.Config, err error) checked {
	found := checked{Valid: err == nil, Problems: []config.Problem{}, Warnings: []config.Problem{}}
	if err == nil {
		found.Warnings = append(found.Warnings, cfg.Warnings...)
		return found
	}
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		found.Problems, found.More = append(found.Problems, problems.All...), problems.More
		found.Warnings = append(found.Warnings, problems.Warnings...)
		return found
	}
	code, known := errcode.Of(err)
	if !known {
		code = errcode.ConfigurationUnreadable
	}
	found.Problems = append(found.Problems, config.Problem{File: file, Line: 1, Column: 1, Severity: config.SeverityError, Code: code, Message: err.Error()})
	return found
}

// tellInvalid prints what is wrong in formats that have it on stdout; the text is the error's own and goes to stderr.
func (s *session) tellInvalid(format string, found checked, err error) error {
	switch {
	case s.json:
		return errors.Join(err, s.object(found))
	case format == formatText:
		return err
	}
	// The mistakes are printed here: beside them the error is only counted.
	return errors.Join(&mistaken{len(found.Problems) + found.More}, s.tellMachine(format, found))
}

func (s *session) tellValid(format string, cfg *config.Config, found checked) error {
	if format == formatText {
		return s.tellConfig(cfg)
	}
	return s.tellMachine(format, found)
}

func (s *session) tellMachine(format string, found checked) error {
	all := append(slices.Clone(found.Problems), found.Warnings...)
	if format == formatSARIF {
		return s.tellSARIF(all)
	}
	return s.tellGitHub(all)
}

// mistaken says that the configuration has mistakes, which have been printed already.
type mistaken struct{ mistakes int }

// Error counts them.
func (e *mistaken) Error() string {
	return fmt.Sprintf("%s in the configuration; nothing was done", count(e.mistakes, "mistake"))
}

// ErrorCode returns its code.
func (e *mistaken) ErrorCode() errcode.Code { return errcode.InvalidConfiguration }

const firesShown = 3

func (s *session) tellConfig(cfg *config.Config) error {
	if err := s.say("%s is right: %s, %s, %s.", cfg.File, count(len(cfg.Campaigns), "campaign"), count(len(cfg.Rules.Categories), "category"),
		count(len(cfg.Numbers), "number")); err != nil {
		return err
	}
	for _, warning := range cfg.Warnings {
		if err := s.print("%s %s", s.painted(yellow, "warning:"), warning); err != nil {
			return err
		}
	}
	if cfg.DryRun {
		if err := s.say("dry_run is true: nothing leaves."); err != nil {
			return err
		}
	}
	if s.quiet {
		return nil
	}
	t, any := s.table("CAMPAIGN", "NEXT", ""), false
	for _, c := range cfg.Campaigns {
		if c.Schedule == nil {
			continue
		}
		fires, err := c.Next(time.Now(), firesShown)
		if err != nil {
			return err
		}
		any = true
		if len(fires) == 0 {
			t.row(c.ID, "never again", "")
		}
		for _, f := range fires {
			t.row(c.ID, clock(f.At, f.At.Location()), f.NoteInWords())
		}
	}
	if !any {
		return s.say("No campaign has a schedule: each goes out by hand, with `permesso run CAMPAIGN`.")
	}
	return t.flush()
}

func (s *session) tellOnline(said app.Online) error {
	if s.quiet {
		return nil
	}
	t := s.table("NUMBER", "PHONE", "NAME", "STATUS", "QUALITY", "LIMIT")
	for _, n := range said.Numbers {
		t.row(n.ID, n.Phone, n.Name, n.Status, n.Quality, n.Limit)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, warning := range said.Warnings {
		if err := s.print("%s %s", s.painted(yellow, "warning:"), warning); err != nil {
			return err
		}
	}
	return s.say("Meta lists %s.", count(said.Templates, "template"))
}
