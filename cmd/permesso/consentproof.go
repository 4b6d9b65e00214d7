package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// errLedger says that the ledger is not as it was recorded. What and where was printed.
var errLedger = errcode.With(errors.New("the consent ledger is not as it was recorded"), errcode.LedgerBroken)

// consentsShown is what show prints as JSON.
type consentsShown struct {
	Phone  string                `json:"phone"`
	At     report.Time           `json:"at"`
	Stands []report.ConsentStand `json:"stands"`    // by what the person had done until then
	Known  []report.ConsentStand `json:"on_record"` // of that, by what was on record then: what a message was judged by
	Events []report.Consent      `json:"events"`
}

func (s *session) consentShowVerb() *cobra.Command {
	var at string
	cmd := s.verb(&cobra.Command{
		Use:   "show PHONE [--at TIME]",
		Short: "print what a person's consents are, or were at a moment, and everything on record of them",
		Long: "Prints what stands of each category, and everything on record. With --at it tells what stood at that moment, by what the person\n" +
			"had done until then; and, where that differs, by what was on record then, which is what a message was judged by.",
		Example: "  permesso consent show +393471234567 --at 2026-11-20T18:00",
		Args:    exactly("PHONE"),
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			phone, _, err := anyNumber(a.Config, args[0])
			if err != nil {
				return err
			}
			moment, err := when("--at", at, zoneOf(a.Config))
			if err != nil {
				return err
			}
			now := time.Now()
			if moment.IsZero() {
				moment = now
			}
			events, err := a.Store.Consents(ctx, phone)
			if err != nil {
				return err
			}
			shown := consentsShown{
				Phone: string(phone), At: report.Time{Time: moment}, Stands: a.ConsentsAt(events, moment, latest(moment, now)), Known: a.ConsentsAt(events, moment, moment), Events: events,
			}
			if s.json {
				return s.object(shown)
			}
			return s.tellConsents(shown, at != "", zoneOf(a.Config))
		})
	})
	cmd.Flags().StringVar(&at, "at", "", "what stood at this `TIME`; absent is now")
	return cmd
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *session) tellConsents(shown consentsShown, past bool, zone *time.Location) error {
	if len(shown.Events) == 0 {
		return s.say("Nothing is on record of this person's consents.")
	}
	if past {
		if err := s.print("On %s:", clock(shown.At.Time, zone)); err != nil {
			return err
		}
	}
	if err := s.tellStands(shown.Stands, zone); err != nil {
		return err
	}
	if !slices.Equal(shown.Stands, shown.Known) {
		if err := s.print("By what was on record then, which is what a message was judged by:"); err != nil {
			return err
		}
		if err := s.tellStands(shown.Known, zone); err != nil {
			return err
		}
	}
	if err := s.print(""); err != nil {
		return err
	}
	t := s.table("AT", "CATEGORY", "ACTION", "SOURCE", "WORDING", "EVIDENCE", "RECORDED BY", "RECORDED AT", "EVENT")
	for _, e := range shown.Events {
		evidence := e.Evidence
		if e.Erased {
			evidence = "(erased)"
		}
		t.row(clock(e.At.Time, zone), e.Category, string(e.Action), e.Source, e.Wording, evidence, e.Actor, clock(e.RecordedAt.Time, zone), e.Event.String())
	}
	return t.flush()
}

func (s *session) tellStands(stands []report.ConsentStand, zone *time.Location) error {
	if len(stands) == 0 {
		return s.print("Nothing: no consent.")
	}
	for _, c := range stands {
		if err := s.print("%s", oneLine(sayStand(c, zone))); err != nil {
			return err
		}
	}
	return nil
}

func sayStand(c report.ConsentStand, zone *time.Location) string {
	verdict := "no consent"
	if c.Given {
		verdict = "consent"
	}
	text := fmt.Sprintf("%s: %s, %s on %s", c.Category, verdict, c.State, clock(c.At.Time, zone))
	switch {
	case c.State == policy.Expired && !c.Until.IsZero():
		text = fmt.Sprintf("%s: %s, given on %s and expired on %s", c.Category, verdict, clock(c.At.Time, zone), clock(c.Until.Time, zone))
	case !c.Until.IsZero():
		text += ", until " + clock(c.Until.Time, zone)
	}
	if c.Source != "" {
		text += " (" + c.Source + ")"
	}
	return text
}

func (s *session) consentExportVerb() *cobra.Command {
	var format, out string
	formats := []string{formatJSON, "html"}
	cmd := s.verb(&cobra.Command{
		Use:   "export PHONE [--format json|html] [--out FILE]",
		Short: "write all that proves a person's consents, as a file to hand to WhatsApp or a court",
		Long: "Writes every event with its exact wording, the hash of that, its place in the ledger and the checkpoint over it; what was sent to\n" +
			"the person, with the event that each message relied on; and their stops. JSON, or a page that can be printed and needs nothing else.",
		Example: "  permesso consent export +393471234567 --format html --out consent.html",
		Args:    exactly("PHONE"),
	}, func(cmd *cobra.Command, args []string) error {
		switch {
		case !slices.Contains(formats, format):
			return misuse(errcode.InvalidFlagValue, "--format: there is no format %q%s", format, among(format, formats))
		case s.json && format != formatJSON && out == "":
			return misuse(errcode.ConflictingFlags, "--json and --format %s are two formats: choose one", format)
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			phone, _, err := anyNumber(a.Config, args[0])
			if err != nil {
				return err
			}
			proof, err := a.ProveConsent(ctx, phone, s.actor())
			if err != nil {
				return err
			}
			if err := a.NoteProof(ctx, phone, s.actor()); err != nil {
				return err
			}
			return s.writeProof(proof, format, out)
		})
	})
	cmd.Flags().StringVar(&format, "format", formatJSON, "`FORMAT`: json or html")
	cmd.Flags().StringVar(&out, "out", "", "write into this `FILE`; absent is standard output")
	return cmd
}

