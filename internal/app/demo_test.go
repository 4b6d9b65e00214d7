package app_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReadmeDemo runs the demo as README.md says, and finds in what it prints every line that README.md shows of it.
func TestReadmeDemo(t *testing.T) {
	t.Parallel()
	cmd := command(t, "go", "run", "./cmd/permesso", "demo", "--exit")
	cmd.Dir = moduleRoot
	cmd.Env = append(cmd.Env, "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("demo --exit: %v\n%s", err, out)
	}
	shown := fenced(t, "README.md", "text")
	if len(shown) != 1 {
		t.Fatalf("README.md shows %d pieces of output, want the demo's alone", len(shown))
	}
	printed := oneSpace(string(out))
	for line := range strings.Lines(shown[0]) {
		if !strings.Contains(printed, oneSpace(line)) {
			t.Errorf("the demo does not print %q", oneSpace(line))
		}
	}
	for _, words := range []string{"Opted out", "console http://127.0.0.1:", "STATE PEOPLE", "REASON PEOPLE", "read"} {
		if !strings.Contains(printed, words) {
			t.Errorf("the demo does not print %q", words)
		}
	}
	counted := func(row string) int {
		found := regexp.MustCompile(row).FindStringSubmatch(printed)
		if found == nil {
			t.Errorf("the demo prints nothing like %q", row)
			return 0
		}
		n, _ := strconv.Atoi(found[1])
		return n
	}
	if stopped, before := counted(`Opted out ([0-9]+)`), counted(`([0-9]+) suppressed this person`); stopped == 0 || counted(`suppressed ([0-9]+) this person`) <= before {
		t.Errorf("nobody opted out while it ran: %d, and no more than %d were stopped", stopped, before)
	}
	explainsEverybody(t, string(out))
	if t.Failed() {
		t.Logf("it printed:\n%s", out)
	}
}

// explainsEverybody types what the demo says to type: every person of its run has a row, and who got nothing a reason, which
// explain gives too.
func explainsEverybody(t *testing.T, printed string) {
	t.Helper()
	typed := regexp.MustCompile(`(?m)^  permesso (log .*) --state skipped$`).FindStringSubmatch(printed)
	if typed == nil {
		t.Fatalf("the demo does not say how to look into its log:\n%s", printed)
	}
	ask := func(line string) string {
		cmd := command(t, "go", append([]string{"run", "./cmd/permesso"}, strings.Fields(line)...)...)
		cmd.Dir = moduleRoot
		text, err := cmd.Output()
		if err != nil {
			t.Fatalf("permesso %s: %v", line, err)
		}
		return string(text)
	}
	config := regexp.MustCompile(`--config \S+`).FindString(typed[1])
	rows, reasons := map[string]bool{}, map[string]string{}
	for line := range strings.Lines(ask(typed[1] + " --json")) {
		var row struct{ Phone, State, Reason string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if rows[row.Phone] || row.State == "skipped" && row.Reason == "" || row.State == "queued" {
			t.Errorf("a row of the demo: %+v", row)
		}
		rows[row.Phone] = true
		if row.State == "skipped" {
			reasons[row.Reason] = row.Phone
		}
	}
	if len(rows) != 640 || len(reasons) < 6 {
		t.Errorf("the log has %d rows with the reasons %v, want one for each of 640 people", len(rows), slices.Sorted(maps.Keys(reasons)))
	}
	for _, reason := range []string{"suppressed", "no_consent", "frequency_cap"} {
		if out := ask("explain " + config + " weekend-offer " + reasons[reason]); !strings.Contains(out, "would not get it") || !strings.Contains(out, "("+reason+")") {
			t.Errorf("explain does not say %s:\n%s", reason, out)
		}
	}
}
