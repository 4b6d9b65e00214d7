package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/config"
)

// asked runs init on a terminal at which somebody types.
func asked(t *testing.T, ctx context.Context, path string, typed io.Reader, env map[string]string, args ...string) answer {
	t.Helper()
	var out, errs bytes.Buffer
	s := newSession(typed, &out, &errs, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	s.terminal, s.answers = true, true
	code := s.run(ctx, append([]string{"init", "--config", path}, args...))
	return answer{code, out.String(), errs.String()}
}

// written loads what init wrote, and fails where check would.
func written(t *testing.T, path string) *config.Config {
	t.Helper()
	c, err := config.Load(path, func(name string) (string, bool) { return "value", strings.HasPrefix(name, "WHATSAPP_") })
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range c.Warnings {
		t.Error(warning)
	}
	if !c.DryRun || len(c.Rules.Caps) == 0 || c.Rules.QuietHours == nil {
		t.Error("the safe values are not in it")
	}
	return c
}

func TestInitAsks(t *testing.T) {
	for name, tt := range map[string]struct {
		env        map[string]string
		typed      string
		business   config.Business
		language   string
		account    string
		number     string
		asks, says []string
	}{
		"everything": {
			nil, "Bottega Blu\nFR\nIndian/Reunion\nfr\n1234 5678\n",
			config.Business{Name: "Bottega Blu", Country: "FR", Timezone: "Indian/Reunion"}, "fr", "1234", "5678",
			[]string{"Name of the business, as people know it: ", "Its country, two letters [IT]: ", "Its time zone [Europe/Paris]: ", "pt_BR [fr]: ", "between [later]: "}, nil,
		},
		"nothing but the name": {
			nil, "Bottega Blu\n\n\n\n\n",
			config.Business{Name: "Bottega Blu", Country: "IT", Timezone: "Europe/Rome"}, "it", "500600700800", "111222333444",
			[]string{"[Europe/Rome]", "[it]"}, nil,
		},
		"the machine's country": {
			map[string]string{"LANG": "pt_BR.UTF-8"}, "Padaria\n\n\n\nlater\n",
			config.Business{Name: "Padaria", Country: "BR", Timezone: "America/Sao_Paulo"}, "pt_BR", "500600700800", "111222333444",
			[]string{"[BR]", "[America/Sao_Paulo]", "[pt_BR]"}, nil,
		},
		"no last line break": {
			nil, "Bottega Blu\nit\n\n\nLATER",
			config.Business{Name: "Bottega Blu", Country: "IT", Timezone: "Europe/Rome"}, "it", "500600700800", "111222333444", nil, nil,
		},
		"wrong answers first": {
			nil, "\n  \nBottega: \"Blu\" # 1\nItaly\nUK\ngb\nLondon\nGMT+1\nEurope/Lodnon\nEurope/London\nEnglish\nen-GB\nen_GB\n1234\n+39 06\n12 x\n12, 34\n",
			config.Business{Name: `Bottega: "Blu" # 1`, Country: "GB", Timezone: "Europe/London"}, "en_GB", "12", "34",
			nil, []string{
				"  the name is what people read first: write it\n",
				"  unknown country \"Italy\": write its two letters of ISO 3166, such as IT or BR\n",
				"  unknown country \"UK\": the United Kingdom is GB\n",
				"  unknown time zone \"London\"; did you mean \"Europe/London\"?\n",
				"  unknown time zone \"GMT+1\": an offset knows no summer time; write the name of the zone, such as Europe/London\n",
				"  unknown time zone \"Europe/Lodnon\"; did you mean \"Europe/London\"?\n",
				"  unknown language \"English\": write Meta's code, such as it, en_US or pt_BR\n",
				"  unknown language \"en-GB\"; did you mean \"en_GB\"?\n",
				"  two ids are needed, first the account's, then the phone number's; both are in WhatsApp Manager, or write later\n",
				"  account_id must be an id of digits in quotes",
				"  id must be an id of digits in quotes",
			},
		},
		"a country without a proposal": {
			nil, "Bottega\nAQ\nBV\nFO\n\nAtlantic/Faroe\n\n\n",
			config.Business{Name: "Bottega", Country: "FO", Timezone: "Atlantic/Faroe"}, "en", "500600700800", "111222333444",
			[]string{"Its time zone: "}, []string{"  unknown country \"AQ\"", "  the time zone is needed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			a := asked(t, t.Context(), path, strings.NewReader(tt.typed), tt.env)
			if a.code != 0 {
				t.Fatalf("exit %d: %s%s", a.code, a.out, a.err)
			}
			c := written(t, path)
			if c.Business != tt.business || c.Campaigns[0].Message.Languages[0] != tt.language || c.Graph.AccountID != tt.account || c.Numbers[0].ID != tt.number {
				t.Errorf("wrote %+v, %s, %s, %s", c.Business, c.Campaigns[0].Message.Languages, c.Graph.AccountID, c.Numbers[0].ID)
			}
			for _, words := range append(tt.asks, tt.says...) {
				if !strings.Contains(a.out, words) {
					t.Errorf("says nothing of %q:\n%s", words, a.out)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "an example") != (tt.account == "500600700800") {
				t.Errorf("the ids are not marked as what they are:\n%s", text)
			}
		})
	}
}

func TestInitAsksNobody(t *testing.T) {
	for name, args := range map[string][]string{
		"a flag says something": {"--country", "FR"}, "another flag": {"--database", "sqlite:other.db"}, "JSON": {"--json"}, "quiet": {"--quiet"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			if a := asked(t, t.Context(), path, strings.NewReader(""), nil, args...); a.code != 0 || strings.Contains(a.out, "Name of the business") {
				t.Errorf("exit %d: %s%s", a.code, a.out, a.err)
			}
			written(t, path)
		})
	}
	t.Run("no terminal", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "config.yaml")
		var out bytes.Buffer
		if code := run(t.Context(), []string{"init", "--config", path}, strings.NewReader("x\n"), &out, &out, os.LookupEnv); code != 0 || strings.Contains(out.String(), "Name of") {
			t.Errorf("exit %d: %s", code, out.String())
		}
	})
	t.Run("force alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if a := asked(t, t.Context(), path, strings.NewReader("Bottega\n\n\n\n\n"), nil, "--force"); a.code != 0 || !strings.Contains(a.out, "Name of the business") {
			t.Errorf("exit %d: %s%s", a.code, a.out, a.err)
		}
	})
}

