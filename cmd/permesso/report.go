package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
		Use:   "report [--run RUN] [--csv]",
		Short: "what happened: states and reasons of runs",
		Long: "Reports one run, or every run, the newest first. Test runs are reported only by their id. In the table SENT counts those\n" +
			"that were delivered or read since, and DELIVERED those that were read.",
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
	cmd.Flags().StringVar(&id, "run", "", "only this `RUN`, with every reason in words")
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
		if err == nil && summary.Lost() > 0 && summary.LostTo == nil && summary.DeletedAt.IsZero() && !asCSV && (s.json || len(ids) == 1) {
			summary.LostTo, err = a.Store.LostTo(ctx, id)
		}
		if err == nil {
			err = write(summary)
		}
		if err != nil {
			return errors.Join(err, flush())
		}
	}
	return flush()
}

// reportColumns are the counts of a report; those that may be left out are shown when some run has them.
var reportColumns = []struct {
	head  string
	count func(report.Summary) int
	rare  bool
}{
	{"PEOPLE", report.Summary.Total, false},
	{"QUEUED", inStates(sender.Queued, sender.Sending), true},
	{"ACCEPTED", inStates(sender.Accepted, sender.Held), true},
	{"SENT", inStates(sender.Sent, sender.Delivered, sender.Read), false},
	{"DELIVERED", inStates(sender.Delivered, sender.Read), false},
	{"READ", inStates(sender.Read), false},
	{"FAILED", inStates(sender.Failed), false},
	{"SKIPPED", inStates(sender.Skipped), false},
	{"UNKNOWN", inStates(sender.Unknown), true},
	{"CANCELLED", inStates(sender.Cancelled), true},
	{"EXPIRED", inStates(sender.Expired), true},
	{"OPTED OUT", func(r report.Summary) int { return r.OptedOut }, false},
	{"REPLIED", func(r report.Summary) int { return r.Replied }, false},
}

// costCell is a run's cost in a table; - when it is not known.
func costCell(r report.Summary) string {
	if r.Cost == nil {
		return "-"
	}
	return r.Cost.String()
}

func inStates(states ...sender.State) func(report.Summary) int {
	return func(r report.Summary) int {
		sum := 0
		for _, state := range states {
			sum += r.States[state]
		}
		return sum
	}
}

// reportTable prints a row for each run, once all are there: they choose the columns.
func (s *session) reportTable(zone *time.Location) (write func(report.Summary) error, flush func() error) {
	var all []report.Summary
	write = func(r report.Summary) error {
		all = append(all, r)
		return nil
	}
	flush = func() error {
		heads := []string{"RUN", "CAMPAIGN", "FIRED AT"}
		var counts []func(report.Summary) int
		var numbers []int
		for _, column := range reportColumns {
			if column.rare && !slices.ContainsFunc(all, func(r report.Summary) bool { return column.count(r) > 0 }) {
				continue
			}
			numbers = append(numbers, len(heads))
			heads, counts = append(heads, column.head), append(counts, column.count)
		}
		costs := slices.ContainsFunc(all, func(r report.Summary) bool { return r.Cost != nil || r.Unpriced > 0 })
		if costs {
			numbers = append(numbers, len(heads))
			heads = append(heads, "COST")
		}
		t := s.table(heads...).numbers(numbers...)
		for _, r := range all {
			row := []string{r.Run, r.Campaign, clock(r.FireAt.Time, zone)}
			for _, count := range counts {
				row = append(row, fmt.Sprint(count(r)))
			}
			if costs {
				row = append(row, costCell(r))
			}
			t.row(row...)
		}
		return t.flush()
	}
	return write, flush
}
