package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/report"
)

func (s *session) notifyVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "notify", Short: "telling other programs of pauses, missed runs and refusals: test, list"}, s.notifyTestVerb(), s.notifyListVerb())
}

// notified is what `notify test` prints as JSON.
type notified struct {
	ID      string  `json:"id"` // the webhook-id
	Status  int     `json:"status"`
	Seconds float64 `json:"seconds"`
	Waiting int     `json:"waiting"` // notices that are tried at once now
}

func (s *session) notifyTestVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "test",
		Short: "post a test to notify.url, and say how it answers",
		Long:  "Posts a signed notice of the type notify.test to notify.url. When it is taken, notices that wait for their next attempt\nare tried at once.",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			tested, err := a.TestNotify(ctx, s.actor())
			if err != nil {
				return err
			}
			waits := ""
			if tested.Waiting > 0 {
				waits = fmt.Sprintf(" A running `permesso serve` now delivers the %s before.", count(tested.Waiting, "notice"))
			}
			return s.done(notified{tested.ID, tested.Answer.Status, tested.Answer.Took.Seconds(), tested.Waiting},
				"The receiver %s in %s.%s", tested.Answer, tested.Answer.Took.Round(time.Millisecond), waits)
		})
	})
}

func (s *session) notifyListVerb() *cobra.Command {
	var limit int
	cmd := s.verb(&cobra.Command{
		Use:   "list [--limit N]",
		Short: "list what nobody was told yet: notices that wait, and those of the last week that were given up",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(limit); err != nil {
			return err
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			list, err := a.Store.Notices(ctx, limit)
			if err != nil {
				return err
			}
			return s.tellNotices(a, list)
		})
	})
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N` notices")
	return cmd
}

func (s *session) tellNotices(a *app.App, list []report.Notice) error {
	if s.json {
		for _, n := range list {
			if err := s.object(n); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		return s.say("Everything was told.")
	}
	if a.Config.Notify.URL == "" {
		a.Log.Warn("the configuration has no notify: nobody is told of these")
	}
	zone := zoneOf(a.Config)
	t := s.table("AT", "TYPE", "STATE", "ATTEMPTS", "NEXT", "SAYS", "LAST ANSWER").numbers(3)
	t.paint = func(row []string, column int, padded string) string {
		if column != 2 || row[2] != string(report.NoticeFailed) {
			return padded
		}
		return s.painted(red, padded)
	}
	for _, n := range list {
		t.row(clock(n.At.Time, zone), string(n.Type), string(n.State), fmt.Sprint(n.Attempts), cmp.Or(clock(n.NextAt.Time, zone), "-"), n.Data.Sentence, n.Error)
	}
	return t.flush()
}
