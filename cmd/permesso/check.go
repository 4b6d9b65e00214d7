package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
)

func (s *session) checkVerb() *cobra.Command {
	var online bool
	cmd := s.verb(&cobra.Command{
		Use:   "check [--online]",
		Short: "read the configuration and explain every mistake",
		Long:  "Reads the configuration and explains every mistake with its line. With --online it also asks Meta for the token,\nthe numbers and every campaign's template.",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.check(cmd, online)
	})
	cmd.Flags().BoolVar(&online, "online", false, "also ask Meta: token, numbers, templates")
	return cmd
}

// checked is what `check --json` prints.
type checked struct {
	OK       bool             `json:"ok"`
	Problems []config.Problem `json:"problems,omitempty"`
	Warnings []config.Problem `json:"warnings"`
	Online   *app.Online      `json:"online,omitempty"`
}

func (s *session) check(cmd *cobra.Command, online bool) error {
	cfg, err := s.config()
	if err != nil {
		if problems, ok := errors.AsType[*config.Problems](err); ok && s.json {
			err = errors.Join(err, s.object(checked{Problems: problems.All, Warnings: []config.Problem{}}))
		}
		return err
	}
	result := checked{OK: true, Warnings: append([]config.Problem{}, cfg.Warnings...)}
	if !s.json {
		if err := s.tellConfig(cfg); err != nil {
			return err
		}
	}
	var refused error
	if online {
		said, err := app.AskMeta(cmd.Context(), cfg, s.logger(slog.LevelWarn))
		result.OK, result.Online, refused = err == nil, &said, err
		if !s.json {
			refused = errors.Join(refused, s.tellOnline(said))
		}
	}
	if s.json {
		return errors.Join(refused, s.object(result))
	}
	return refused
}

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
	return s.say("%s", fmt.Sprintf("Meta lists %s.", count(said.Templates, "template")))
}
