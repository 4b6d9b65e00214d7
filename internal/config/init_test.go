package config_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/config"
)

func TestInitWritesTheSafeValues(t *testing.T) {
	var text bytes.Buffer
	if err := config.WriteInit(&text, config.InitOptions{Name: "Bottega", Country: "BR", Timezone: "America/Sao_Paulo", AccountID: "1", NumberID: "2",
		Database: "postgres://permesso:${DATABASE_PASSWORD}@db.aurora.example/permesso?sslmode=verify-full"}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text.String(), "#") {
		t.Error("the file has no comment at its top")
	}
	c := mustLoad(t, strings.ReplaceAll(text.String(), "${DATABASE_PASSWORD}", "${WHATSAPP_APP_SECRET}"))
	if c.Business != (config.Business{Name: "Bottega", Country: "BR", Timezone: "America/Sao_Paulo"}) || c.Graph.AccountID != "1" || c.Numbers[0].ID != "2" {
		t.Errorf("the options are not in it: %+v", c.Business)
	}
	if len(c.Rules.Caps) != 2 || c.Rules.QuietHours == nil || c.Rules.LooseZones || !c.DryRun || c.Rules.Categories["offers"].ConsentExpiresAfter == 0 {
		t.Errorf("the safe values are not all switched on: %+v", c.Rules)
	}
	for _, campaign := range c.Campaigns {
		if campaign.Schedule != nil {
			t.Errorf("%s goes out by itself", campaign.ID)
		}
	}
	for _, warning := range c.Warnings {
		t.Error(warning)
	}
}

// TestInitAlignsItsComments holds that those of neighbouring lines stand below each other, however long the values are.
func TestInitAlignsItsComments(t *testing.T) {
	for _, options := range []config.InitOptions{{}, {Name: "Bäckerei & Söhne # 1, die mit dem langen Namen", Country: "AR", NumberID: "1"}, {Name: "x", Database: "sqlite:/var/lib/permesso/aurora/permesso.db"}} {
		var text bytes.Buffer
		if err := config.WriteInit(&text, options); err != nil {
			t.Fatal(err)
		}
		above, seen := -1, 0
		for line := range strings.Lines(text.String()) {
			column := -1
			if at := strings.LastIndex(line, " # "); at >= 0 {
				column, seen = utf8.RuneCountInString(line[:at]), seen+1
			}
			if column >= 0 && above >= 0 && column != above {
				t.Errorf("a comment in column %d below one in %d:\n%s", column, above, line)
			}
			above = column
		}
		if seen < 10 {
			t.Errorf("found %d comments", seen)
		}
		if strings.Contains(text.String(), "\t") {
			t.Error("a tab is in it")
		}
	}
}

func TestInitRefusesWhatCheckWould(t *testing.T) {
	for _, options := range []config.InitOptions{{Country: "Italy"}, {Timezone: "Rome"}, {NumberID: "+39 06"}, {Database: "mysql://x"}} {
		err := config.WriteInit(io.Discard, options)
		if problems, ok := errors.AsType[*config.Problems](err); !ok || len(problems.All) != 1 {
			t.Errorf("%+v: %v", options, err)
		}
	}
	if err := config.WriteInit(failing{}, config.InitOptions{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a file that cannot be written: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestEveryHomeIsRight holds that what init proposes for a country is what check takes.
func TestEveryHomeIsRight(t *testing.T) {
	known := 0
	for first := 'A'; first <= 'Z'; first++ {
		for second := 'A'; second <= 'Z'; second++ {
			country := string([]rune{first, second})
			if zone, language := config.Home(country); zone == "" && language == "" {
				continue
			}
			known++
			if err := config.WriteInit(io.Discard, config.InitOptions{Country: country}); err != nil {
				t.Errorf("%s: %v", country, err)
			}
		}
	}
	if known < 100 {
		t.Errorf("only %d countries have a home", known)
	}
	if zone, language := config.Home("ZZ"); zone+language != "" {
		t.Errorf("ZZ is at home in %s, %s", zone, language)
	}
}
