package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

func (s *session) contactsEraseVerb() *cobra.Command {
	var reason, userID string
	cmd := s.verb(&cobra.Command{
		Use:   "erase PHONE [--reason WHY] | --user-id ID",
		Short: "take everything personal of one person out of the database, for good",
		Long: "Takes number, user ids, name, attributes, texts, evidence and the bodies of webhooks that name the person out of the database, in\n" +
			"one transaction. The ledger of consents stays whole. Stops hold on, by a keyed hash, and the person stays erased also when a\n" +
			"file with the number is imported again. Backups, exports and the files that were imported are yours to erase.",
		Example: "  permesso contacts erase +393471234567 --reason \"request of 20 November\"",
		Args: func(cmd *cobra.Command, args []string) error {
			if userID == "" {
				return exactly("PHONE")(cmd, args)
			}
			return exactly()(cmd, args)
		},
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			who := policy.Identity{UserID: strings.TrimSpace(userID)}
			if userID == "" {
				phone, _, err := anyNumber(a.Config, args[0])
				if err != nil {
					return err
				}
				who = policy.Identity{Phone: phone}
			}
			erased, err := a.Erase(ctx, who, reason, s.actor())
			if err != nil {
				return err
			}
			return s.tellErased(erased)
		})
	})
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, for the audit log; the person's number and name are taken out of it")
	cmd.Flags().StringVar(&userID, "user-id", "", "the WhatsApp user `ID` instead of a number")
	return cmd
}

func (s *session) tellErased(e report.Erased) error {
	return s.done(e, "Erased. %s lost words and message ids, %s will not leave, %s deleted, %s on as keyed hashes.",
		count(e.Deliveries, "delivery"), count(e.Waiting, "waiting message"), count(e.Webhooks, "webhook body"), holding(e.Suppressions))
}

func holding(n int) string {
	if n == 1 {
		return "1 stop holds"
	}
	return fmt.Sprintf("%d stops hold", n)
}

// personFile is what `contacts export --phone` prints.
type personFile struct {
	Contact contactLine `json:"contact"` // with an empty phone when the person is no contact, or was erased
	app.PersonFile
}

// exportPerson prints the file of one person.
func (s *session) exportPerson(ctx context.Context, a *app.App, who string) error {
	phone, _, err := anyNumber(a.Config, who)
	if err != nil {
		return err
	}
	contact, _, err := a.Store.Contact(ctx, phone)
	if err != nil {
		return err
	}
	file, err := a.PersonFile(ctx, phone, s.actor())
	if err != nil {
		return err
	}
	held := personFile{lineOf(contact), file}
	if s.json {
		return s.object(held)
	}
	return indented(s.out, held)
}
