package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// Online is what Meta says of a configuration.
type Online struct {
	Numbers   []OnlineNumber `json:"numbers"`
	Templates int            `json:"templates"`
	Warnings  []string       `json:"warnings"`
}

// OnlineNumber is a number of the configuration, in Meta's words.
type OnlineNumber struct {
	ID      string `json:"id"`
	Phone   string `json:"phone"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Quality string `json:"quality"`
	Limit   string `json:"limit"`
}

// standardRate is what STANDARD throughput means, in messages per second (Meta, "Throughput", read 2026-09-11).
const standardRate = 80

// AskMeta asks whether the token is good, the numbers can send, and every campaign's template can be sent. It opens no
// database and changes nothing. A template that cannot be sent is a *templates.RefusedError in the error, which holds everything that is wrong. The Online is nil when Meta could not be asked.
func AskMeta(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Online, error) {
	said := &Online{Numbers: []OnlineNumber{}, Warnings: []string{}}
	client, err := graph.New(graph.Options{
		BaseURL: cfg.Graph.BaseURL, Version: cfg.Graph.Version, AccountID: cfg.Graph.AccountID, Token: cfg.Graph.AccessToken.Reveal, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	raws, err := client.Templates(ctx)
	if err != nil {
		// The same token and the same wire fail everything else too: one sentence is enough.
		return nil, fmt.Errorf("asking Meta: %w", err)
	}
	said.Templates = len(raws)
	var wrong []error
	for _, n := range cfg.Numbers {
		wrong = append(wrong, said.askNumber(ctx, client, n))
	}
	_, list := readable(raws, log)
	wrong = append(wrong, said.checkTemplates(cfg, templates.NewCatalogue(list)))
	return said, errors.Join(wrong...)
}

func (o *Online) askNumber(ctx context.Context, client *graph.Client, n config.Number) error {
	state, err := client.Number(ctx, n.ID)
	if err != nil {
		return fmt.Errorf("asking Meta: %w", err)
	}
	limit, known := state.Limit()
	switch named := n.MessagingLimit; {
	case named == nil && !known:
		o.Warnings = append(o.Warnings, fmt.Sprintf("Meta names no messaging limit for number %s: nothing is held back for it, unless messaging_limit does", n.ID))
	case named != nil && known && limit != sender.AnyNumber && *named > limit:
		o.Warnings = append(o.Warnings, fmt.Sprintf("number %s has messaging_limit %d, and Meta grants the portfolio %d people in any 24 hours: it will refuse the others", n.ID, *named, limit))
	}
	o.Numbers = append(o.Numbers, OnlineNumber{state.ID, state.Display, state.VerifiedName, state.Status, state.Quality, state.Tier})
	if state.CanSend == "BLOCKED" || state.CanSend == "LIMITED" {
		o.Warnings = append(o.Warnings, fmt.Sprintf("number %s can send: %s; %s", n.ID, state.CanSend, strings.Join(state.Problems, "; ")))
	}
	if state.Throughput == "STANDARD" && n.MessagesPerSecond > standardRate {
		o.Warnings = append(o.Warnings, fmt.Sprintf("number %s has messages_per_second %g, and Meta grants it %d", n.ID, n.MessagesPerSecond, standardRate))
	}
	return nil
}

func (o *Online) checkTemplates(cfg *config.Config, catalogue templates.Catalogue) error {
	var wrong []error
	for _, c := range cfg.Campaigns {
		if err := templates.Check(catalogue, c.Message); err != nil {
			wrong = append(wrong, fmt.Errorf("campaign %s: %w", c.ID, err))
			continue
		}
		for _, language := range c.Message.Languages {
			template, _ := catalogue.Find(c.Message.Template, language)
			kind := cfg.Rules.Categories[c.Category].Kind
			if kind == policy.Marketing || template.Kind == policy.Marketing {
				o.warnNoStop(cfg, c, template)
			}
			if template.Kind == policy.Marketing && kind != policy.Marketing {
				o.Warnings = append(o.Warnings, fmt.Sprintf("campaign %s is of the %s category %s, and Meta classes template %s (%s) as marketing: marketing's rules hold",
					c.ID, kind, c.Category, template.Name, template.Language))
			}
		}
	}
	return errors.Join(wrong...)
}
