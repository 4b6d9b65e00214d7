package app

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/page"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
)

// ErrNoPublicURL says that a link was asked for and nobody knows where the pages are reached from outside.
var ErrNoPublicURL = errcode.With(errors.New("a link to a person's page needs public_url in config.yaml, the address where it is reached from outside"), errcode.NoPublicURL)

// PageLink is the link to a person's own page and when it ends; found is false when the number was never met.
func (a *App) PageLink(ctx context.Context, number phone.Number, now time.Time) (link string, until time.Time, found bool, err error) {
	base := a.config().PublicURL
	if base == "" {
		return "", time.Time{}, false, ErrNoPublicURL
	}
	people, err := a.Store.Find(ctx, number)
	if err != nil || len(people) == 0 {
		return "", time.Time{}, false, err
	}
	until = now.Add(policy.PageLinkLife).Truncate(time.Hour)
	return base + policy.PagePath + a.Store.PageLinks().Token(people[0], until), until, true, nil
}

// joins are the categories that a code of an opt-in page or of /api/v1 may confirm, nil when nobody is handed one: a code is sent to
// the business's own number. A page that was taken away meanwhile leaves its codes good for as long as they are.
func joins(cfg *config.Config) map[string]policy.Category {
	if cfg.ReplyNumber() == "" {
		return nil
	}
	return cfg.Rules.Categories
}

// peoplesRecords is the store as the people's pages see it: a stop is in the journal, and nothing of the person's is in flight any
// more, before they are told that it holds.
type peoplesRecords struct{ a *App }

// Personal implements page.Records.
func (r peoplesRecords) Personal(ctx context.Context, person policy.PersonID) (report.Personal, bool, error) {
	return r.a.Store.Personal(ctx, person)
}

// Choose implements page.Records.
func (r peoplesRecords) Choose(ctx context.Context, choice report.Choice) error {
	// Who taps and leaves at once has chosen.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := r.a.Store.Choose(ctx, choice, r.a.config().Rules.Categories); err != nil {
		return err
	}
	r.a.journalStops(ctx)
	if !choice.On {
		r.a.StopAndWait(ctx, []policy.PersonID{choice.Person})
	}
	return nil
}

// AskToJoin implements page.Records.
func (r peoplesRecords) AskToJoin(ctx context.Context, request report.JoinRequest) error {
	return r.a.Store.AskToJoin(ctx, request)
}

// peoplesPages are the pages under /p/.
func (a *App) peoplesPages() http.Handler {
	limits := page.NewLimits()
	return a.asConfigured(func(cfg *config.Config) http.Handler {
		return page.New(page.Options{
			Records: peoplesRecords{a}, Links: a.Store.PageLinks(), Business: cfg.Business.Name, Country: cfg.Business.Country, Languages: languagesOf(cfg),
			Categories: cfg.Rules.Categories, Join: cfg.OptIn.Pages, Reply: cfg.ReplyNumber(), Ordinary: a.ordinary,
			AskedTooOften: store.ErrAskedTooOften, NoOne: store.ErrNobody, Zone: a.zone(), Now: time.Now, Logger: a.Log,
		}, limits)
	})
}

// ordinary reports whether a text is neither a stop nor a start, nor nearly one.
func (a *App) ordinary(text string) bool {
	return a.config().Keywords.Match(text).Action == policy.MatchNone
}

// languagesOf are the languages that the business writes in: those of its campaigns in their order, then those of its categories' titles.
func languagesOf(cfg *config.Config) []string {
	var all []string
	for _, c := range cfg.Campaigns {
		for _, language := range c.Message.Languages {
			all = append(all, strings.ReplaceAll(language, "_", "-"))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(cfg.Rules.Categories)) {
		all = append(all, slices.Sorted(maps.Keys(cfg.Rules.Categories[id].Title))...)
	}
	return all
}
