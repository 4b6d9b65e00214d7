package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// invented is a price list with invented figures.
const invented = "countries,category,price,currency,valid_from\nIT,marketing,0.05,EUR,\nIT,utility,0.01,EUR,\n"

// withRates gives a world a price list.
func withRates(w *world, list string) {
	w.write("rates.csv", list)
	w.edit("test_phones:", "rates: rates.csv\ntest_phones:")
}

func TestCost(t *testing.T) {
	w := filled(t)
	if plan := w.object("plan", "weekend-offer"); plan["cost"] != nil || plan["finish_at"] == nil {
		t.Errorf("a cost without prices: %v", plan)
	}
	withRates(w, invented)
	// 30 people, of 40 who consented and 10 without the points.
	plan := w.object("plan", "weekend-offer")
	if cost, _ := plan["cost"].(map[string]any); plan["allowed"] != 30.0 || cost["currency"] != "EUR" || cost["amount"] != 1.5 || len(cost) != 2 {
		t.Errorf("30 messages at 0.05: %v", plan)
	}
	if out := w.must("plan", "weekend-offer"); !strings.Contains(out, "1.50 EUR") {
		t.Errorf("plan:\n%s", out)
	}

	w.edit("    schedule: {cron: \"0 18 * * FRI\"", "    budget: 1.04 EUR\n    schedule: {cron: \"0 18 * * FRI\"")
	plan = w.object("plan", "weekend-offer")
	denied, _ := plan["denied"].(map[string]any)
	if cost, _ := plan["cost"].(map[string]any); plan["allowed"] != 20.0 || denied["budget"] != 10.0 || cost["amount"] != 1.0 {
		t.Errorf("of 30 at 0.05 a budget of 1.04 has room for 20: %v", plan)
	}
	if out := w.must("explain", "weekend-offer", phoneOf(20)); !strings.Contains(out, "The message costs 0.05, and 0.00 of the run's 1.04 EUR are spent before it.") {
		t.Errorf("explain:\n%s", out)
	}
	r := w.object("run", "weekend-offer")
	if reasons, _ := r["reasons"].(map[string]any); w.meta.Count() != 20 || reasons["budget"] != 10.0 {
		t.Errorf("%d messages left: %v", w.meta.Count(), r)
	}
	report := w.object("report", "--run", r["run"].(string))
	if cost, _ := report["cost"].(map[string]any); cost["amount"] != 1.0 || cost["billed"] != 20.0 || cost["estimated"] != 0.0 {
		t.Errorf("what Meta bills for 20 messages: %v", report["cost"])
	}
	for _, line := range []string{"report --run " + r["run"].(string), "report --csv"} {
		if out := w.must(strings.Fields(line)...); !strings.Contains(out, "1.00") {
			t.Errorf("%s:\n%s", line, out)
		}
	}
	w.must("run", "order-ready")
	if out := w.must("report"); !strings.Contains(out, "COST") || !strings.Contains(out, "0.50 EUR") {
		t.Errorf("report:\n%s", out)
	}
	if lines := w.lines("log", "--reason", "budget"); len(lines) != 10 || lines[0]["state"] != "skipped" {
		t.Errorf("%d lines have the reason budget", len(lines))
	}
	if lines := w.lines("log", "--state", "read", "--limit", "1"); len(lines) != 1 || fmt.Sprint(lines[0]["pricing"]) != "map[billable:true category:marketing model:PMP]" {
		t.Errorf("the log's pricing: %v", lines)
	}
}

func TestCostIsNeverGuessed(t *testing.T) {
	w := filled(t)
	withRates(w, strings.ReplaceAll(invented, "IT,", "FR,"))
	plan := w.object("plan", "order-ready")
	if _, there := plan["cost"]; there || plan["unpriced"] != 50.0 {
		t.Errorf("a cost of messages without a price: %v", plan)
	}
	if out := w.must("plan", "order-ready"); !strings.Contains(out, "not known: rates has no price for 50 of these people") {
		t.Errorf("plan:\n%s", out)
	}
	w.edit("id: order-ready", "id: order-ready\n    budget: 500 EUR")
	plan = w.object("plan", "order-ready")
	if denied, _ := plan["denied"].(map[string]any); denied["budget"] != 50.0 {
		t.Errorf("with a budget what has no price is refused: %v", plan)
	}
	if out := w.must("explain", "order-ready", phoneOf(20)); !strings.Contains(out, "rates has no price of this message to the country of this person") {
		t.Errorf("explain:\n%s", out)
	}
}

// age moves all that a world did into the past.
func age(w *world, by time.Duration) {
	w.t.Helper()
	db, err := sqlx.Open("sqlite", w.path("permesso.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, query := range []string{
		"UPDATE runs SET finished_at = finished_at - $1", "UPDATE deliveries SET sending_at = sending_at - $1, heard_at = heard_at - $1", "UPDATE webhooks SET received_at = received_at - $1",
	} {
		if _, err := db.ExecContext(w.t.Context(), query, by.Microseconds()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestRetention(t *testing.T) {
	w := filled(t)
	if out := w.must("retention"); strings.Count(out, "ever") != 3 {
		t.Errorf("without the key:\n%s", out)
	}
	w.edit("test_phones:", "retention: {deliveries: 40d, webhooks: 7d}\ntest_phones:")
	id := w.object("run", "order-ready")["run"].(string)
	before := w.object("report", "--run", id)
	if young := w.object("retention"); young["deliveries"] != 0.0 {
		t.Errorf("what is young went: %v", young)
	}
	age(w, 41*24*time.Hour)
	said, gone := w.object("retention", "--dry-run"), w.object("retention")
	if fmt.Sprint(said) != fmt.Sprint(gone) || gone["deliveries"] != 50.0 || gone["runs"] != 1.0 || gone["review_texts"] != 0.0 {
		t.Errorf("%v was said to go, and %v went", said, gone)
	}
	if again := w.object("retention"); again["deliveries"] != 0.0 || !audited(t, w, "50 deliveries of 1 runs, 0 webhooks, 0 review texts") {
		t.Errorf("again %v went, or the audit log does not know", again)
	}
	after := w.object("report", "--run", id)
	if after["deleted_at"] == nil || fmt.Sprint(after["states"], after["rate"]) != fmt.Sprint(before["states"], before["rate"]) || len(w.lines("log", "--run", id)) != 0 {
		t.Errorf("the report was\n%v\nand is\n%v", before, after)
	}
	if shown := w.object("runs", "show", id); fmt.Sprint(shown["states"]) != fmt.Sprint(before["states"]) {
		t.Errorf("runs show: %v", shown)
	}
	if refused := w.run("runs", "resend", id, "--unproven", "--yes"); refused.code == 0 {
		t.Errorf("sent again: %s", refused.out)
	}
}