// TestInitInterrupted holds that Ctrl-C at any question, and a terminal that is closed, leave nothing behind.
func TestInitInterrupted(t *testing.T) {
	answers := []string{"Bottega\n", "IT\n", "\n", "\n"}
	for n := range len(answers) + 1 {
		typed := strings.Join(answers[:n], "")

		closed := t.TempDir()
		if a := asked(t, t.Context(), filepath.Join(closed, "config.yaml"), strings.NewReader(typed), nil); a.code != exitFailed || !strings.Contains(a.err, "nothing was written") {
			t.Errorf("closed after %d answers: exit %d, %s", n, a.code, a.err)
		}

		interrupted := t.TempDir()
		ctx, interrupt := context.WithCancel(t.Context())
		keyboard := &silentAfter{text: strings.NewReader(typed), then: interrupt, ended: t.Context().Done()}
		if a := asked(t, ctx, filepath.Join(interrupted, "config.yaml"), keyboard, nil); a.code != exitIncomplete || !strings.Contains(a.err, "nothing was written") {
			t.Errorf("Ctrl-C after %d answers: exit %d, %s", n, a.code, a.err)
		}

		for _, folder := range []string{closed, interrupted} {
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("%d answers leave %v, %v", n, left, err)
			}
		}
	}
}

// silentAfter is a keyboard at which somebody presses Ctrl-C instead of going on: reading from it does not end.
type silentAfter struct {
	text  io.Reader
	then  func()
	ended <-chan struct{}
}

// Read returns the text, then waits.
func (s *silentAfter) Read(p []byte) (int, error) {
	n, err := s.text.Read(p)
	if err == nil {
		return n, nil
	}
	s.then()
	<-s.ended
	return 0, io.EOF
}

func TestInitOverwritesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "config.yaml")
	kept := func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := asked(t, t.Context(), path, strings.NewReader("Bottega\n\n\n\n\n"), nil); a.code != exitFailed || !strings.Contains(a.err, "--force") || a.out != "" {
		t.Errorf("exit %d before any question: %s%s", a.code, a.out, a.err)
	}
	if a := asked(t, t.Context(), path, strings.NewReader(""), nil, "--force", "--country", "Italy"); a.code != exitWrongUse || !strings.Contains(a.err, "ISO 3166") {
		t.Errorf("exit %d: %s", a.code, a.err)
	}
	if a := asked(t, t.Context(), path, strings.NewReader("Bottega\n"), nil, "--force"); a.code != exitFailed {
		t.Errorf("exit %d: %s", a.code, a.err)
	}
	if text := kept(); text != "mine" {
		t.Fatalf("the file became %q", text)
	}
	if err := writeNew(path, "other", false); err == nil || kept() != "mine" {
		t.Errorf("a file that came up meanwhile: %v, %q", err, kept())
	}
	link := filepath.Join(folder, "link.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if a := asked(t, t.Context(), link, strings.NewReader(""), nil, "--force", "--name", "Bottega"); a.code != 0 {
		t.Errorf("exit %d: %s", a.code, a.err)
	}
	if written(t, path).Business.Name != "Bottega" {
		t.Error("--force did not replace the file behind the link")
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 3 { // with the schema beside it
		t.Errorf("left behind: %v, %v", left, err)
	}
	if a := asked(t, t.Context(), filepath.Join(folder, "none", "config.yaml"), strings.NewReader(""), nil, "--name", "x"); a.code != exitFailed || !strings.Contains(a.err, "[file_unwritable]") {
		t.Errorf("a folder that is not there: exit %d, %s", a.code, a.err)
	}
}

// TestInitLeavesNoHalf holds that the schema goes again when the configuration beside it cannot be written, and that one
// that was there stays.
func TestInitLeavesNoHalf(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "config.yaml")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, there := range []int{1, 2} {
		if a := asked(t, t.Context(), path, strings.NewReader(""), nil, "--force", "--name", "Bottega"); a.code != exitFailed || !strings.Contains(a.err, "[file_unwritable]") {
			t.Errorf("exit %d: %s", a.code, a.err)
		}
		if left, err := os.ReadDir(folder); err != nil || len(left) != there {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if err := os.WriteFile(filepath.Join(folder, config.SchemaFile), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInitByFlags(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if a := asked(t, t.Context(), path, strings.NewReader(""), nil, "--name", "Bäckerei", "--country", "AT", "--language", "de", "--account-id", "77", "--number-id", "88",
		"--database", "sqlite:other.db"); a.code != 0 {
		t.Fatalf("exit %d: %s", a.code, a.err)
	}
	c := written(t, path)
	if c.Business != (config.Business{Name: "Bäckerei", Country: "AT", Timezone: "Europe/Vienna"}) || c.Graph.AccountID != "77" || c.Numbers[0].ID != "88" || !strings.HasSuffix(c.Database, "other.db") {
		t.Errorf("wrote %+v", c)
	}
	if title := c.Rules.Categories["offers"].Title["de"]; title != "Angebote" {
		t.Errorf("the title is %q", title)
	}
	for _, args := range [][]string{{"--country", "it"}, {"--timezone", "CET+1"}, {"--language", "no"}, {"--account-id", "+39"}, {"--number-id", "1e3"}, {"--database", "mysql://x"}, {"--name", " "}} {
		none := filepath.Join(t.TempDir(), "config.yaml")
		a := asked(t, t.Context(), none, strings.NewReader(""), nil, args...)
		if _, err := os.Stat(none); a.code != exitWrongUse || err == nil || strings.Count(strings.TrimSpace(a.err), "\n") > 0 {
			t.Errorf("%v: exit %d, %s", args, a.code, a.err)
		}
	}
}
