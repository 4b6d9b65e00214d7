package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/config"
)

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "../../config.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{"a: \u0085b: [", "\ufeff", "- \u2028x: {", "\xfe\xff\x00a", "a: &a\n  <<: *a", "? ? ?", "a: \"\\x1b[2J\"", "!!map {}", "--- ---", "a:\r\n\tb", "'"} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(path, secrets)
		if problems, wrong := errors.AsType[*config.Problems](err); wrong {
			checkInside(t, data, problems)
		} else if err != nil {
			t.Fatalf("Load says %v", err)
		}
	})
}

// checkInside checks that every problem points into the file, in one line that a terminal can show.
func checkInside(t *testing.T, data []byte, problems *config.Problems) {
	if len(problems.All) == 0 {
		t.Fatal("an error without a problem")
	}
	lines := 1 + bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + strings.Count(string(data), "\u0085") +
		strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029")
	for _, p := range problems.All {
		if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Column > utf8.RuneCountInString(p.Source)+1 {
			t.Errorf("%d:%d is not inside the file: %s", p.Line, p.Column, p.Message)
		}
		if p.Message == "" || strings.ContainsAny(p.Message+p.Source+p.Path, "\n\x1b\x07") {
			t.Errorf("the problem does not print: %+q", p)
		}
		_ = p.String()
	}
}

func TestDurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days, hours, minutes := rapid.IntRange(0, 999).Draw(t, "days"), rapid.IntRange(0, 99).Draw(t, "hours"), rapid.IntRange(1, 99).Draw(t, "minutes")
		c, err := loadIn(t, fmt.Sprintf("policy: {caps: [{max: 1, per: %dd%dh%dm}]}\n", days, hours, minutes))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := int(c.Rules.Caps[0].Per.Minutes()), (days*24+hours)*60+minutes; got != want {
			t.Fatalf("%d minutes, want %d", got, want)
		}
	})
}

// TestNamesSurviveInit holds that whatever a business is called, init writes a file that says so.
func TestNamesSurviveInit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Filter(func(s string) bool { return strings.TrimSpace(s) != "" }).Draw(t, "name")
		var text bytes.Buffer
		if err := config.WriteInit(&text, config.InitOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
		c, err := loadText(t, text.String())
		if err != nil {
			t.Fatal(err)
		}
		if c.Business.Name != name {
			t.Fatalf("%q became %q", name, c.Business.Name)
		}
	})
}

func loadIn(t *rapid.T, sections string) (*config.Config, error) { return loadText(t, head+sections) }

func loadText(t *rapid.T, text string) (*config.Config, error) {
	folder, err := os.MkdirTemp("", "config")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path, secrets)
}

func BenchmarkLoad500Campaigns(b *testing.B) {
	var text strings.Builder
	text.WriteString(head + "attributes: {points: number}\nsegments: {rich: attributes.points >= 100}\npolicy: {caps: [{max: 1, per: 24h}], quiet_hours: {from: \"20:00\", to: \"09:00\"}}\ncampaigns:\n")
	for i := range 500 {
		fmt.Fprintf(&text, `  - id: weekend-offer-%d
    category: offers
    template: weekend_offer
    languages: [it, en]
    number: "111222333444"
    endpoint: auto
    schedule: {cron: "0 18 * * FRI", timezone: Europe/Rome, catch_up: once, catch_up_within: 2h, overlap: skip, starts_at: 2026-12-01T00:00:00+01:00}
    window: {from: "18:00", to: "20:00", in: recipient}
    audience: country = "IT" AND segment.rich AND (tags:vip OR sent_days > 30)
    parameters:
      header: {image: {link: "https://aurora.example/libri.jpg"}}
      body: [{field: name, default: lettore}, {text: "30 novembre"}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}
    priority: 10
    max_recipients: 50000
    not_after: 2026-12-31T20:00:00+01:00
`, i)
	}
	path := filepath.Join(b.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := config.Load(path, secrets); err != nil {
			b.Fatal(err)
		}
	}
}
