package templates_test

import (
	"testing"

	"github.com/permesso/permesso/templates"
)

func TestLanguageFor(t *testing.T) {
	for _, tt := range []struct {
		contact   string
		languages []string
		want      string
	}{
		{"it", []string{"it", "en"}, "it"},
		{"it-IT", []string{"en", "it"}, "it"},
		{"en", []string{"it", "en_US"}, "en_US"},
		{"pt-BR", []string{"pt_PT", "pt_BR"}, "pt_BR"},
		{"pt-br", []string{"en", "pt_BR"}, "pt_BR"},
		{"pt_BR", []string{"en", "pt"}, "pt"},
		{"pt-BR", []string{"en", "pt_PT"}, "pt_PT"},
		{"en-US", []string{"en", "en_US"}, "en"},
		{"en-US", []string{"en_GB", "en_US"}, "en_US"},
		{"zh-Hant-TW", []string{"zh_CN", "zh_TW"}, "zh_TW"},
		{"es-419", []string{"en", "es"}, "es"},
		{"iw", []string{"en", "he"}, "he"},
		{"no", []string{"en", "nb"}, "nb"},
		{"de-u-co-phonebk", []string{"en", "de_CH", "de"}, "de_CH"},
		{"de", []string{"it", "en"}, "it"},
		{"ita", []string{"en", "it"}, "en"},
		{"", []string{"it", "en"}, "it"},
		{" ", []string{"it", "en"}, "it"},
		{"it", nil, ""},
	} {
		if got := (templates.Message{Languages: tt.languages}).LanguageFor(tt.contact); got != tt.want {
			t.Errorf("LanguageFor(%q) of %v = %q, want %q", tt.contact, tt.languages, got, tt.want)
		}
	}
}
