package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/sender"
)

// withStranger adds a person with an ending of the sandbox's, who agreed to orders.
func (w *world) withStranger(phone string) {
	w.t.Helper()
	w.must("contacts", "import", w.write("stranger.csv", "phone,name\n"+phone+",Ann\n"))
	w.must("consent", "grant", phone, "orders", "--source", "in_store", "--wording", "Orders of Libreria Aurora")
}

// A foreground run takes its ears along when it ends. Whoever started it must know, if reports are still to come.
func TestRunSaysWhatNobodyHearsAnyMore(t *testing.T) {
	const silent, sentence = "+393471990005", "1 message has no report yet: start `permesso serve`"
	w := filled(t)
	if out := w.must("run", "order-ready"); strings.Contains(out, "no report yet") {
		t.Errorf("every report came:\n%s", out)
	}
	w.withStranger(silent)
	if out := w.must("run", "order-ready"); !strings.Contains(out, "\n"+sentence) {
		t.Errorf("no %q in\n%s", sentence, out)
	}
	if a := w.run("run", "order-ready", "--json"); a.code != 0 || strings.Contains(a.out+a.err, "no report yet") {
		t.Errorf("--json says it in words: %s%s", a.out, a.err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := serving(t, w, ctx, "--only", "webhook")
	if out := w.must("run", "order-ready"); strings.Contains(out, "no report yet") {
		t.Errorf("another process listens, and it says\n%s", out)
	}
	stop()
	<-served
}

func TestQuietRunsAreQuiet(t *testing.T) {
	w := filled(t)
	if a := w.run("run", "order-ready", "--quiet"); a.code != 0 || a.out+a.err != "" {
		t.Errorf("exit %d: %q %q", a.code, a.out, a.err)
	}
	if summary := w.object("run", "order-ready", "--quiet"); summary["run"] == nil {
		t.Errorf("--quiet --json: %v", summary)
	}
	if a := w.run("run", "later-offer", "--quiet"); a.code != 4 || a.out != "" || !strings.Contains(a.err, "permesso serve") {
		t.Errorf("an incomplete run: exit %d, %q %q", a.code, a.out, a.err)
	}
}

func TestReportTable(t *testing.T) {
	w := filled(t)
	w.must("run", "weekend-offer", "--quiet")
	w.must("run", "weekend-offer", "--quiet")
	head := func(out string) string { return strings.Join(strings.Fields(strings.SplitN(out, "\n", 2)[0]), " ") }
	if got := head(w.must("report")); got != "RUN CAMPAIGN FIRED AT PEOPLE SENT DELIVERED READ FAILED SKIPPED OPTED OUT REPLIED" {
		t.Errorf("nobody is on the way, and the columns are %s", got)
	}
	w.withStranger("+393471990005")
	w.withStranger("+393471990002")
	w.must("run", "order-ready", "--quiet")
	if a := w.run("run", "later-offer", "--quiet"); a.code != 4 {
		t.Fatal(a.err)
	}
	out := w.must("report")
	if got := head(out); got != "RUN CAMPAIGN FIRED AT PEOPLE QUEUED ACCEPTED SENT DELIVERED READ FAILED SKIPPED OPTED OUT REPLIED" {
		t.Errorf("the columns are %s", got)
	}
	for _, want := range []string{"later-offer 52 52 0 0 0 0 0 0 0 0", "order-ready 52 0 1 51 50 50 0 0 0 0", "weekend-offer 40 0 0 30 30 30 0 10 0 0"} {
		found := false
		for line := range strings.Lines(out) {
			cells := strings.Fields(line)
			found = found || strings.Join(append(cells[1:2], cells[5:]...), " ") == want
		}
		if !found {
			t.Errorf("no row %q in\n%s", want, out)
		}
	}
	if out := w.must("report", "--limit", "1"); !strings.Contains(out, "52  waits for the campaign's hours, in this person's time") {
		t.Errorf("people who wait are told as refused:\n%s", out)
	}
}

// The lines of a run without a terminal are dated in the business's zone, by name, whatever the machine's is.
func TestProgressLines(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // midnight UTC
		var out bytes.Buffer
		show := newSession(strings.NewReader(""), &out, io.Discard, func(string) (string, bool) { return "", false }).newBar(10, "planning").run(10, zone)
		for n := range 13 {
			show(app.Progress{Progress: report.Progress{States: map[sender.State]int{sender.Queued: 10 - n/2, sender.Delivered: n / 2}}})
			time.Sleep(time.Second)
		}
		want := "05:30:05 Asia/Kolkata: 2 of 10 decided: 8 queued, 2 delivered\n05:30:10 Asia/Kolkata: 5 of 10 decided: 5 queued, 5 delivered\n"
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
	})
}

func TestMigrateStatusOfANewerDatabase(t *testing.T) {
	w := filled(t)
	if out := w.must("migrate", "status"); !regexp.MustCompile(`0001_init\.sql +yes`).MatchString(out) {
		t.Errorf("status:\n%s", out)
	}
	db, err := sqlx.Open("sqlite", w.path("permesso.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"migrate", "status"}, {"migrate", "status", "--json"}, {"migrate"}, {"report"}} {
		a := w.run(args...)
		if a.code != 1 || !strings.Contains(a.err, "newer than this program") || !strings.Contains(a.err, "version 9999") {
			t.Errorf("%v: exit %d, %s", args, a.code, a.err)
		}
	}
}

// An operator who asks for what the state of a run does not allow gets one sentence about that run.
func TestRunsThatCannotGoThere(t *testing.T) {
	w := filled(t)
	id := w.object("run", "order-ready")["run"]
	for verb, want := range map[string]string{"cancel": "it is done and cannot be cancelled", "pause": "it is done and cannot be paused", "resume": "it is done, and only a paused run is resumed"} {
		if a := w.run("runs", verb, fmt.Sprint(id)); a.code != 1 || !strings.HasPrefix(a.err, fmt.Sprintf("permesso: run %s: %s", id, want)) {
			t.Errorf("%s: exit %d, %s", verb, a.code, a.err)
		}
	}
}
