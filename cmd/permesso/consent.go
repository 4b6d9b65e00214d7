package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/policy"
)

func (s *session) consentVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "consent", Short: "who agreed to what, and how it can be proved"},
		s.importVerb(imported{
			noun: "consents", read: imports.Consents,
			long: "Imports a CSV file with the columns phone, category, action (granted or revoked), at (RFC 3339), source, wording and\n" +
				"evidence. A granted without source or wording is rejected: it could not be proved later. Of two events at the same\n" +
				"time the refusal wins.",
		}),
		s.consentEventVerb(policy.Granted), s.consentEventVerb(policy.Revoked), s.consentShowVerb(), s.consentExportVerb(), s.consentVerifyVerb())
}

func (s *session) consentEventVerb(action policy.Action) *cobra.Command {
	var event policy.ConsentEvent
	var at string
	use, short := "grant PHONE CATEGORY --source SOURCE --wording TEXT [flags]", "record that a person agreed"
	example := "  permesso consent grant +393471234567 offers --source in_store --wording \"Yes to offers of Libreria Aurora by WhatsApp\""
	if action == policy.Revoked {
		use, short, example = "revoke PHONE CATEGORY [flags]", "record that a person no longer agrees", "  permesso consent revoke +393471234567 offers --source phone_call"
	}
	cmd := s.verb(&cobra.Command{Use: use, Short: short, Example: example, Args: exactly("PHONE", "CATEGORY")}, func(cmd *cobra.Command, args []string) error {
		event.Category, event.Action = args[1], action
		return s.with(cmd, func(ctx context.Context, a *app.App) error { return s.addConsent(ctx, a, args[0], event, at) })
	})
	flags := cmd.Flags()
	flags.StringVar(&event.Source, "source", "", "the `SOURCE`, how they said so: one of "+strings.Join(policy.Sources(), ", "))
	flags.StringVar(&event.Wording, "wording", "", "the `TEXT` that they were shown or told")
	flags.StringVar(&event.Language, "language", "", "the `LANGUAGE` of the text, such as it")
	flags.StringVar(&event.Evidence, "evidence", "", "`WHERE` the proof is kept, such as a form's number")
	flags.StringVar(&at, "at", "", "the `TIME` at which they said so; absent is now")
	return cmd
}

// consentDone is what grant and revoke print as JSON.
type consentDone struct {
	Phone    string        `json:"phone"`
	Category string        `json:"category"`
	Action   policy.Action `json:"action"`
	At       time.Time     `json:"at"`
}

func (s *session) addConsent(ctx context.Context, a *app.App, who string, event policy.ConsentEvent, at string) error {
	phone, err := number(a.Config, who)
	if err != nil {
		return err
	}
	if err := category(a.Config, event.Category); err != nil {
		return err
	}
	switch {
	case event.Action == policy.Granted && event.Source == "":
		return misuse(errcode.MissingFlag, "--source is missing: without it the consent could not be proved; one of %s", strings.Join(policy.Sources(), ", "))
	case event.Action == policy.Granted && strings.TrimSpace(event.Wording) == "":
		return misuse(errcode.MissingFlag, "--wording is missing: without the text that the person agreed to, the consent could not be proved")
	case event.Source != "" && !slices.Contains(policy.Sources(), event.Source):
		return misuse(errcode.NoSuchSource, "--source %q is not known%s", event.Source, among(event.Source, policy.Sources()))
	}
	now := time.Now()
	if event.At, err = when("--at", at, zoneOf(a.Config)); err != nil {
		return err
	}
	if event.At.IsZero() {
		event.At = now
	}
	if event.At.After(now) {
		return misuse(errcode.FutureTime, "--at %s is in the future: a consent counts from the moment the person gave it", at)
	}
	if err := a.Store.AddConsent(ctx, phone, event, s.actor()); err != nil {
		return err
	}
	if event.Action == policy.Granted && !imports.NamesBusiness(event.Wording, a.Config.Business.Name) {
		fmt.Fprintf(s.err, "permesso: warning: the wording does not name %s: people must be told who will write to them\n", a.Config.Business.Name)
	}
	return s.done(consentDone{string(phone), event.Category, event.Action, event.At},
		"Recorded: %s %s consent to %s on %s.", phone, event.Action, event.Category, clock(event.At, zoneOf(a.Config)))
}
