package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const approvals = "test_phones:"

// as runs a line as another person.
func (w *world) as(user string, args ...string) answer {
	w.t.Helper()
	before := w.env["USER"]
	defer func() { w.env["USER"] = before }()
	w.env["USER"] = user
	return w.run(args...)
}

func TestApproval(t *testing.T) {
	w := filled(t)
	w.edit(approvals, "approvals: {above: 40}\n"+approvals)
	a := w.run("run", "order-ready")
	if a.code != 4 || !strings.Contains(a.err, "50 people would get it, and above 40") || !strings.Contains(a.err, "somebody other than ada lets it go with `permesso runs approve ") || !strings.HasSuffix(a.err, "[run_awaits_approval]\n") || !strings.Contains(a.out, "matched") {
		t.Fatalf("a large run: exit %d\n%s%s", a.code, a.out, a.err)
	}
	if a := w.run("run", "order-ready", "--json"); a.code != 4 || len(objects(t, a.out)) != 1 {
		t.Errorf("a large run for a script: exit %d\n%s%s", a.code, a.out, a.err)
	} else {
		w.must("runs", "cancel", fmt.Sprint(objects(t, a.out)[0]["run"]))
	}
	id := fmt.Sprint(w.lines("runs", "list", "--state", "waiting")[0]["run"])
	shown := w.object("runs", "show", id)
	asked, _ := shown["approval"].(map[string]any)
	plan, _ := shown["plan"].(map[string]any)
	hash, _ := asked["hash"].(string)
	if shown["state"] != "waiting" || hash == "" || plan["hash"] != hash || asked["people"] != 50.0 || shown["created_by"] != "ada" || asked["by"] != nil {
		t.Fatalf("runs show: %v", shown)
	}
	if out := w.must("runs", "show", id); !strings.Contains(out, hash) || !strings.Contains(out, "waits for a second person") || !strings.Contains(out, "by hand, by ada") {
		t.Errorf("runs show:\n%s", out)
	}
	for _, tt := range []struct {
		user string
		line []string
		code int
		says string
	}{
		{"ada", []string{"--hash", hash}, 5, "somebody else than who made it: ada did [same_person]"},
		{"", []string{"--hash", hash}, 5, "[nobody_named]"},
		{"grace", []string{"--hash", "0123"}, 5, "its plan is " + hash + ", and not 0123 [run_drifted]"},
		{"grace", nil, 2, "there is no terminal to ask on"},
		{"grace", []string{"--json"}, 2, "--hash"},
		{"ada", nil, 5, "[same_person]"},
	} {
		if a := w.as(tt.user, append([]string{"runs", "approve", id}, tt.line...)...); a.code != tt.code || !strings.Contains(a.err, tt.says) {
			t.Errorf("%q approves %v: exit %d: %s; want %d, %q", tt.user, tt.line, a.code, a.err, tt.code, tt.says)
		}
	}
	if a := w.run("runs", "resume", id); a.code != 1 || !strings.Contains(a.err, "it is waiting") {
		t.Errorf("resume lets it loose: %d %s", a.code, a.err)
	}
	if n := len(w.lines("log", "--run", id)); n > 0 || w.meta.Count() > 0 {
		t.Errorf("before the approval there are %d rows and %d messages", n, w.meta.Count())
	}

	// A drift is found when it is approved, and the new plan can be approved.
	w.edit("order: {text: A-1}", "order: {text: A-2}")
	a = w.as("grace", "runs", "approve", id, "--hash", hash)
	if a.code != 5 || !strings.Contains(a.err, "was changed in config.yaml") {
		t.Errorf("an edited campaign is approved: %d %s", a.code, a.err)
	}
	if why := w.object("runs", "show", id)["why"]; !strings.Contains(fmt.Sprint(why), "since its plan was made the campaign") {
		t.Errorf("it waits, since %v", why)
	}
	if moved := objects(t, w.as("grace", "runs", "approve", id, "--hash", hash, "--json").out); len(moved) != 1 || moved[0]["state"] != "planning" {
		t.Errorf("approved: %v", moved)
	}
	if a := w.as("linus", "runs", "approve", id, "--hash", hash); a.code != 1 || !strings.Contains(a.err, "it is planning and does not wait") {
		t.Errorf("approved again: %d %s", a.code, a.err)
	}
	w.must("runs", "resume", id)
	if w.meta.Count() != 50 {
		t.Errorf("%d messages, want 50", w.meta.Count())
	}
	if out := w.must("runs", "show", id); !strings.Contains(out, "by grace at ") || !strings.Contains(out, "done") {
		t.Errorf("after it:\n%s", out)
	}
	if !audited(t, w, "by hand") || !auditedBy(t, w, "grace", "plan "+hash+", 50 people") || !auditedBy(t, w, "permesso", "since its plan was made") {
		t.Error("the audit log does not say who did what")
	}
}

func TestApprovalIsNotWanted(t *testing.T) {
	w := filled(t)
	w.edit(approvals, "approvals: {above: 40}\n"+approvals)
	// weekend-offer is for fewer, a test is for test_phones, and a plan changes nothing.
	w.must("run", "weekend-offer")
	w.must("run", "order-ready", "--test")
	w.must("plan", "order-ready")
	if waiting := w.lines("runs", "list", "--state", "waiting"); len(waiting) > 0 {
		t.Errorf("waiting: %v", waiting)
	}
	detached := w.run("run", "order-ready", "--detach")
	id := strings.TrimSpace(detached.out)
	if detached.code != 0 || !strings.Contains(detached.err, "permesso runs approve "+id+" --hash ") {
		t.Errorf("--detach: exit %d, %q, %s", detached.code, detached.out, detached.err)
	}
	w.must("runs", "cancel", id)
	if a := w.as("grace", "runs", "approve", id, "--hash", "1"); a.code != 1 || !strings.Contains(a.err, "it is cancelled") {
		t.Errorf("a cancelled run is approved: %d %s", a.code, a.err)
	}
}

// On a terminal the plan is shown, and only yes approves it.
func TestApprovalOnATerminal(t *testing.T) {
	w := filled(t)
	w.edit(approvals, "approvals: {above: 0}\n"+approvals)
	w.run("run", "order-ready")
	id := fmt.Sprint(w.lines("runs", "list")[0]["run"])
	w.env["USER"] = "grace"
	answered := func(answer string) (int, string) {
		var out, errs bytes.Buffer
		s := newSession(strings.NewReader(answer), &out, &errs, func(name string) (string, bool) { v, ok := w.env[name]; return v, ok })
		s.answers = true
		code := s.run(t.Context(), []string{"runs", "approve", id, "--config", w.path("config.yaml")})
		return code, out.String() + errs.String()
	}
	for _, no := range []string{"\n", "no\n", "y\n"} {
		if code, text := answered(no); code != 4 || !strings.Contains(text, "[not_approved]") {
			t.Errorf("%q: exit %d\n%s", no, code, text)
		}
	}
	if state := w.object("runs", "show", id)["state"]; state != "waiting" {
		t.Errorf("after no it is %v", state)
	}
	if code, text := answered("yes\n"); code != 0 || !strings.Contains(text, "Approve it, as grace?") || !strings.Contains(text, "matched") || !strings.Contains(text, "is approved by grace") {
		t.Errorf("yes: exit %d\n%s", code, text)
	}
}
