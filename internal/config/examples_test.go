package config_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

// around is where in a configuration the examples of docs/ERRORS.md stand: at EXAMPLE, as far in as that. CAMPAIGN and BUSINESS
// are what is needed but for the keys of the example.
var around = map[string]string{
	"root":       head + tail + "EXAMPLE\n",
	"include":    head + "EXAMPLE\n",
	"campaigns":  head + "EXAMPLE\n",
	"list":       head + "campaigns:\n  EXAMPLE\nCAMPAIGN",
	"campaign":   head + "campaigns:\n  - priority: 1\n    EXAMPLE\nCAMPAIGN",
	"budget":     head + "rates: rates.csv\ncampaigns:\n  - priority: 1\n    EXAMPLE\nCAMPAIGN",
	"schedule":   head + "campaigns:\n  - schedule:\n      EXAMPLE\nCAMPAIGN",
	"parameters": head + "campaigns:\n  - parameters:\n      EXAMPLE\nCAMPAIGN",
	"body":       head + "campaigns:\n  - parameters:\n      body:\n        - EXAMPLE\nCAMPAIGN",
	"policy":     head + tail + "policy:\n  quiet_hours: {from: \"20:00\", to: \"09:00\"}\n  EXAMPLE\n",
	"answers":    head + tail + "opt_out:\n  EXAMPLE\n",
	"caps":       head + tail + "policy:\n  caps:\n    EXAMPLE\n",
	"cap":        head + tail + "policy:\n  caps:\n    - max: 1\n      EXAMPLE\n",
	"quiet":      head + tail + "policy:\n  quiet_hours:\n    EXAMPLE\n",
	"business":   strings.Replace(head, "business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}", "business:\n  country: IT\n  EXAMPLE\nBUSINESS", 1) + tail,
	"graph":      strings.Replace(head, "  access_token: ${WHATSAPP_ACCESS_TOKEN}\n", "  EXAMPLE\n", 1) + tail,
	"numbers":    strings.Replace(head, `  - {id: "111222333444", messages_per_second: 80}`, "  - messages_per_second: 80\n    EXAMPLE", 1) + tail,
	"categories": strings.Replace(head, "  offers: {kind: marketing}\n", "  EXAMPLE\n", 1) + tail,
	"category":   strings.Replace(head, "  orders: {kind: utility}\n", "  orders:\n    EXAMPLE\n", 1) + tail,
}

// placeOf is the place of an example, told by its first word.
func placeOf(example string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(example), ":")
	for place, words := range map[string][]string{
		"root": {"test_phones", "dry_run", "retention"}, "budget": {"budget"}, "include": {"include"}, "campaigns": {"campaigns", "campaings"}, "list": {"- id"},
		"campaign": {"languages", "category", "category offers", "audience", "not_after", "holdout", "schedule", "id"}, "schedule": {"cron", "at"},
		"parameters": {"buttons"}, "body": {"{field"}, "policy": {"holidays"}, "answers": {"confirmation"}, "caps": {"- {max"}, "cap": {"per"}, "quiet": {"{from"},
		"business": {"name", "timezone"}, "graph": {"access_token"}, "categories": {"[offers]", "offers"}, "category": {"kind"},
	} {
		if slices.Contains(words, word) {
			return place
		}
	}
	return ""
}

// exampleIn writes a configuration around an example.
func exampleIn(place, example string) string {
	lines := strings.Split(strings.ReplaceAll(example, "<TAB>", "\t"), "\n")
	text := around[place]
	at := strings.Index(text, "EXAMPLE")
	column := at - strings.LastIndexByte(text[:at], '\n') - 1
	text = strings.Replace(text, "EXAMPLE", strings.Join(lines, "\n"+strings.Repeat(" ", column)), 1)
	without := func(lines ...string) string {
		rest := ""
		for _, line := range lines {
			key, _, _ := strings.Cut(strings.TrimSpace(line), ":")
			if !strings.Contains(example, key) {
				rest += line + "\n"
			}
		}
		return rest
	}
	text = strings.Replace(text, "BUSINESS\n", without("  name: Libreria Aurora", "  timezone: Europe/Rome"), 1)
	return strings.Replace(text, "CAMPAIGN", without("    id: weekend-offer", "    category: offers", "    template: weekend_offer", "    languages: [it]"), 1)
}

// TestExamplesOfTheErrorsPage holds that what docs/ERRORS.md calls wrong is refused, or doubted, with that code, and that what
// it calls right loads without a word but that of a stop button, which the campaigns here leave out.
func TestExamplesOfTheErrorsPage(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "campaigns", "monday.yaml"), tail)
	write(t, filepath.Join(folder, "closed-days.csv"), "date,name\n2026-12-28,Inventory\n")
	write(t, filepath.Join(folder, "rates.csv"), exampleRates)
	path, seen := filepath.Join(folder, "config.yaml"), 0
	for _, entry := range errcode.All() {
		if entry.Area != errcode.AreaConfiguration || entry.Example == "" {
			continue
		}
		t.Run(string(entry.Code), func(t *testing.T) {
			wrong, right, both := strings.Cut(strings.TrimPrefix(entry.Example, "wrong:  "), "\nright:  ")
			place := placeOf(wrong)
			if entry.Code == errcode.InvalidID {
				place = "numbers"
			}
			if !both || place == "" {
				t.Fatalf("nobody knows where this stands:\n%s", entry.Example)
			}
			seen++
			unindent := func(text string) string { return strings.ReplaceAll(text, "\n        ", "\n") }
			write(t, path, exampleIn(place, unindent(wrong)))
			if found := foundIn(path); !slices.ContainsFunc(found, func(p config.Problem) bool { return p.Code == entry.Code }) {
				t.Errorf("what is wrong has other codes: %v", found)
			}
			text := exampleIn(place, unindent(right))
			write(t, path, text)
			found := slices.DeleteFunc(foundIn(path), func(p config.Problem) bool { return p.Code == errcode.NoStopButton })
			if len(found) > 0 {
				t.Errorf("what is right is wrong:\n%v\n%s", found, text)
			}
		})
	}
	if seen < 35 {
		t.Errorf("found %d examples", seen)
	}
}

// foundIn are all problems and warnings of a file.
func foundIn(path string) []config.Problem {
	c, err := config.Load(path, secrets)
	if problems, wrong := errors.AsType[*config.Problems](err); wrong {
		return slices.Concat(problems.All, problems.Warnings)
	}
	if err != nil {
		return []config.Problem{{Message: err.Error()}}
	}
	return c.Warnings
}
