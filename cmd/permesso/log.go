package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// logFlags choose lines of the log.
type logFlags struct {
	campaign, run, phone, state, reason, since string
	limit                                      int
	follow                                     bool
}

func (s *session) logVerb() *cobra.Command {
	var f logFlags
	cmd := s.verb(&cobra.Command{
		Use:   "log [flags]",
		Short: "the send log: one line for each person of each run",
		Example: "  permesso log --phone +393471234567\n  permesso log --campaign weekend-offer --reason frequency_cap --since 7d\n" +
			"  permesso log -f --json",
		Args: exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			filter, err := f.filter(ctx, a)
			if err != nil {
				return err
			}
			return s.log(ctx, a, filter, f.follow)
		})
	})
	flags := cmd.Flags()
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on as lines change, until Ctrl-C")
	flags.StringVar(&f.campaign, "campaign", "", "only this `CAMPAIGN`")
	flags.StringVar(&f.run, "run", "", "only this `RUN`")
	flags.StringVar(&f.phone, "phone", "", "only the person with this `PHONE`, in whatever form the number is written")
	flags.StringVar(&f.state, "state", "", "only lines in this `STATE`: "+strings.Join(words(sender.States()), ", "))
	flags.StringVar(&f.reason, "reason", "", "only lines with this `REASON`, such as suppressed or frequency_cap")
	flags.StringVar(&f.since, "since", "", "only lines that changed since this `TIME`, or within this span, such as 24h")
	flags.IntVar(&f.limit, "limit", 0, "at most `N` lines")
	return cmd
}

func words[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = string(w)
	}
	return texts
}

func (f logFlags) filter(ctx context.Context, a *app.App) (report.Filter, error) {
	filter := report.Filter{Campaign: f.campaign, Run: f.run, State: sender.State(f.state), Reason: policy.Reason(f.reason), Limit: f.limit}
	if err := checkLimit(f.limit); err != nil {
		return filter, err
	}
	if states := words(sender.States()); f.state != "" && !slices.Contains(states, f.state) {
		return filter, misuse(errcode.NoSuchState, "--state %q is no state%s", f.state, among(f.state, states))
	}
	if reasons := words(report.Reasons()); f.reason != "" && !slices.Contains(reasons, f.reason) {
		return filter, misuse(errcode.NoSuchReason, "--reason %q is no reason%s", f.reason, among(f.reason, reasons))
	}
	if f.phone != "" {
		phone, _, err := anyNumber(a.Config, f.phone)
		if err != nil {
			return filter, err
		}
		filter.Phone = phone
	}
	if f.run != "" {
		if _, err := a.Store.Run(ctx, f.run); err != nil {
			return filter, err
		}
	}
	if f.campaign != "" {
		if err := knownCampaign(ctx, a, f.campaign); err != nil {
			return filter, err
		}
	}
	var err error
	filter.Since, err = ago("--since", f.since, time.Now(), zoneOf(a.Config))
	return filter, err
}

// knownCampaign takes a campaign that is configured, or was once and has runs.
func knownCampaign(ctx context.Context, a *app.App, id string) error {
	wrong := campaign(a.Config, id)
	if wrong == nil {
		return nil
	}
	runs, err := a.Store.Runs(ctx, id, 1)
	if err != nil {
		return err
	}
	if len(runs) > 0 {
		return nil
	}
	return wrong
}

func (s *session) log(ctx context.Context, a *app.App, filter report.Filter, follow bool) error {
	until, err := a.Store.VisibleUntil(ctx)
	if err != nil {
		return err
	}
	write, n := s.lineWriter(zoneOf(a.Config)), 0
	shown := map[report.Cursor]time.Time{} // what the first tail would show again
	for line, err := range a.Store.Log(ctx, filter) {
		if err == nil {
			err = write(line)
		}
		if err != nil {
			return err
		}
		n++
		if follow && line.ChangedAt.After(until) {
			shown[line.At] = line.ChangedAt.Time
		}
	}
	if follow {
		return s.follow(ctx, a, filter, until, shown, write)
	}
	if n == 0 {
		return s.say("No line matches.")
	}
	return nil
}

func (s *session) lineWriter(zone *time.Location) func(report.Line) error {
	if s.json {
		return func(l report.Line) error { return s.object(l) }
	}
	return report.NewLineTable(s.out, zone).Write
}

const followEvery = time.Second

// follow prints lines as they change, until the person has seen enough.
func (s *session) follow(ctx context.Context, a *app.App, filter report.Filter, since time.Time, shown map[report.Cursor]time.Time, write func(report.Line) error) error {
	filter.Limit = 0
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		until, err := a.Store.VisibleUntil(ctx)
		for line, failure := range a.Store.Tail(ctx, filter, since, until) {
			if err = errors.Join(err, failure); err != nil {
				break
			}
			if at, again := shown[line.At]; again && at.Equal(line.ChangedAt.Time) {
				delete(shown, line.At)
				continue
			}
			if err = write(line); err != nil {
				break
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		since = until
	}
}
