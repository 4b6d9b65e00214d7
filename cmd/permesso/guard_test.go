package main

import (
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/sender"
)

// sum is how many people a plan's equation accounts for.
func sum(plan map[string]any) float64 {
	all := plan["allowed"].(float64) + plan["deferred"].(float64) + plan["holdout"].(float64)
	for _, n := range plan["denied"].(map[string]any) {
		all += n.(float64)
	}
	return all
}

// The messaging limit from the first plan to the log: who is beyond it waits for a day.
func TestTheMessagingLimitInEveryVerb(t *testing.T) {
	w := filled(t)
	w.edit("messages_per_second: 500}", "messages_per_second: 500, messaging_limit: 10}")
	plan := w.object("plan", "order-ready")
	finish, err := time.Parse(time.RFC3339, plan["finish_at"].(string))
	if plan["allowed"] != 10.0 || plan["deferred"] != 40.0 || plan["matched"] != sum(plan) || err != nil || finish.Before(time.Now().Add(4*24*time.Hour)) {
		t.Errorf("of 50 people 10 a day are written to: %v", plan)
	}
	r := w.run("run", "order-ready")
	if r.code != exitIncomplete || !strings.Contains(r.err, "the 40 people left wait until") || w.meta.Count() != 10 {
		t.Errorf("run: exit %d with %d messages, %s", r.code, w.meta.Count(), r.err)
	}
	waits := w.lines("log", "--reason", "messaging_limit")
	if len(waits) != 40 || waits[0]["state"] != "queued" || waits[0]["due_at"] == nil {
		t.Errorf("%d wait for the limit: %v", len(waits), waits[:min(1, len(waits))])
	}
	later := waits[0]["phone"].(string)
	e := w.object("explain", "order-ready", later)
	until, err := time.Parse(time.RFC3339, e["until"].(string))
	if e["verdict"] != "defer" || e["reason"] != "messaging_limit" || err != nil || until.Before(time.Now().Add(24*time.Hour)) {
		t.Errorf("explain: %v", e)
	}
	// Another campaign finds no place either, and whoever has one is written to.
	if plan := w.object("plan", "weekend-offer"); plan["deferred"] == 0.0 || plan["matched"] != sum(plan) {
		t.Errorf("another plan: %v", plan)
	}
	if out := w.must("explain", "order-ready", later); !strings.Contains(out, "The messaging limit, of people in any 24 hours, is reached; there is a place at") {
		t.Error(out)
	}
}

// What Meta says of the limit holds where the configuration names none, and `check --online` says where the two differ.
func TestTheMessagingLimitThatMetaTells(t *testing.T) {
	w := filled(t)
	if err := w.meta.SetNumberField("111222333444", "whatsapp_business_manager_messaging_limit", "TIER_20"); err != nil {
		t.Fatal(err)
	}
	if plan := w.object("plan", "order-ready"); plan["allowed"] != 20.0 || plan["deferred"] != 30.0 {
		t.Errorf("under Meta's limit: %v", plan)
	}
	w.edit("messages_per_second: 500}", "messages_per_second: 500, messaging_limit: 30}")
	if a := w.run("check", "--online"); !strings.Contains(a.out+a.err, "has messaging_limit 30, and Meta grants the portfolio 20 people in any 24 hours") {
		t.Errorf("check --online: %s%s", a.out, a.err)
	}
	if plan := w.object("plan", "order-ready"); plan["allowed"] != 30.0 {
		t.Errorf("what the configuration names holds: %v", plan)
	}
	w.edit(", messaging_limit: 30", "")
	if err := w.meta.SetNumberField("111222333444", "whatsapp_business_manager_messaging_limit", "TIER_NOT_SET"); err != nil {
		t.Fatal(err)
	}
	if a := w.run("check", "--online"); !strings.Contains(a.out+a.err, "Meta names no messaging limit for number 111222333444") {
		t.Errorf("check --online: %s%s", a.out, a.err)
	}
}

// Waves and the guard, as plan, run, runs show, explain and runs resume tell of them.
func TestWavesAndGuardInEveryVerb(t *testing.T) {
	w := filled(t)
	w.edit("    template: order_update\n    languages: [en]\n    parameters:", "    template: order_update\n    languages: [en]\n    waves: [50%]\n    guard: {opt_outs_per_1000: 15}\n    parameters:")
	plan := w.object("plan", "order-ready")
	waves := plan["waves"].([]any)
	first, rest := waves[0].(map[string]any), waves[1].(map[string]any)
	if plan["matched"] != sum(plan) || first["up_to"] != "50%" || rest["up_to"] != "100%" || first["people"].(float64) != plan["allowed"] || rest["people"].(float64) != plan["deferred"] {
		t.Errorf("plan: %v", plan)
	}
	if out := w.must("plan", "order-ready"); !strings.Contains(out, "WAVE") || !strings.Contains(out, "up to 50%") {
		t.Error(out)
	}
	r := w.run("run", "order-ready")
	if r.code != exitIncomplete || w.meta.Count() == 0 || w.meta.Count() == people {
		t.Fatalf("run: exit %d with %d messages, %s", r.code, w.meta.Count(), r.err)
	}
	id := w.lines("runs", "list")[0]["run"].(string)
	if show := w.object("runs", "show", id); !strings.HasPrefix(show["wave"].(string), "wave 1 of 1, up to 50% of its people, ") {
		t.Errorf("runs show: %v", show)
	}
	if out := w.must("runs", "show", id); !strings.Contains(out, "wave 1 of 1, up to 50% of its people") {
		t.Error(out)
	}
	waits := w.lines("log", "--reason", "quality_guard")
	if len(waits)+w.meta.Count() != people {
		t.Errorf("%d wait for the next wave, and %d were sent", len(waits), w.meta.Count())
	}
	if out := w.must("explain", "order-ready", waits[0]["phone"].(string)); !strings.Contains(out, "if the guard lets it") && !strings.Contains(out, "which has begun") {
		t.Error(out)
	}

	db, err := store.Open(t.Context(), "sqlite:"+w.path("permesso.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.OpenBreaker(t.Context(), sender.Stopped("order-ready", "9 of 30 people opted out")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if e := w.object("explain", "order-ready", phoneOf(7)); e["verdict"] != "deny" || e["reason"] != "quality_guard" {
		t.Errorf("explain of a campaign that is stopped: %v", e)
	}
	if show := w.object("runs", "show", id); show["state"] != "paused" || show["breaker"] != "campaign order-ready" || !strings.Contains(show["why"].(string), "9 of 30 people opted out; look at the message") {
		t.Errorf("runs show: %v", show)
	}
	w.must("runs", "resume", id, "--detach")
	if e := w.object("explain", "order-ready", phoneOf(7)); e["reason"] == "quality_guard" && e["verdict"] == "deny" {
		t.Errorf("explain after it was resumed: %v", e)
	}
}
