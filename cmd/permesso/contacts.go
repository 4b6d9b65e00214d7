package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

func (s *session) contactsVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "contacts", Short: "the people on record: import, show, export"},
		s.undoable(s.importVerb(imported{
			noun: "contacts", read: imports.Contacts, tags: true,
			long: "Imports a CSV file or an Excel workbook with a header. phone is required; name, language, timezone, external_id and tags (separated by ;)\n" +
				"are known, every other column x becomes attributes.x. An empty cell leaves what is there. A bad row is rejected\n" +
				"with its line and never stops the file.",
		})),
		s.importsVerb(), s.contactsShowVerb(), s.contactsLinkVerb(), s.contactsExportVerb())
}

// contactLine is a contact as JSON.
type contactLine struct {
	Phone      string            `json:"phone"`
	UserID     string            `json:"user_id"`
	Name       string            `json:"name"`
	Language   string            `json:"language"`
	Timezone   string            `json:"timezone"`
	ExternalID string            `json:"external_id"`
	Tags       []string          `json:"tags"`
	Attributes map[string]string `json:"attributes"`
	Country    string            `json:"country"`
	Erased     bool              `json:"erased,omitempty"`
}

func lineOf(c scheduler.Contact) contactLine {
	line := contactLine{
		Phone: string(c.Phone), UserID: c.UserID, Name: c.Name, Language: c.Language, Timezone: c.Zone, ExternalID: c.ExternalID,
		Tags: c.Tags, Attributes: c.Attributes, Country: c.Country, Erased: c.Erased,
	}
	if line.Tags == nil {
		line.Tags = []string{}
	}
	if line.Attributes == nil {
		line.Attributes = map[string]string{}
	}
	return line
}

// contactShown is a contact with what stands on record for sending to them.
type contactShown struct {
	contactLine
	Consents     []consentShown `json:"consents"`
	Suppressions []stopShown    `json:"suppressions"`
}

type consentShown struct {
	Category string        `json:"category"`
	Action   policy.Action `json:"action"`
	At       report.Time   `json:"at"`
	Source   string        `json:"source"`
}

type stopShown struct {
	Scope  policy.Scope  `json:"scope"`
	Reason policy.Origin `json:"reason"`
	At     report.Time   `json:"at"`
}

func (s *session) contactsShowVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "show PHONE",
		Short: "show one person: what is known, their consents and stops",
		Args:  exactly("PHONE"),
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			phone, _, err := anyNumber(a.Config, args[0])
			if err != nil {
				return err
			}
			subject, found, err := a.Store.Subject(ctx, phone, scheduler.Want{Categories: categoryIDs(a.Config)})
			if err != nil {
				return err
			}
			if !found || !subject.Person.Known {
				return errNoContact
			}
			shown := contactShown{contactLine: lineOf(subject.Contact), Consents: []consentShown{}, Suppressions: []stopShown{}}
			for _, id := range slices.Sorted(maps.Keys(subject.Person.Consents)) {
				if c := subject.Person.Consents[id]; c.Action != "" {
					shown.Consents = append(shown.Consents, consentShown{id, c.Action, report.Time{Time: c.At}, c.Source})
				}
			}
			for _, stop := range subject.Person.Suppressions {
				if stop.Active() {
					shown.Suppressions = append(shown.Suppressions, stopShown{stop.Scope, stop.Origin, report.Time{Time: stop.At}})
				}
			}
			if s.json {
				return s.object(shown)
			}
			return s.tellContact(a, subject.Contact, shown)
		})
	})
}

// pageLink is what `contacts link` prints as JSON.
type pageLink struct {
	Phone string      `json:"phone"`
	URL   string      `json:"url"`
	Until report.Time `json:"until"`
}

func (s *session) contactsLinkVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "link PHONE",
		Short: "make the link to a person's own page",
		Long:  "Prints the link to the page on which a person chooses what they are sent. It works for 90 days, for whoever has it: give it\nto nobody else.",
		Args:  exactly("PHONE"),
	}, func(cmd *cobra.Command, args []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			number, _, err := anyNumber(a.Config, args[0])
			if err != nil {
				return err
			}
			link, until, found, err := a.PageLink(ctx, number, time.Now())
			if err != nil {
				return err
			}
			if !found {
				return errNoContact
			}
			if s.json {
				return s.object(pageLink{string(number), link, report.Time{Time: until}})
			}
			return s.print("%s", link)
		})
	})
}

func (s *session) tellContact(a *app.App, c scheduler.Contact, shown contactShown) error {
	zone := zoneOf(a.Config)
	t := s.table("PHONE", shown.Phone)
	row := func(name, value string) {
		if value != "" {
			t.row(name, value)
		}
	}
	row("user id", shown.UserID)
	row("name", shown.Name)
	row("language", shown.Language)
	row("country", shown.Country)
	if c.Zone != "" {
		row("time zone", c.Zone)
	} else {
		row("time zone", strings.Join(c.Zones, ", ")+" (of the number)")
	}
	row("external id", shown.ExternalID)
	row("tags", strings.Join(shown.Tags, ", "))
	for _, key := range slices.Sorted(maps.Keys(shown.Attributes)) {
		row("attributes."+key, shown.Attributes[key])
	}
	if shown.Erased {
		row("erased", "yes: nothing is sent to them")
	}
	for _, consent := range shown.Consents {
		row("consent "+consent.Category, fmt.Sprintf("%s on %s (%s)", consent.Action, clock(consent.At.Time, zone), consent.Source))
	}
	if len(shown.Consents) == 0 {
		row("consent", "none on record")
	}
	for _, stop := range shown.Suppressions {
		row("stop", fmt.Sprintf("%s since %s (%s)", stop.Scope, clock(stop.At.Time, zone), stop.Reason))
	}
	return t.flush()
}

func (s *session) contactsExportVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "export",
		Short: "print every contact as CSV, in the columns that import reads",
		Long: "Prints every contact as CSV, in the columns that import reads. It can be opened and saved in a spreadsheet: an apostrophe\n" +
			"keeps phone numbers, and whatever looks like a formula, as text; import takes it off again. With --json numbers are bare.",
		Example: "  permesso contacts export > contacts.csv",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			if s.json {
				for c, err := range a.Store.Contacts(ctx) {
					if err == nil {
						err = s.object(lineOf(c))
					}
					if err != nil {
						return err
					}
				}
				return nil
			}
			return s.exportCSV(ctx, a)
		})
	})
}

// exportCSV reads the contacts twice: the header needs every attribute's name, and the people may be too many to hold.
func (s *session) exportCSV(ctx context.Context, a *app.App) error {
	named := map[string]bool{}
	for c, err := range a.Store.Contacts(ctx) {
		if err != nil {
			return err
		}
		for key := range c.Attributes {
			named[key] = true
		}
	}
	w := imports.NewContactWriter(s.out, slices.Sorted(maps.Keys(named)))
	for c, err := range a.Store.Contacts(ctx) {
		if err == nil {
			err = w.Write(c)
		}
		if err != nil {
			return errors.Join(err, w.Flush())
		}
	}
	if err := w.Flush(); err != nil {
		return errcode.With(err, errcode.OutputFailed)
	}
	return nil
}
