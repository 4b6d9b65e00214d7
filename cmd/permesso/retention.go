package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/report"
)

func (s *session) retentionVerb() *cobra.Command {
	var dry bool
	cmd := s.verb(&cobra.Command{
		Use:   "retention [--dry-run]",
		Short: "delete now what is older than retention keeps, or count it",
		Long: "`permesso serve` does this every hour. What a run came to in numbers stays, and `permesso report` tells it. The audit log\n" +
			"has how much went. Of what no key of retention names nothing is deleted.",
		Example: "  permesso retention --dry-run\n  permesso retention",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			if dry {
				old, err := a.Forgettable(ctx)
				if err != nil {
					return err
				}
				return s.tellForgotten(a, old, "WOULD GO")
			}
			gone, err := a.Forget(ctx, s.actor())
			if err != nil && gone == (report.Forgotten{}) {
				return err
			}
			return errors.Join(err, s.tellForgotten(a, gone, "WENT"))
		})
	})
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count, and delete nothing")
	return cmd
}

func (s *session) tellForgotten(a *app.App, f report.Forgotten, head string) error {
	if s.json {
		return s.object(f)
	}
	kept := a.Config.Retention
	t := s.table("KIND", "KEPT FOR", head).numbers(2)
	row := func(kind string, age time.Duration, n string) {
		if age == 0 {
			t.row(kind, "ever", "-")
			return
		}
		t.row(kind, spanText(age), n)
	}
	deliveries := count(f.Deliveries, "delivery")
	if f.Runs > 0 {
		deliveries += " of " + count(f.Runs, "run")
	}
	row("deliveries", kept.Deliveries, deliveries)
	row("webhooks", kept.Webhooks, count(f.Webhooks, "webhook"))
	row("review_texts", kept.ReviewTexts, count(f.ReviewTexts, "text"))
	return t.flush()
}

// spanText writes a span as the configuration does, in whole days where it has them.
func spanText(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return count(int(d/day), "day")
	}
	return d.String()
}
