package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/templates"
)

func (s *session) templatesVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "templates", Short: "the message templates that Meta has"},
		s.templatesSyncVerb(), s.templatesListVerb(), s.templatesShowVerb())
}

// templateLine is a template as JSON.
type templateLine struct {
	Name        string   `json:"name"`
	Language    string   `json:"language"`
	Status      string   `json:"status"`
	Category    string   `json:"category"` // Meta's kind of today
	Variables   []string `json:"variables"`
	Buttons     []string `json:"buttons"`
	Unsupported []string `json:"unsupported,omitempty"`
}

func templateLineOf(t templates.Template) templateLine {
	line := templateLine{Name: t.Name, Language: t.Language, Status: t.Status, Category: string(t.Kind), Variables: []string{}, Buttons: []string{}, Unsupported: t.Unsupported}
	line.Variables = append(append(line.Variables, t.Header.Variables...), t.Body.Variables...)
	for _, b := range t.Buttons {
		line.Buttons = append(line.Buttons, b.Text)
	}
	return line
}

func (s *session) templatesSyncVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "sync",
		Short: "read every template from Meta",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			list, err := a.SyncTemplates(ctx)
			if err != nil {
				return err
			}
			approved := 0
			for _, t := range list {
				if t.Approved() {
					approved++
				}
			}
			return s.done(map[string]int{"templates": len(list), "approved": approved}, "Meta lists %s, %d of them approved.", count(len(list), "template"), approved)
		})
	})
}

func (s *session) templatesListVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "list",
		Short: "list the templates of the last sync",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			list, synced, err := a.Store.Templates(ctx)
			if err != nil {
				return err
			}
			t := s.table("TEMPLATE", "LANGUAGE", "STATUS", "CATEGORY", "VARIABLES", "BUTTONS")
			t.paint = func(row []string, column int, padded string) string {
				switch {
				case column != 2 || row[2] == "STATUS":
					return padded
				case row[2] == "APPROVED":
					return s.painted(green, padded)
				}
				return s.painted(red, padded)
			}
			for _, template := range templates.NewCatalogue(list).All() {
				line := templateLineOf(template)
				if s.json {
					if err := s.object(line); err != nil {
						return err
					}
					continue
				}
				t.row(line.Name, line.Language, line.Status, line.Category, strings.Join(line.Variables, ", "), strings.Join(line.Buttons, ", "))
			}
			switch {
			case s.json:
				return nil
			case synced.IsZero():
				return s.say("No templates were ever read from Meta: `permesso templates sync` does it.")
			}
			if err := t.flush(); err != nil {
				return err
			}
			return s.say("As Meta had them on %s.", clock(synced, zoneOf(a.Config)))
		})
	})
}

// templateShown is what `templates show` prints as JSON.
type templateShown struct {
	templateLine
	Header  string `json:"header,omitempty"`
	Body    string `json:"body"`
	Footer  string `json:"footer,omitempty"`
	Preview string `json:"preview,omitempty"`
}

func (s *session) templatesShowVerb() *cobra.Command {
	var preview, id string
	cmd := s.verb(&cobra.Command{
		Use:     "show NAME LANG [--preview PHONE --campaign ID]",
		Short:   "show a template, or the message that one person would get",
		Example: "  permesso templates show weekend_offer it\n  permesso templates show weekend_offer it --preview +393471234567 --campaign weekend-offer",
		Args:    exactly("NAME", "LANG"),
	}, func(cmd *cobra.Command, args []string) error {
		if (preview == "") != (id == "") {
			return misuse(errcode.MissingFlag, "--preview and --campaign belong together: the campaign says what fills the variables, the person with what")
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			if id != "" {
				if err := campaign(a.Config, id); err != nil {
					return err
				}
			}
			catalogue, err := a.Catalogue(ctx)
			if err != nil {
				return err
			}
			template, ok := catalogue.Find(args[0], args[1])
			if !ok {
				return noTemplate(catalogue, args[0], args[1])
			}
			shown := templateShown{templateLine: templateLineOf(template), Header: cmp.Or(template.Header.Text, strings.ToLower(template.Header.Format)),
				Body: template.Body.Text, Footer: template.Footer}
			if preview != "" {
				if shown.Preview, err = previewed(ctx, a, template, preview, id); err != nil {
					return err
				}
			}
			return s.tellTemplate(shown)
		})
	})
	cmd.Flags().StringVar(&preview, "preview", "", "fill it for this `PHONE`")
	cmd.Flags().StringVar(&id, "campaign", "", "with the parameters of this `CAMPAIGN`")
	return cmd
}

func previewed(ctx context.Context, a *app.App, template templates.Template, who, id string) (string, error) {
	phone, _, err := anyNumber(a.Config, who)
	if err != nil {
		return "", err
	}
	contact, found, err := a.Store.Contact(ctx, phone)
	if err != nil {
		return "", err
	}
	if !found {
		return "", errNoContact
	}
	text, missing, err := a.Preview(template, id, contact)
	if err != nil {
		return "", err
	}
	if missing != "" {
		return "", errcode.With(fmt.Errorf("this person would not get it: %s has neither a value nor a default", missing), errcode.MissingParameter)
	}
	return text, nil
}

func noTemplate(catalogue templates.Catalogue, name, language string) error {
	if have := catalogue.Languages(name); len(have) > 0 {
		return errcode.With(fmt.Errorf("template %s has no language %s; it has %s", name, language, strings.Join(have, ", ")), errcode.TemplateLanguage)
	}
	var names []string
	for _, t := range catalogue.All() {
		if len(names) == 0 || names[len(names)-1] != t.Name {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return errcode.With(errors.New("no templates were ever read from Meta: `permesso templates sync` does it"), errcode.TemplatesNeverRead)
	}
	return errcode.With(fmt.Errorf("there is no template %s at Meta%s", name, among(name, names)), errcode.TemplateAbsent)
}

func (s *session) tellTemplate(shown templateShown) error {
	if s.json {
		return s.object(shown)
	}
	if shown.Preview != "" {
		return s.print("%s", lines(shown.Preview))
	}
	t := s.table("TEMPLATE", shown.Name)
	t.row("language", shown.Language)
	t.row("status", shown.Status)
	t.row("category", shown.Category)
	for _, line := range [][2]string{
		{"header", shown.Header}, {"body", shown.Body}, {"footer", shown.Footer}, {"buttons", strings.Join(shown.Buttons, ", ")}, {"variables", strings.Join(shown.Variables, ", ")},
		{"not supported", strings.Join(shown.Unsupported, ", ")},
	} {
		if line[1] != "" {
			t.row(line[0], line[1])
		}
	}
	return t.flush()
}

// lines is a foreign text of several lines, safe for a terminal.
func lines(text string) string {
	parts := strings.Split(text, "\n")
	for i, part := range parts {
		parts[i] = oneLine(part)
	}
	return strings.Join(parts, "\n")
}
