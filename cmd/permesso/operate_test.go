package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOperatorsHands(t *testing.T) {
	w := filled(t)
	id := strings.TrimSpace(w.must("run", "order-ready", "--detach"))
	if out := w.must("runs", "show", id); !strings.Contains(out, "no process sends for its number: `permesso serve`") || !strings.Contains(out, "`permesso runs resume "+id+"`") {
		t.Errorf("runs show of a run that nobody carries:\n%s", out)
	}
	if moved := w.object("runs", "pause", id, "--reason", "wrong text"); moved["state"] != "paused" {
		t.Errorf("pause: %v", moved)
	}
	if out := w.must("runs", "list"); !strings.Contains(out, "wrong text") {
		t.Errorf("runs list:\n%s", out)
	}
	if out := w.must("runs", "show", id); strings.Contains(out, "no process sends") {
		t.Errorf("runs show of a run that nobody has to carry:\n%s", out)
	}
	if out := w.must("runs", "resume", id, "--detach"); !strings.Contains(out, "permesso serve") {
		t.Errorf("resume: %s", out)
	}
	if a := w.run("runs", "resume", id, "--detach"); a.code != 1 || !strings.Contains(a.err, "only a paused run is resumed [wrong_run_state]\n") {
		t.Errorf("resume of what is not paused: %d %s", a.code, a.err)
	}
	if held := w.object("halt", "--reason", "fire drill"); held["runs"] != 1.0 || held["halted"] != true {
		t.Errorf("halt: %v", held)
	}
	w.must("halt")
	if a := w.run("run", "order-ready"); a.code != 5 || !strings.Contains(a.err, "(fire drill) [halted]\n") {
		t.Errorf("a run while halted: %d %s", a.code, a.err)
	}
	w.must("halt", "--reason", "wrong price")
	if a := w.run("run", "order-ready"); a.code != 5 || !strings.Contains(a.err, "(wrong price) [halted]\n") {
		t.Errorf("a run while halted for another reason: %d %s", a.code, a.err)
	}
	if free := w.object("resume"); free["halted"] != false || free["runs"] != 1.0 {
		t.Errorf("resume: %v", free)
	}
	if out := w.must("resume"); !strings.Contains(out, "Nothing was halted") {
		t.Errorf("resume again: %s", out)
	}
	w.must("runs", "cancel", id)
	if a := w.run("runs", "resume", id); a.code != 1 {
		t.Errorf("resume of a cancelled run: %d %s", a.code, a.err)
	}
	if w.meta.Count() != 0 {
		t.Errorf("%d messages left", w.meta.Count())
	}
}

func TestStopsAndWhoMayLiftThem(t *testing.T) {
	w := filled(t)
	w.must("suppress", "add", phoneOf(9), "--reason", "by mail")
	if added := w.object("suppress", "add", "+999123456789"); added["scope"] != "all" {
		t.Errorf("a number that no plan has: %v", added)
	}
	list := w.lines("suppress", "list")
	if len(list) != 2 || !slices.Equal(slices.Sorted(maps.Keys(list[0])), []string{"at", "phone", "reason", "scope", "source", "user_id"}) {
		t.Errorf("the list: %v", list)
	}
	if lifted := w.object("suppress", "remove", phoneOf(9), "--reason", "a mistake"); lifted["lifted"] != 1.0 {
		t.Errorf("remove: %v", lifted)
	}
	if len(w.lines("suppress", "list")) != 1 || len(w.lines("suppress", "list", "--all")) != 2 {
		t.Error("a lifted stop is listed, or lost")
	}

	// What the person said themselves no operator takes back.
	stopped, listening := context.WithCancel(t.Context())
	served := serving(t, w, stopped, "--only", "webhook")
	if status, err := w.meta.InboundText(t.Context(), strings.TrimPrefix(phoneOf(9), "+"), "STOP"); status != 200 || err != nil {
		t.Fatalf("the webhook answered %d, %v", status, err)
	}
	listening()
	if a := <-served; a.code != 0 {
		t.Errorf("serve ended with %d: %s", a.code, a.err)
	}
	if a := w.run("suppress", "remove", phoneOf(9), "--reason", "please"); a.code != 1 || !strings.Contains(a.err, "came from the person") || !strings.HasSuffix(a.err, "[persons_own_stop]\n") {
		t.Errorf("lifting a person's own stop: %d %s%s", a.code, a.out, a.err)
	}
	if e := w.object("explain", "weekend-offer", phoneOf(20)); e["verdict"] != "allow" {
		t.Errorf("somebody else is stopped: %v", e["reason"])
	}
}

