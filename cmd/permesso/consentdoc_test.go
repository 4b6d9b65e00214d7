package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/config"
)

// TestConsentPage holds docs/CONSENT.md to its nineteen rows, and each row to commands, flags and keys that there are.
func TestConsentPage(t *testing.T) {
	raw, err := os.ReadFile("../../docs/CONSENT.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| \d+ \|.*$`).FindAllString(string(raw), -1)
	if len(rows) != 19 {
		t.Errorf("%d rows, and the guides have 19", len(rows))
	}
	keys, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		shown := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 4 || len(shown) == 0 {
			t.Errorf("nothing shows row %s", row)
		}
		for _, s := range shown {
			if key, isKey := strings.CutSuffix(s[1], ":"); isKey {
				if !strings.Contains(string(keys), `"`+key+`"`) {
					t.Errorf("there is no key %s", key)
				}
				continue
			}
			holdsCommand(t, s[1])
		}
	}
}

// holdsCommand fails when a command, or a flag of it, does not exist.
func holdsCommand(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	root := newSession(strings.NewReader(""), io.Discard, io.Discard, os.LookupEnv).root()
	cmd, rest, err := root.Find(words[1:])
	if words[0] != "permesso" || err != nil || cmd == root || cmd.RunE == nil && cmd.Run == nil {
		t.Errorf("`%s` is no command: %v", line, err)
		return
	}
	for _, word := range rest {
		if name, isFlag := strings.CutPrefix(word, "--"); isFlag && cmd.Flags().Lookup(name) == nil {
			t.Errorf("`%s`: there is no flag --%s", line, name)
		}
	}
	if i := slices.IndexFunc(rest, func(word string) bool {
		return !strings.HasPrefix(word, "--") && strings.ToLower(word) == word && word != "30d"
	}); i >= 0 {
		t.Errorf("`%s`: there is no verb %s", line, rest[i])
	}
}
