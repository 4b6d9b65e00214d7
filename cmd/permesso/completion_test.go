package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// tab presses TAB at the end of a line and returns the words that are offered, without their explanations. A line that
// ends with a space asks for a new word.
func (w *world) tab(line string) []string {
	w.t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	args := []string{"__complete", verb, "--config", w.path("config.yaml")}
	if fields := strings.Split(rest, " "); rest != "" || strings.HasSuffix(line, " ") {
		args = append(args, fields...)
	}
	var out, errs bytes.Buffer
	code := run(w.t.Context(), args, strings.NewReader(""), &out, &errs, func(name string) (string, bool) { v, ok := w.env[name]; return v, ok })
	if code != 0 {
		w.t.Errorf("TAB after %q: exit %d\n%s", line, code, errs.String())
	}
	if said := errs.String(); strings.Contains(said, "permesso") || strings.Contains(said, "rror") {
		w.t.Errorf("TAB after %q is not silent: %s", line, said)
	}
	words := []string{}
	for text := range strings.Lines(out.String()) {
		if strings.HasPrefix(text, ":") { // the directive, which is the last line
			break
		}
		word, _, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\t")
		words = append(words, word)
	}
	return words
}

func TestCompletion(t *testing.T) {
	w := filled(t)
	done := w.object("run", "weekend-offer")["run"].(string)
	open := strings.TrimSpace(w.must("run", "order-ready", "--detach", "--at", "2020-01-01"))
	paused := strings.TrimSpace(w.must("run", "order-ready", "--detach", "--at", "2019-01-01"))
	w.must("runs", "pause", paused)
	w.edit(approvals, "approvals: {above: 0}\n"+approvals)
	waiting := strings.TrimSpace(w.must("run", "order-ready", "--detach", "--at", "2018-01-01"))
	w.env = map[string]string{} // a shell without secrets

	campaigns := []string{"weekend-offer", "order-ready", "later-offer", "winter"}
	for line, want := range map[string][]string{
		"run ":                        campaigns,
		"run w":                       {"weekend-offer", "winter"},
		"run weekend-offer ":          {},
		"plan ":                       campaigns,
		"explain ":                    campaigns,
		"explain weekend-offer ":      {},
		"log --campaign ":             campaigns,
		"runs list --campaign or":     {"order-ready"},
		"templates show --campaign l": {"later-offer"},

		"runs show ":               {done, open, paused, waiting},
		"runs approve ":            {waiting},
		"runs pause ":              {open},
		"runs resume ":             {open, paused},
		"runs cancel ":             {open, paused, waiting},
		"log --run ":               {done, open, paused, waiting},
		"report --run " + done[:4]: {done},

		"consent grant ":                                  {},
		"consent grant +393471000001 ":                    {"offers", "orders"},
		"consent revoke +393471000001 of":                 {"offers"},
		"consent grant +393471000001 offers --source web": {"web_form"},

		"serve --only ":                    {"scheduler", "sender", "webhook", "console"},
		"serve --only scheduler,se":        {"scheduler,sender"},
		"serve --only sender,":             {"sender,scheduler", "sender,webhook", "sender,console"},
		"log --state ":                     words(sender.States()),
		"runs list --state pa":             {"paused"},
		"log --reason ":                    words(report.Reasons()),
		"log --reason freq":                {string(policy.FrequencyCap)},
		"suppress add --reason ":           {},
		"suppress add --scope ":            {"all", "kind:marketing", "kind:utility", "kind:authentication", "category:offers", "category:orders"},
		"suppress add --scope category:of": {"category:offers"},
		"config ":                          {"show"},
	} {
		if diff := cmp.Diff(want, w.tab(line)); diff != "" {
			t.Errorf("TAB after %q (-want +got):\n%s", line, diff)
		}
	}
}

// TestCompletionOfWhatIsNotThere holds that TAB is silent, quick and leaves nothing behind.
func TestCompletionOfWhatIsNotThere(t *testing.T) {
	lines := []string{"run ", "runs show ", "log --campaign ", "log --run ", "consent grant +393471000001 "}
	broken := newWorld(t)
	broken.edit("version: 1", "version: 1\nvershun: 2")
	nowhere := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
	unreachable := newWorld(t)
	unreachable.env = map[string]string{}
	unreachable.edit("sqlite:permesso.db", "postgres://permesso:${DATABASE_PASSWORD}@127.0.0.1:1/permesso?sslmode=disable")
	noDatabase := newWorld(t)
	notOne := newWorld(t)
	notOne.write("permesso.db", strings.Repeat("not a database\n", 200))
	for name, w := range map[string]*world{"a wrong file": broken, "no file": nowhere, "no server": unreachable, "no database": noDatabase, "not a database": notOne} {
		before := listing(t, w.dir)
		for _, line := range lines {
			start := time.Now()
			words := w.tab(line)
			if len(words) > 0 && (w == broken || w == nowhere || strings.Contains(line, "show") || strings.HasSuffix(line, "--run ")) {
				t.Errorf("%s: TAB after %q offers %v", name, line, words)
			}
			if took := time.Since(start); took > 2*runsSoughtFor {
				t.Errorf("%s: TAB after %q took %s", name, line, took)
			}
		}
		if after := listing(t, w.dir); !slices.Equal(before, after) {
			t.Errorf("%s: TAB left %v where there was %v", name, after, before)
		}
	}
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestArgumentNames holds that completion reads the lines of use as people do.
func TestArgumentNames(t *testing.T) {
	for use, want := range map[string][]string{
		"log [flags]": nil, "run CAMPAIGN [--at TIME] [--test]": {"CAMPAIGN"}, "plan [CAMPAIGN] [--next SPAN]": {"CAMPAIGN"},
		"grant PHONE CATEGORY --source SOURCE [flags]": {"PHONE", "CATEGORY"}, "consent": nil,
	} {
		if diff := cmp.Diff(want, argumentNames(use)); diff != "" {
			t.Errorf("%s: %s", use, diff)
		}
	}
}