func (s *session) writeProof(proof report.ConsentProof, format, out string) error {
	var text bytes.Buffer
	if format == "html" {
		if err := proof.WriteHTML(&text); err != nil {
			return err
		}
	} else if err := indented(&text, proof); err != nil {
		return err
	}
	if out == "" {
		return s.print("%s", strings.TrimSuffix(text.String(), "\n"))
	}
	// What is in it is personal data: nobody else is to read it.
	if err := os.WriteFile(out, text.Bytes(), 0o600); err != nil {
		return errcode.With(fmt.Errorf("writing the proof: %w", err), errcode.OutputFailed)
	}
	return s.done(map[string]any{"file": out, "events": len(proof.Events), "messages": len(proof.Messages)},
		"Written to %s: %s, %s.", out, count(len(proof.Events), "event"), count(len(proof.Messages), "message"))
}

// indented writes JSON that people read as well.
func indented(out io.Writer, what any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(what); err != nil {
		return errcode.With(fmt.Errorf("writing what was asked for: %w", err), errcode.OutputFailed)
	}
	return nil
}

// verified is what verify prints as JSON.
type verified struct {
	Whole            bool           `json:"whole"`
	Events           int64          `json:"events"`
	Chains           int            `json:"chains"`
	Checkpoints      int64          `json:"checkpoints"`
	NewestCheckpoint report.Time    `json:"newest_checkpoint,omitzero"`
	Findings         []found        `json:"findings"`
	More             map[string]int `json:"more,omitempty"`
	Notes            []string       `json:"notes,omitempty"`
}

type found struct {
	Kind       ledger.FindingKind `json:"kind"`
	Chain      string             `json:"chain,omitempty"`
	From       int64              `json:"from,omitempty"`
	To         int64              `json:"to,omitempty"`
	Checkpoint report.Time        `json:"checkpoint,omitzero"` // when the checkpoint that tells was written
	Why        string             `json:"why"`
}

func (s *session) consentVerifyVerb() *cobra.Command {
	var checkpoints, accept string
	cmd := s.verb(&cobra.Command{
		Use:   "verify [--checkpoints FILE]",
		Short: "prove that the ledger of consents is whole and unaltered, or say what is not",
		Long: "Checks every event of the ledger against its chain, and every chain against the signed checkpoints in state_dir: what was edited,\n" +
			"swapped, taken out, cut off or made anew since it was written is named by its place. It changes nothing, and exits 1 when it finds\n" +
			"something. With --checkpoints it goes by a copy of the checkpoints that was kept elsewhere.",
		Example: "  permesso consent verify\n  permesso consent verify --checkpoints /mnt/safe/consent.checkpoints",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		if _, err := os.Stat(checkpoints); checkpoints != "" && errors.Is(err, fs.ErrNotExist) {
			return misuse(errcode.FileMissing, "there is no file %s", checkpoints)
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			if accept != "" {
				if err := a.AcceptLedger(ctx, accept+", by "+s.actor()); err != nil {
					return err
				}
			}
			report, err := a.VerifyLedger(ctx, checkpoints)
			if err != nil {
				return err
			}
			if err := s.tellVerified(report, zoneOf(a.Config)); err != nil {
				return err
			}
			if !report.Whole() {
				return errLedger
			}
			return nil
		})
	})
	cmd.Flags().StringVar(&checkpoints, "checkpoints", "", "go by the checkpoints in this `FILE`, not by those in state_dir")
	cmd.Flags().StringVar(&accept, "accept", "", "before that, take the ledger as it stands for what is left of it, for this `REASON`, and note that in a checkpoint")
	return cmd
}

func (s *session) tellVerified(r ledger.Report, zone *time.Location) error {
	if s.json {
		out := verified{Whole: r.Whole(), Events: r.Events, Chains: r.Chains, Checkpoints: r.Checkpoints, NewestCheckpoint: report.Time{Time: r.Newest}, Findings: []found{}, Notes: r.Notes}
		for _, f := range r.Findings {
			line := found{Kind: f.Kind, From: f.From, To: f.To, Checkpoint: report.Time{Time: f.At}, Why: f.Why}
			if f.Chain != 0 {
				line.Chain = fmt.Sprintf("%08x", f.Chain)
			}
			out.Findings = append(out.Findings, line)
		}
		for kind, n := range r.More {
			if out.More == nil {
				out.More = map[string]int{}
			}
			out.More[string(kind)] = int(n)
		}
		return s.object(out)
	}
	for _, f := range r.Findings {
		if err := s.print("%s %s.", s.painted(red, string(f.Kind)+":"), oneLine(f.Why)); err != nil {
			return err
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(r.More)) {
		if err := s.print("%s and %d more.", s.painted(red, string(kind)+":"), r.More[kind]); err != nil {
			return err
		}
	}
	for _, note := range r.Notes {
		if err := s.say("Note: %s.", oneLine(note)); err != nil {
			return err
		}
	}
	newest := "there is no checkpoint yet"
	if r.Checkpoints > 0 {
		newest = fmt.Sprintf("%s, the newest of %s", count(int(r.Checkpoints), "checkpoint"), clock(r.Newest, zone))
	}
	verdict := "The ledger is whole and unaltered"
	if !r.Whole() {
		verdict = "Read"
	}
	return s.say("%s: %s in %s; %s.", verdict, count(int(r.Events), "event"), count(r.Chains, "chain"), newest)
}
