package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

func (s *session) runsVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "runs", Short: "runs: list, show, pause, resume, cancel, approve, resend"},
		s.runsListVerb(), s.runsShowVerb(),
		s.runsMoveVerb("pause", "hold a run: nothing of it is sent until it is resumed", scheduler.Paused),
		s.runsResumeVerb(),
		s.runsMoveVerb("cancel", "end a run: whoever still waits gets nothing", scheduler.RunCancelled),
		s.runsApproveVerb(), s.runsResendVerb())
}

func (s *session) runsListVerb() *cobra.Command {
	var id, state string
	var limit int
	cmd := s.verb(&cobra.Command{
		Use:   "list [flags]",
		Short: "list runs, the newest first",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		if err := runListFlags(state, limit); err != nil {
			return err
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			runs, err := a.Store.Runs(ctx, id, 0)
			if err != nil {
				return err
			}
			if state != "" {
				runs = slices.DeleteFunc(runs, func(r scheduler.Run) bool { return string(r.State) != state })
			}
			if limit > 0 {
				runs = runs[:min(limit, len(runs))]
			}
			if id != "" && len(runs) == 0 {
				if err := campaign(a.Config, id); err != nil {
					return err // a campaign that was configured once still has runs to show
				}
			}
			if err := s.tellQuarantine(ctx, a); err != nil {
				return err
			}
			if err := s.tellRuns(a, runs); err != nil {
				return err
			}
			return s.tellBreakers(ctx, a)
		})
	})
	cmd.Flags().StringVar(&id, "campaign", "", "only runs of this `CAMPAIGN`")
	cmd.Flags().StringVar(&state, "state", "", "only runs in this `STATE`: "+strings.Join(runStates, ", "))
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N` runs")
	return cmd
}

var runStates = words(scheduler.RunStates())

func runListFlags(state string, limit int) error {
	if state != "" && !slices.Contains(runStates, state) {
		return misuse(errcode.NoSuchState, "--state %q is no state of a run%s", state, among(state, runStates))
	}
	return checkLimit(limit)
}

func checkLimit(limit int) error {
	if limit < 0 {
		return misuse(errcode.InvalidLimit, "--limit %d: write a number above 0, or leave it out for every line", limit)
	}
	return nil
}

// tellQuarantine says above a list that nothing is sent, and why; programs ask `resume` or /metrics.
func (s *session) tellQuarantine(ctx context.Context, a *app.App) error {
	if s.json {
		return nil
	}
	q, err := a.LookOnly(ctx)
	if err != nil || q == nil {
		return err
	}
	return errors.Join(s.print("%s", app.SayQuarantine(*q)), s.print(""))
}

func (s *session) tellRuns(a *app.App, runs []scheduler.Run) error {
	t := s.table("RUN", "CAMPAIGN", "FIRES AT", "STATE", "MATCHED", "WHY").numbers(4)
	t.paint = func(row []string, column int, padded string) string {
		if column != 3 {
			return padded
		}
		return s.painted(runColours[scheduler.RunState(row[3])], padded)
	}
	for _, r := range runs {
		if s.json {
			if err := s.object(report.RunOf(r)); err != nil {
				return err
			}
			continue
		}
		name := r.CampaignID
		if r.Test {
			name += " (test)"
		}
		t.row(r.ID, name, clock(r.FireAt, zoneOf(a.Config)), string(r.State), fmt.Sprint(r.Plan.Matched), r.Why)
	}
	switch {
	case s.json:
		return nil
	case len(runs) == 0:
		return s.say("No run matches.")
	}
	return t.flush()
}

// tellBreakers says what holds sending back, also when no run stands for it now. As JSON the runs say it.
func (s *session) tellBreakers(ctx context.Context, a *app.App) error {
	if s.json {
		return nil
	}
	open, err := a.Store.Breakers(ctx)
	if err != nil {
		return err
	}
	for _, b := range open {
		if err := s.say("\nHeld back since %s: %s: %s.", clock(b.Since, zoneOf(a.Config)), b.Key(), b.Why); err != nil {
			return err
		}
	}
	return nil
}

var runColours = map[scheduler.RunState]string{
	scheduler.Running: green, scheduler.Paused: yellow, scheduler.Waiting: yellow, scheduler.RunCancelled: red, scheduler.Missed: red,
}

func (s *session) runsShowVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "show RUN",
		Short: "show a run, and where its people stand",
		Args:  exactly("RUN"),
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			run, err := a.Store.Run(ctx, args[0])
			if err != nil {
				return err
			}
			progress, err := a.Store.Progress(ctx, run.ID)
			if err != nil {
				return err
			}
			line := report.RunOf(run)
			line.States, line.Plan = progress.States, &run.Plan
			if s.json {
				return s.object(line)
			}
			orphaned, err := nobodySends(ctx, a, run)
			if err != nil {
				return err
			}
			run.Why = cmp.Or(run.Why, orphaned)
			return s.tellRun(a, run, line)
		})
	})
}

// nobodySends says what to do with a run that no process carries; "" when one does, or none has to.
func nobodySends(ctx context.Context, a *app.App, run scheduler.Run) (string, error) {
	if !app.Goes(run.State) {
		return "", nil
	}
	until, err := a.Store.LeaseUntil(ctx, run.NumberID)
	if err != nil || !until.IsZero() {
		return "", err
	}
	return fmt.Sprintf("no process sends for its number: `permesso serve`, or `permesso runs resume %s`, goes on with it", run.ID), nil
}

func (s *session) tellRun(a *app.App, run scheduler.Run, line report.Run) error {
	zone := zoneOf(a.Config)
	t := s.table("RUN", run.ID)
	how := "by its schedule, of " + run.Occurrence
	if run.Manual {
		how = "by hand"
	}
	if run.CreatedBy != "" {
		how += ", by " + run.CreatedBy
	}
	if run.Test {
		how += ", a test"
	}
	if run.Resends != "" {
		how += ", to send unproven messages of " + run.Resends + " again"
	}
	approved := ""
	if run.Approval.By != "" {
		approved = fmt.Sprintf("by %s at %s, for %d people", run.Approval.By, clock(run.Approval.At, zone), run.Approval.People)
	}
	for _, row := range [][2]string{
		{"campaign", run.CampaignID}, {"state", string(run.State)}, {"why", run.Why}, {"paused by", pausedBy(run)}, {"wave", run.WaveSays(func(t time.Time) string { return clock(t, zone) })}, {"started", how}, {"approved", approved}, {"plan", run.Plan.Hash}, {"number", run.NumberID},
		{"fires at", clock(run.FireAt, zone)}, {"first message", clock(run.StartedAt, zone)}, {"finished", clock(run.FinishedAt, zone)},
		{"audience", run.Plan.Filter}, {"planned", fmt.Sprintf("%d matched, %d allowed, %d deferred", run.Plan.Matched, run.Plan.Allowed, run.Plan.Deferred)},
	} {
		if row[1] != "" {
			t.row(row[0], row[1])
		}
	}
	for _, state := range sender.States() {
		if n := line.States[state]; n > 0 {
			t.row(string(state), fmt.Sprint(n))
		}
	}
	return t.flush()
}

// pausedBy names the breaker that paused the run, "" when a person did.
func pausedBy(run scheduler.Run) string {
	if run.PausedBy == "" {
		return ""
	}
	return "a breaker: " + run.PausedBy
}

// runMoved is what pause, resume and cancel print as JSON.
type runMoved struct {
	Run   string             `json:"run"`
	State scheduler.RunState `json:"state"`
}

func (s *session) runsMoveVerb(name, short string, to scheduler.RunState) *cobra.Command {
	var reason string
	cmd := s.verb(&cobra.Command{Use: name + " RUN [--reason WHY]", Short: short, Args: exactly("RUN")}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			run, err := a.MoveRun(ctx, args[0], to, s.actor(), reason)
			if err != nil {
				return err
			}
			return s.tellMoved(ctx, a, run, to)
		})
	})
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, shown with the run and kept in the audit log")
	return cmd
}

func (s *session) tellMoved(ctx context.Context, a *app.App, run scheduler.Run, to scheduler.RunState) error {
	if s.json {
		return s.object(runMoved{run.ID, run.State})
	}
	switch to {
	case scheduler.Paused:
		return s.say("%s is paused; `permesso runs resume %s` lets it go on.", run.ID, run.ID)
	case scheduler.RunCancelled:
		return s.say("%s is cancelled; whoever still waited gets nothing.", run.ID)
	}
	halted, _, err := a.Store.Halted(ctx)
	if err != nil {
		return err
	}
	if !halted.IsZero() {
		return s.say("%s may go on, but everything is halted: `permesso resume` takes that back.", run.ID)
	}
	return s.say("%s is %s again; a running `permesso serve` sends it.", run.ID, run.State)
}

// runsResumeVerb lets a run go on: a paused one, and one that was left behind by a process that died.
func (s *session) runsResumeVerb() *cobra.Command {
	var reason string
	var detach bool
	cmd := s.verb(&cobra.Command{
		Use: "resume RUN [--reason WHY] [--detach]", Short: "let a paused or abandoned run go on", Args: exactly("RUN"),
		Long: "Lets a paused run go on, and one whose process died. When a serve sends for its number, that does it; otherwise it is\n" +
			"carried on here, as `run` does.",
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			if err := a.Admit(ctx); err != nil {
				return err
			}
			run, err := a.Store.Run(ctx, args[0])
			if err != nil {
				return err
			}
			abandoned := app.Goes(run.State) && !detach
			if !abandoned {
				if run, err = a.MoveRun(ctx, args[0], scheduler.Running, s.actor(), reason); err != nil {
					return err
				}
			}
			carried, err := a.Carried(ctx, run.NumberID)
			if err != nil {
				return err
			}
			if detach || carried {
				return s.tellMoved(ctx, a, run, scheduler.Running)
			}
			return s.carryOn(ctx, a, run)
		})
	})
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, shown with the run and kept in the audit log")
	cmd.Flags().BoolVar(&detach, "detach", false, "leave it to a serve, also when none is running")
	return cmd
}
