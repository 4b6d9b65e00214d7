package app

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/notify"
	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// desk is what answers people: the store's answers, in the words of the configuration that holds now.
type desk struct{ *App }

// longestQuestion is how long the text above buttons may be, in characters (Meta, "Interactive reply buttons messages", read 2026-09-11).
const longestQuestion = 1024

// Due implements sender.Desk. While a stop waits to be stored nobody is answered.
func (d desk) Due(ctx context.Context, numberID string) ([]sender.Answer, error) {
	if cfg := d.config(); d.owes() || len(cfg.OptOutConfirmation)+len(cfg.OptOutHelp) == 0 && cfg.OptIn.Keywords == nil {
		return nil, nil
	}
	due, err := d.Store.DueAnswers(ctx, numberID)
	if err != nil {
		return nil, err
	}
	cfg := d.config()
	worded := due[:0]
	for _, a := range due {
		a = word(cfg, a)
		if a.Text != "" {
			worded = append(worded, a)
			continue
		}
		d.Log.Warn("a person is not answered: the configuration has no words for it, or too many", "answer", a.ID.String(), "kind", string(a.Kind))
		if err := d.Store.DropAnswer(ctx, a.ID, sender.DropUnworded); err != nil {
			return nil, err
		}
	}
	return worded, nil
}

// Admit implements sender.Desk.
func (d desk) Admit(ctx context.Context, a sender.Answer) (admitted bool, readAt time.Time, err error) {
	return d.Store.AdmitAnswer(ctx, a)
}

// Ended implements sender.Desk.
func (d desk) Ended(ctx context.Context, a sender.Answer, result sender.Result) error {
	return d.Store.AnswerEnded(ctx, a.ID, result)
}

// word gives an answer its words: in the contact's language, else in that of the word that they wrote, else in the first that is
// configured. It has no text when there are none.
func word(cfg *config.Config, a sender.Answer) sender.Answer {
	switch a.Kind {
	case sender.Confirmation:
		a.Text = wordingFor(cfg.OptOutConfirmation, a)
	case sender.Help:
		a.Text = wordingFor(cfg.OptOutHelp, a)
	case sender.Question:
		category, known := cfg.Rules.Categories[strings.TrimPrefix(string(a.Scope), string(policy.ScopeCategory("")))]
		if !known || cfg.OptIn.Keywords == nil {
			return a
		}
		first := ""
		if len(cfg.OptOutConfirmation) > 0 {
			first = cfg.OptOutConfirmation[0].Language
		}
		q := policy.AskAbout(cfg.Business.Name, category, a.Reads, a.Language, first)
		if utf8.RuneCountInString(q.Text) > longestQuestion {
			return a
		}
		a.Category, a.Business, a.Language, a.Text = category, cfg.Business.Name, q.Language, q.Text
		a.Buttons = []sender.Button{
			{ID: policy.QuestionPayload(a.ID.String(), true), Title: q.Yes},
			{ID: policy.QuestionPayload(a.ID.String(), false), Title: q.No},
		}
	}
	return a
}

func wordingFor(list []config.Wording, a sender.Answer) string {
	if len(list) == 0 {
		return ""
	}
	at := policy.Spoken(func(yield func(string) bool) {
		for _, w := range list {
			if !yield(w.Language) {
				return
			}
		}
	}, a.Reads, a.Language)
	return list[max(0, at)].Text
}

// wants is what the webhook's receiver reads beside stops and replies.
func (a *App) wants() webhook.Wants {
	held := a.config()
	return webhook.Wants{Confirmations: len(held.OptOutConfirmation) > 0, Chat: held.Chat, Forward: held.Replies.URL != "", Joins: joins(held)}
}

// replyCourier takes what people write to the business.
func (a *App) replyCourier() *notify.Courier {
	return &notify.Courier{
		Of: notify.Replies(), Outbox: a.Store.Replies(), Leases: a.Store, Holder: a.holder, Post: a.poster.Post, Observer: a.metrics.Replies(), Logger: a.Log,
		Endpoint: func() notify.Endpoint {
			to := a.config().Replies
			return notify.Endpoint{URL: to.URL, Key: []byte(to.Key.Reveal()), Setting: "replies.url"}
		},
	}
}

// tidyAnswers lets go of old answers, and gives up what nobody could be brought to read.
func (a *App) tidyAnswers(ctx context.Context) {
	if err := a.Store.TidyAnswers(ctx); err != nil && ctx.Err() == nil {
		a.Log.Error("old answers cannot be let go", "error", err)
	}
	lost, err := a.Store.ForgetReplies(ctx, notify.ReplyPatience+time.Hour)
	if err != nil && ctx.Err() == nil {
		a.Log.Error("old replies cannot be let go", "error", err)
	}
	if lost > 0 {
		a.Log.Error("people's messages are given up and their texts deleted: `replies.url` did not take them for seven days", "count", lost)
	}
}
