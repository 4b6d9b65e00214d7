package templates_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

func TestCatalogue(t *testing.T) {
	it, en := parse(t, offer), parse(t, named)
	de := it
	de.Language = "de-DE"
	newer := it
	newer.Footer = "new"
	c := templates.NewCatalogue([]templates.Template{it, en, de, newer})
	if got, ok := c.Find("weekend_offer", "it"); !ok || got.Footer != "new" {
		t.Errorf("Find = %+v, %v; want the later one", got, ok)
	}
	for _, language := range []string{"en_US", "en-US"} {
		if _, ok := c.Find("hello_named", language); !ok {
			t.Errorf("Find does not know %s", language)
		}
	}
	for _, miss := range [][2]string{{"hello_named", "en"}, {"hello", "en_US"}} {
		if _, ok := c.Find(miss[0], miss[1]); ok {
			t.Errorf("Find found %v", miss)
		}
	}
	if got := c.Languages("weekend_offer"); !slices.Equal(got, []string{"de_DE", "it"}) {
		t.Errorf("Languages = %v", got)
	}
	if got := c.All(); len(got) != 3 || got[0].Name != "hello_named" || got[2].Language != "it" {
		t.Errorf("All = %+v", got)
	}
	var zero templates.Catalogue
	if _, ok := zero.Find("a", "it"); ok || zero.Languages("a") != nil || zero.All() != nil {
		t.Error("the zero Catalogue has something")
	}
}

func TestCheck(t *testing.T) {
	it := parse(t, offer)
	paused, other := it, it
	paused.Language, paused.Status = "en", "PAUSED"
	other.Language, other.Body = "de", templates.Text{Text: "Hallo."}
	c := templates.NewCatalogue([]templates.Template{it, paused, other})
	message := func(name string, languages ...string) templates.Message {
		return templates.Message{Template: name, Languages: languages, Parameters: offerParameters()}
	}
	if err := templates.Check(c, message("weekend_offer", "it")); err != nil {
		t.Fatalf("Check: %v", err)
	}
	tests := map[string]struct {
		message  templates.Message
		language string
		reason   policy.Reason
		want     string
	}{
		"unknown to Meta":  {message("winter", "it"), "", policy.NoTemplate, "template winter: Meta does not have"},
		"no language":      {message("weekend_offer"), "", policy.NoTemplate, "names no language"},
		"a language short": {message("weekend_offer", "it", "fr"), "fr", policy.NoTemplate, "weekend_offer (fr): Meta has it, but not in this language; it exists in de, en, it"},
		"paused":           {message("weekend_offer", "en"), "en", policy.TemplateNotApproved, "its status is PAUSED"},
		"drifted":          {message("weekend_offer", "de"), "de", policy.MissingParameter, "other parameters than the campaign: the body takes no parameters, the campaign gives 2"},
		"several":          {message("weekend_offer", "it", "en", "de"), "en", policy.TemplateNotApproved, "(de): it has other parameters"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := templates.Check(c, tt.message)
			refused, ok := errors.AsType[*templates.RefusedError](err)
			if !ok {
				t.Fatalf("error %v, want a RefusedError", err)
			}
			if refused.Language != tt.language || refused.Reason != tt.reason || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("refused %+v, text %q; want %q, %q and %q", refused, err, tt.language, tt.reason, tt.want)
			}
		})
	}
}
