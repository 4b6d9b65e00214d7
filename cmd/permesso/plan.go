package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

func (s *session) planVerb() *cobra.Command {
	var at, next string
	var ics bool
	cmd := s.verb(&cobra.Command{
		Use:   "plan [CAMPAIGN] [--at TIME] [--next SPAN [--ics]]",
		Short: "what would be sent, to how many, and when; changes nothing",
		Long: "Judges everybody as a run would, and counts. Without CAMPAIGN it plans each by itself. With --next it lists when campaigns\n" +
			"fire instead, and what they collide with, and needs no contacts, templates or network: where there is a database it\n" +
			"also counts whom each would reach as of now. --at may be past.",
		Example: "  permesso plan weekend-offer\n  permesso plan weekend-offer --at 2026-12-24T18:00\n  permesso plan --next 30d\n  permesso plan --next 90d --ics > campaigns.ics",
		Args:    atMostCampaign,
	}, func(cmd *cobra.Command, args []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		campaigns := cfg.Campaigns
		if len(args) == 1 {
			if err := campaign(cfg, args[0]); err != nil {
				return err
			}
			one, _ := cfg.Campaign(args[0])
			campaigns = []scheduler.Campaign{one}
		}
		start, err := when("--at", at, zoneOf(cfg))
		if err != nil {
			return err
		}
		if start.IsZero() {
			start = time.Now().Truncate(time.Second)
		}
		if cmd.Flags().Changed("next") {
			return s.planNext(cmd.Context(), cfg, campaigns, start, next, ics)
		}
		if ics {
			return misuse(errcode.MissingFlag, "--ics is a form of --next: `permesso plan --next 90d --ics`")
		}
		return s.withConfig(cmd, cfg, logProblems, func(ctx context.Context, a *app.App) error {
			return s.planAll(ctx, a, campaigns, start)
		})
	})
	cmd.Flags().StringVar(&at, "at", "", "as of this `TIME`; absent is now")
	cmd.Flags().StringVar(&next, "next", "", "list when campaigns fire within this `SPAN`, such as 30d")
	cmd.Flags().BoolVar(&ics, "ics", false, "with --next: as iCalendar, for the calendars that people look at")
	return cmd
}

func atMostCampaign(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return misuse(errcode.SurplusArgument, "%q is one argument too many: name one campaign, or none for all", args[1])
	}
	return nil
}

func (s *session) planAll(ctx context.Context, a *app.App, campaigns []scheduler.Campaign, at time.Time) error {
	if len(campaigns) == 0 {
		return s.say("%s has no campaigns.", a.Config.File)
	}
	if err := a.FirstTemplates(ctx); err != nil {
		a.Log.Warn("Meta's templates were never read, and cannot be read now", "error", err)
	}
	if err := a.FirstLimit(ctx); err != nil {
		a.Log.Warn("Meta's messaging limit was never read, and cannot be read now: plans keep to none", "error", err)
	}
	for i, c := range campaigns {
		plan, err := a.Plan(ctx, c.ID, at)
		if err != nil {
			return err
		}
		if i > 0 {
			err = s.say("")
		}
		if err = cmp.Or(err, s.tellRefusal(ctx, a, c.ID)); err != nil {
			return err
		}
		if s.json {
			err = s.object(plan)
		} else {
			err = s.tellPlan(a.Config, plan)
		}
		if err != nil {
			return err
		}
	}
	return s.tellRenames(ctx, a)
}

// tellRenames says below the plans which campaigns look like others under a new id.
func (s *session) tellRenames(ctx context.Context, a *app.App) error {
	renames, err := a.Renames(ctx)
	if err != nil {
		return err
	}
	for _, r := range renames {
		text := fmt.Sprintf("%s, whose last run was on %s, is not configured any more, and %s, which never ran, sends its template: a changed id is a new campaign, and its history, caps and holdout begin anew.",
			r.Gone.CampaignID, clock(r.Gone.FireAt, zoneOf(a.Config)), r.New)
		if s.json {
			a.Log.Warn("a campaign's id was changed: "+text, "was", r.Gone.CampaignID, "is", r.New)
			continue
		}
		if err := s.print("\n%s", s.painted(yellow, text)); err != nil {
			return err
		}
	}
	return nil
}

