package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

func (s *session) explainVerb() *cobra.Command {
	var at string
	cmd := s.verb(&cobra.Command{
		Use:     "explain CAMPAIGN PHONE [--at TIME]",
		Short:   "why a person would, or would not, get a campaign: every rule in order",
		Example: "  permesso explain weekend-offer +393471234567 --at 2026-12-24T18:00",
		Args:    exactly("CAMPAIGN", "PHONE"),
	}, func(cmd *cobra.Command, args []string) error {
		cfg, start, err := s.campaignAt(args[0], at)
		if err != nil {
			return err
		}
		phone, _, err := anyNumber(cfg, args[1])
		if err != nil {
			return err
		}
		return s.withConfig(cmd, cfg, logProblems, func(ctx context.Context, a *app.App) error {
			if err := a.FirstTemplates(ctx); err != nil {
				a.Log.Warn("Meta's templates were never read, and cannot be read now", "error", err)
			}
			decision, rules, err := a.Explain(ctx, args[0], phone, start)
			if err != nil {
				return err
			}
			if err := s.tellRefusal(ctx, a, args[0]); err != nil {
				return err
			}
			return s.tellExplained(args[0], string(phone), decision, rules, zoneOf(cfg))
		})
	})
	cmd.Flags().StringVar(&at, "at", "", "if the run started at this `TIME`; absent is now")
	return cmd
}

// explained is what `explain --json` prints (CONTRACT §4).
type explained struct {
	Verdict string        `json:"verdict"`
	Reason  policy.Reason `json:"reason"`
	Until   *time.Time    `json:"until,omitempty"`
	Rules   []ruled       `json:"rules"`
}

type ruled struct {
	Rule    string        `json:"rule"`
	Verdict string        `json:"verdict"`
	Reason  policy.Reason `json:"reason"`
	Because string        `json:"because"`
}

func (s *session) tellExplained(id, phone string, d policy.Decision, rules []policy.Judgement, zone *time.Location) error {
	if s.json {
		out := explained{Verdict: d.Verdict.String(), Reason: d.Reason, Rules: []ruled{}}
		if !d.Until.IsZero() {
			until := d.Until.In(zone)
			out.Until = &until
		}
		for _, j := range rules {
			out.Rules = append(out.Rules, ruled{j.Rule, j.Verdict.String(), j.Reason, j.Because})
		}
		return s.object(out)
	}
	if err := s.print("%s to %s: %s", id, phone, s.verdictInWords(d, zone)); err != nil {
		return err
	}
	if err := s.print(""); err != nil {
		return err
	}
	t := s.table("", "RULE", "REASON", "BECAUSE")
	t.paint = func(row []string, column int, padded string) string {
		if column != 0 {
			return padded
		}
		return s.painted(map[string]string{"✓": green, "✗": red, "…": yellow}[row[0]], padded)
	}
	for _, j := range rules {
		t.row(marks[j.Verdict], j.Rule, string(j.Reason), j.Because)
	}
	return t.flush()
}

var marks = map[policy.Verdict]string{policy.Allow: "✓", policy.Deny: "✗", policy.Defer: "…"}

func (s *session) verdictInWords(d policy.Decision, zone *time.Location) string {
	switch d.Verdict {
	case policy.Allow:
		return s.painted(green, "would get it")
	case policy.Defer:
		return s.painted(yellow, fmt.Sprintf("would get it later, at %s (%s)", clock(d.Until, zone), d.Reason))
	}
	return s.painted(red, fmt.Sprintf("would not get it: %s (%s)", report.Sentence(d.Reason), d.Reason))
}
