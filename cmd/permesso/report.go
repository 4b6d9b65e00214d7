package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/sender"
)

func (s *session) reportVerb() *cobra.Command {
	var id string
	var asCSV bool
	var limit int
	cmd := s.verb(&cobra.Command{
		Use:     "report [--run RUN] [--csv]",
		Short:   "what happened: states and reasons of runs",
		Long:    "Reports one run, or every run, the newest first. Test runs are reported only by their id.",
		Example: "  permesso report --run 20261121-1700-k3f9xa\n  permesso report --csv > runs.csv",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		if asCSV && s.json {
			return misuse(errcode.ConflictingFlags, "--csv and --json are two formats: choose one")
		}
		if err := checkLimit(limit); err != nil {
			return err
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			runs, err := reported(ctx, a, id, limit)
			if err != nil {
				return err
			}
			return s.report(ctx, a, runs, asCSV)
		})
	})
	cmd.Flags().StringVar(&id, "run", "", "only this run, with every reason in words")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV, a row for each run")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N` runs")
	return cmd
}

// reported lists the ids of the runs to report.
func reported(ctx context.Context, a *app.App, id string, limit int) ([]string, error) {
	if id != "" {
		return []string{id}, nil
	}
	runs, err := a.Store.Runs(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range runs {
		if !r.Test && (limit == 0 || len(ids) < limit) {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}

func (s *session) report(ctx context.Context, a *app.App, ids []string, asCSV bool) error {
	write, flush := s.reportTable(zoneOf(a.Config))
	switch {
	case asCSV:
		w := report.NewSummaryCSV(s.out)
		write, flush = w.Write, w.Flush
	case s.json:
		write, flush = func(r report.Summary) error { return s.object(r) }, func() error { return nil }
	case len(ids) == 0:
		return s.say("No run yet: `permesso run CAMPAIGN` makes one.")
	case len(ids) == 1:
		write, flush = func(r report.Summary) error { return r.WriteText(s.out, zoneOf(a.Config)) }, func() error { return nil }
	}
	for _, id := range ids {
		summary, err := a.Store.Summary(ctx, id)
		if err == nil {
			err = write(summary)
		}
		if err != nil {
			return errors.Join(err, flush())
		}
	}
	return flush()
}

// reportTable prints a row for each run.
func (s *session) reportTable(zone *time.Location) (write func(report.Summary) error, flush func() error) {
	t := s.table("RUN", "CAMPAIGN", "FIRED AT", "PEOPLE", "DELIVERED", "READ", "FAILED", "SKIPPED", "UNKNOWN", "OPTED OUT", "REPLIED").
		numbers(3, 4, 5, 6, 7, 8, 9, 10)
	write = func(r report.Summary) error {
		n := func(states ...sender.State) string {
			sum := 0
			for _, state := range states {
				sum += r.States[state]
			}
			return fmt.Sprint(sum)
		}
		t.row(r.Run, r.Campaign, clock(r.FireAt.Time, zone), fmt.Sprint(r.Total()), n(sender.Delivered, sender.Read), n(sender.Read), n(sender.Failed),
			n(sender.Skipped), n(sender.Unknown), fmt.Sprint(r.OptedOut), fmt.Sprint(r.Replied))
		return t.err
	}
	return write, t.flush
}