// tellRefusal says above what is judged of people that no run would come of it, for the template that they all would get.
func (s *session) tellRefusal(ctx context.Context, a *app.App, id string) error {
	refusal, err := a.Refusal(ctx, id)
	if err != nil || refusal == nil {
		return err
	}
	if s.json {
		a.Log.Warn("a run would be refused", "campaign", id, "error", refusal)
		return nil
	}
	for line := range strings.SplitSeq(refusal.Error(), "\n") {
		if err := s.print("%s", s.painted(red, fmt.Sprintf("`permesso run %s` would refuse: %s", id, oneLine(line)))); err != nil {
			return err
		}
	}
	return s.print("That is as of the last sync: `permesso templates sync` reads Meta's templates anew.\n")
}

// tellPlan prints a plan for people.
func (s *session) tellPlan(cfg *config.Config, p scheduler.Plan) error {
	zone := zoneOf(cfg)
	head := s.table("CAMPAIGN", p.Campaign)
	head.row("at", clock(p.At, zone))
	head.row("audience", p.Filter)
	head.row("plan", p.Hash)
	if !p.FinishAt.IsZero() {
		head.row("done by", clock(p.FinishAt, zone))
	}
	switch {
	case p.Cost != nil:
		head.row("cost", p.Cost.String())
	case p.Unpriced > 0:
		head.row("cost", fmt.Sprintf("not known: rates has no price for %d of these people", p.Unpriced))
	}
	if err := head.flush(); err != nil {
		return err
	}
	if err := s.print(""); err != nil {
		return err
	}
	t := s.table("PEOPLE", "", "").numbers(0)
	row := func(n int, what, why string) { t.row(fmt.Sprint(n), what, why) }
	row(p.Matched, "matched", "the audience has them")
	row(p.Allowed, "allowed", "would get it")
	if p.Deferred > 0 {
		row(p.Deferred, "deferred", "would get it later")
	}
	if p.Holdout > 0 {
		row(p.Holdout, "held out", "for comparison")
	}
	for _, reason := range inOrder(p.Denied) {
		row(p.Denied[reason], string(reason), report.Sentence(reason))
	}
	t.paint = func(row []string, column int, padded string) string {
		switch {
		case column != 1:
			return padded
		case row[1] == "allowed":
			return s.painted(green, padded)
		case row[1] == "deferred" || row[1] == "held out":
			return s.painted(yellow, padded)
		case p.Denied[policy.Reason(row[1])] > 0:
			return s.painted(red, padded)
		}
		return padded
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := s.tellWaves(p.Waves, zone); err != nil {
		return err
	}
	return s.tellSample(p.Sample, zone)
}

func (s *session) tellWaves(waves []scheduler.PlanWave, zone *time.Location) error {
	if len(waves) == 0 {
		return nil
	}
	if err := s.print(""); err != nil {
		return err
	}
	t := s.table("WAVE", "PEOPLE", "FROM").numbers(1)
	for _, w := range waves {
		t.row("up to "+w.UpTo, fmt.Sprint(w.People), clock(w.At, zone))
	}
	return t.flush()
}

func (s *session) tellSample(sample []scheduler.PlanSample, zone *time.Location) error {
	if len(sample) == 0 {
		return nil
	}
	if err := s.print(""); err != nil {
		return err
	}
	t := s.table("FIRST OF THEM", "LANGUAGE", "LEAVES", "MESSAGE")
	for _, m := range sample {
		leaves := "at once"
		if m.DueAt != nil {
			leaves = clock(*m.DueAt, zone)
		}
		t.row(m.Phone, m.Language, leaves, firstWords(m.Text))
	}
	return t.flush()
}

// firstWords is enough of a message to recognise it; --json has all of it.
func firstWords(text string) string {
	const width = 80
	runes := []rune(strings.ReplaceAll(text, "\n", " | "))
	if len(runes) <= width {
		return string(runes)
	}
	return string(runes[:width-1]) + "…"
}

// inOrder lists the reasons of a count in the order in which the rules are asked.
func inOrder(counts map[policy.Reason]int) []policy.Reason {
	var reasons []policy.Reason
	for _, reason := range report.Reasons() {
		if counts[reason] > 0 {
			reasons = append(reasons, reason)
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if counts[reason] > 0 && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// planNext lists when campaigns fire. Only to count people, and only after that, does it open anything.
func (s *session) planNext(ctx context.Context, cfg *config.Config, campaigns []scheduler.Campaign, at time.Time, text string, ics bool) error {
	length, err := span(text)
	if err != nil {
		return misuse(errcode.InvalidSpan, "--next %w", err)
	}
	if ics && s.json {
		return misuse(errcode.ConflictingFlags, "--ics and --json are two forms of one list: choose one")
	}
	if ics {
		return s.writeFeed(cfg, campaigns, at, at.Add(length))
	}
	return s.tellCalendar(ctx, cfg, campaigns, at, at.Add(length))
}