// serving runs `serve` until ctx is done, and returns once it listens.
func serving(t *testing.T, w *world, ctx context.Context, args ...string) <-chan answer {
	t.Helper()
	ended := make(chan answer, 1)
	out, ready := io.Pipe()
	var errs bytes.Buffer
	go func() {
		code := run(ctx, append([]string{"serve", "--json", "--config", w.path("config.yaml")}, args...), strings.NewReader(""), ready, &errs,
			func(name string) (string, bool) { v, ok := w.env[name]; return v, ok })
		_ = ready.Close()
		ended <- answer{code: code, err: errs.String()}
	}()
	if n, err := out.Read(make([]byte, 4096)); n == 0 {
		t.Fatalf("serve did not start: %v\n%s", err, errs.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return ended
}

func TestOneServeToAFile(t *testing.T) {
	w := filled(t)
	ctx, stop := context.WithCancel(t.Context())
	served := serving(t, w, ctx)
	if a := w.run("serve", "--only", "sender"); a.code != 5 || !strings.Contains(a.err, "use PostgreSQL for more [second_serve]\n") {
		t.Errorf("a second serve: %d %s", a.code, a.err)
	}
	id := strings.TrimSpace(w.must("run", "order-ready", "--detach"))
	deadline := time.Now().Add(time.Minute)
	for w.object("runs", "show", id)["state"] != "done" && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond) // another process sends; there is nothing else to wait on
	}
	if w.meta.Count() != people {
		t.Errorf("serve sent %d of %d", w.meta.Count(), people)
	}
	stop()
	if a := <-served; a.code != 0 || strings.Contains(a.err, "+3934710") {
		t.Errorf("serve ended with %d, or logged a phone number: %s", a.code, a.err)
	}
}

func TestInterruptPausesTheRun(t *testing.T) {
	w := filled(t)
	w.edit("messages_per_second: 500", "messages_per_second: 4")
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		for w.meta.Count() == 0 && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		interrupt()
	}()
	a := w.runContext(ctx, "run", "order-ready", "--json")
	if a.code != 4 || !strings.Contains(a.err, "permesso runs resume") || !strings.Contains(a.err, `"code":"run_interrupted"`) {
		t.Fatalf("exit %d\n%s%s", a.code, a.out, a.err)
	}
	summary := objects(t, a.out)
	if len(summary) != 1 {
		t.Fatalf("no summary after Ctrl-C: %s", a.out)
	}
	if runs := w.lines("runs", "list", "--state", "paused"); len(runs) != 1 || runs[0]["run"] != summary[0]["run"] {
		t.Errorf("the run is not paused: %v", runs)
	}
	if n := w.meta.Count(); n == 0 || n >= people {
		t.Errorf("%d messages left before the interrupt", n)
	}
}

func TestFollowTheLog(t *testing.T) {
	w := filled(t)
	w.must("run", "weekend-offer", "--json")
	ctx, stop := context.WithCancel(t.Context())
	out, into := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"log", "-f", "--json", "--config", w.path("config.yaml")}, strings.NewReader(""), into, io.Discard,
			func(name string) (string, bool) { v, ok := w.env[name]; return v, ok })
		_ = into.Close()
	}()
	seen := make(chan string, 1000)
	go func() {
		defer close(seen)
		buffer := make([]byte, 1<<16)
		for {
			n, err := out.Read(buffer)
			if err != nil {
				return
			}
			seen <- string(buffer[:n])
		}
	}()
	first, followed := map[string]int{}, map[string]int{}
	for range 40 {
		first[objects(t, <-seen)[0]["phone"].(string)]++
	}
	w.must("run", "order-ready", "--json")
	for len(followed) < people {
		select {
		case line := <-seen:
			if v := objects(t, line)[0]; v["campaign"] == "order-ready" {
				followed[v["phone"].(string)]++
			} else if v["campaign"] == "weekend-offer" {
				t.Errorf("a line came twice: %v", v["phone"])
			}
		case <-time.After(time.Minute):
			t.Fatalf("only %d lines followed", len(followed))
		}
	}
	stop()
	if code := <-ended; code != 0 || len(first) != 40 {
		t.Errorf("exit %d, %d people before", code, len(first))
	}
}
