package main

import (
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/store"
)

// A message whose answer was lost, and of which nothing is heard, is sent again only to the sound of a yes, and only once.
func TestResend(t *testing.T) {
	const lost = "+393471990102"
	w := filled(t)
	w.withStranger(lost)
	run := w.object("run", "order-ready")["run"].(string)
	if line := w.object("log", "--run", run, "--phone", lost); line["state"] != "unknown" || line["reason"] != "" {
		t.Fatalf("the log says %v", line)
	}
	if out := w.must("runs", "resend", run, "--unproven"); !strings.Contains(out, "No message of "+run+" is unproven") {
		t.Errorf("nothing is proved yet:\n%s", out)
	}
	w.prove(1)
	if line := w.object("log", "--run", run, "--phone", lost); line["state"] != "unknown" || line["reason"] != "unproven" {
		t.Fatalf("the log says %v", line)
	}
	if reasons := w.object("report", "--run", run)["reasons"].(map[string]any); reasons["unproven"] != 1.0 {
		t.Errorf("the report has the reasons %v", reasons)
	}

	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"runs resend " + run, 2, "[missing_flag]"},
		{"runs resend " + run + " --unproven", 2, "1 unproven message of " + run + ": their answers were lost"},
		{"runs resend nothing --unproven", 1, "[no_such_run]"},
		{"runs resend nothing --unproven --yes", 1, "[no_such_run]"},
	} {
		if a := w.run(strings.Fields(tt.args)...); a.code != tt.code || !strings.Contains(a.err, tt.says) {
			t.Errorf("%s: exit %d\n%s", tt.args, a.code, a.err)
		}
	}
	posted := w.meta.Count()
	w.must("halt")
	if a := w.run("runs", "resend", run, "--unproven", "--yes"); a.code != 5 {
		t.Errorf("while all is halted: exit %d %s", a.code, a.err)
	}
	w.must("resume")
	again := w.object("runs", "resend", run, "--unproven", "--yes", "--detach")
	if again["resends"] != run || again["people"] != 1.0 || w.meta.Count() != posted {
		t.Errorf("sent again by %v; %d posts", again, w.meta.Count()-posted)
	}
	w.object("runs", "resume", again["run"].(string))
	if shown := w.must("runs", "show", again["run"].(string)); !strings.Contains(shown, "to send unproven messages of "+run+" again") {
		t.Errorf("runs show:\n%s", shown)
	}
	if line := w.object("log", "--run", again["run"].(string)); line["phone"] != lost || line["attempts"] != 1.0 {
		t.Errorf("the log says %v", line)
	}
	if a := w.run("runs", "resend", run, "--unproven", "--yes"); a.code != 1 || !strings.Contains(a.err, "[wrong_run_state]") {
		t.Errorf("a second time: exit %d %s", a.code, a.err)
	}
	if !audited(t, w, "unproven messages of "+run) {
		t.Error("it is not in the audit log")
	}
}

// prove lets a day pass for the statuses that came: as many messages are unproven then.
func (w *world) prove(want int) {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), "sqlite:"+w.path("permesso.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	marked, err := s.MarkUnproven(w.t.Context(), 0)
	if err != nil || marked != want {
		w.t.Fatalf("%d messages are unproven, %v; want %d", marked, err, want)
	}
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
}
