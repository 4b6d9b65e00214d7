package app

import (
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// Answers are in the contact's language, else in that of the word, else in the first that is configured; without words there is no answer.
func TestWordsOfAnswers(t *testing.T) {
	cfg := &config.Config{
		Business:           config.Business{Name: "Aurora"},
		Rules:              policy.Rules{Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing, Title: map[string]string{"it": "Offerte"}}}},
		OptOutConfirmation: []config.Wording{{Language: "it", Text: "Fatto."}, {Language: "en-GB", Text: "Done."}, {Language: "pt-BR", Text: "Feito."}},
		OptIn:              config.OptIn{Keywords: map[string][]string{}},
	}
	for _, c := range []struct{ reads, word, want string }{
		{"en", "it", "Done."}, {"pt-PT", "", "Feito."}, {"sw", "en", "Done."}, {"", "en-GB", "Done."}, {"", "", "Fatto."}, {"sw", "sw", "Fatto."}, {"it-CH", "en", "Fatto."},
	} {
		a := sender.Answer{Kind: sender.Confirmation, Reads: c.reads, Language: c.word}
		if got := word(cfg, a).Text; got != c.want {
			t.Errorf("who reads %q and wrote in %q gets %q, want %q", c.reads, c.word, got, c.want)
		}
	}
	if got := word(cfg, sender.Answer{Kind: sender.Help}); got.Text != "" {
		t.Errorf("help is not configured and says %q", got.Text)
	}
	question := sender.Answer{ID: sender.AnswerID{1}, Kind: sender.Question, Scope: policy.ScopeCategory("offers")}
	got := word(cfg, question) // nothing says what they read, so it is asked in the first language of the confirmations
	if !strings.Contains(got.Text, "Aurora") || !strings.Contains(got.Text, "Offerte") || got.Language != "it" || got.Category.ID != "offers" || got.Business != "Aurora" || len(got.Buttons) != 2 {
		t.Errorf("the question is %+v", got)
	}
	if id, yes, ok := policy.ParseQuestionPayload(got.Buttons[0].ID); !ok || !yes || id != question.ID.String() {
		t.Errorf("the first button is %+v", got.Buttons[0])
	}
	cfg.Business.Name = strings.Repeat("x", 1100)
	if word(cfg, question).Text != "" {
		t.Error("a question is longer than WhatsApp takes")
	}
	question.Scope = policy.ScopeCategory("gone")
	if word(cfg, question).Text != "" {
		t.Error("a category that is not configured is asked about")
	}
}
