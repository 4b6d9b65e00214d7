package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
)

func (s *session) demoVerb() *cobra.Command {
	var exit bool
	cmd := s.verb(&cobra.Command{
		Use:   "demo [--exit]",
		Short: "see a campaign go out, with invented people and an invented WhatsApp",
		Long: "Sets up a whole installation in a new folder: SQLite, a sandbox WhatsApp Cloud API, sample contacts with consent, and sends\n" +
			"tonight's campaign now, opt-outs arriving while it runs. Nothing leaves this machine. The console stays open until Ctrl-C.",
		Example: "  permesso demo\n  permesso demo --exit",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		dir, err := os.MkdirTemp("", "permesso-demo-")
		if err != nil {
			return errcode.With(fmt.Errorf("making a folder for the demo: %w", err), errcode.FileUnwritable)
		}
		return s.demo(cmd.Context(), dir, exit)
	})
	cmd.Flags().BoolVar(&exit, "exit", false, "end after the run instead of keeping the console open")
	return cmd
}

func (s *session) demo(ctx context.Context, dir string, exit bool) (err error) {
	d, err := app.OpenDemo(ctx, dir, s.logger(logProblems))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := s.demoScene(d); err != nil {
		return err
	}
	if _, err := d.Preview(ctx); err != nil {
		return err
	}
	run, err := d.Tonight(ctx)
	if err != nil {
		return err
	}
	if !s.json && !s.quiet {
		if err := errors.Join(s.tellPlan(d.Config, run.Plan), s.print("")); err != nil {
			return err
		}
	}
	bar := s.newBar(int64(max(run.Plan.Matched, 1)), "sending")
	summary, err := d.Follow(ctx, run, bar.run(run.Plan.Matched, zoneOf(d.Config)))
	bar.finish()
	if err != nil {
		return err
	}
	if s.json {
		if err := s.object(summary); err != nil {
			return err
		}
	} else if err := summary.WriteText(s.out, zoneOf(d.Config)); err != nil {
		return err
	}
	if err := s.demoNext(d, run.ID, exit); err != nil || exit {
		return err
	}
	<-ctx.Done()
	return nil
}

func (s *session) demoScene(d *app.Demo) error {
	if s.json || s.quiet {
		return nil
	}
	said := func(r imports.Result) int { return r.Counts.Added + r.Counts.Changed + r.Counts.Unchanged }
	return s.print("permesso demo: invented people, an invented WhatsApp; nothing leaves this machine\n\n"+
		"  folder   %s\n  sandbox  %s (a WhatsApp Cloud API in memory)\n  console  http://%s\n\n"+
		"imported %d contacts, %d consents, %d suppressions; the club gets its preview first\n",
		d.Dir, d.Sandbox, d.Config.Listen.Console, said(d.Contacts), said(d.Consents), said(d.Stops))
}

// demoNext tells where to look further.
func (s *session) demoNext(d *app.Demo, run string, exit bool) error {
	if s.json || s.quiet {
		return nil
	}
	err := s.print("\nevery person has a row with its reason; ask for them:\n"+
		"  permesso log --config %[1]s/config.yaml --run %[2]s --state skipped\n"+
		"  permesso explain --config %[1]s/config.yaml weekend-offer PHONE", d.Dir, run)
	if err != nil || exit {
		return err
	}
	return s.print("\nthe console is at http://%s; Ctrl-C ends the demo", d.Config.Listen.Console)
}
