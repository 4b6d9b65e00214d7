package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// wintry is a world with campaigns that meet, in several zones, at the end of March 2027.
func wintry(t *testing.T, w *world) *world {
	t.Helper()
	w.edit("  - id: later-offer\n", `  - {id: late-letter, category: offers, template: weekend_offer, languages: [it], priority: 5, schedule: {cron: "30 2 * * SUN", timezone: Europe/Rome},
     parameters: {body: [{text: a}, {text: b}], buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}}}
  - {id: island, category: orders, template: order_update, languages: [en], schedule: {cron: "0 12 * * SUN", timezone: Australia/Lord_Howe},
     parameters: {body: {first_name: {text: a}, order: {text: b}}}}
  - id: later-offer
`)
	w.edit(`schedule: {cron: "0 18 * * FRI", timezone: Europe/Rome}`, `schedule: {cron: "15 3 * * SUN", timezone: Europe/Rome}`)
	return w
}

var calendarOfMarch = []string{"plan", "--next", "2d", "--at", "2027-03-27T00:00:00+01:00"}

func TestCalendarForPeople(t *testing.T) {
	w := wintry(t, newWorld(t))
	w.edit("base_url: http://", "base_url: http://127.0.0.1:1/") // nobody answers there
	got := w.must(calendarOfMarch...)
	want := `DAY             LOCAL                                               UTC               CAMPAIGN
Sun 2027-03-28  12:00 +11:00 Australia/Lord_Howe                    2027-03-28 01:00  island         collides with late-letter at the same moment, on the same number; collides with weekend-offer, 15 min later, on the same number
                03:00 +02:00 Europe/Rome                            2027-03-28 01:00  late-letter    the clocks skip 2027-03-28T02:30 that day: the first moment after it; collides with island at the same moment, on the same number; collides with weekend-offer, 15 min later, on the same number, under one cap (of 1 per 24h, kind marketing): late-letter goes first
                03:15 +02:00 Europe/Rome                            2027-03-28 01:15  weekend-offer  collides with late-letter, 15 min before, on the same number, under one cap (of 1 per 24h, kind marketing): late-letter goes first; collides with island, 15 min before, on the same number

Whom they would reach is not counted: there is no database yet.
`
	if blanks := regexp.MustCompile(` {2,}`); blanks.ReplaceAllString(got, "  ") != blanks.ReplaceAllString(want, "  ") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if quiet := w.must(append(calendarOfMarch, "--quiet")...); strings.Contains(quiet, "reach") || !strings.Contains(quiet, "island") {
		t.Errorf("--quiet: %s", quiet)
	}
	if _, err := os.Stat(w.path("permesso.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database was made: %v", err)
	}
}

// With people in the database the calendar says whom each campaign would reach now, and how many the caps hold back.
func TestCalendarCountsPeople(t *testing.T) {
	w := wintry(t, filled(t))
	counts := func() map[string]string {
		t.Helper()
		_, table, found := strings.Cut(w.must(calendarOfMarch...), "AS OF 2027-03-27 00:00:00 +01:00")
		if !found {
			t.Fatal("nobody is counted")
		}
		rows := map[string]string{}
		for line := range strings.Lines(table) {
			if words := strings.Fields(line); len(words) > 3 {
				rows[words[0]] = strings.Join(words[1:], " ")
			}
		}
		return rows
	}
	if got := counts(); !strings.Contains(got["island"], "0 0 its template was never read: `permesso templates sync`") {
		t.Errorf("before a sync: %v", got)
	}
	w.must("templates", "sync")
	before := counts()
	plan := w.object("plan", "weekend-offer", "--at", "2027-03-27T00:00:00+01:00")
	if want := fmt.Sprint(plan["matched"], " ", plan["allowed"], " 0"); before["weekend-offer"] != want || plan["allowed"] == 0.0 {
		t.Errorf("weekend-offer: %q, want %q as plan has it", before["weekend-offer"], want)
	}
	w.must("run", "weekend-offer")
	w.edit("per: 24h", "per: 720d")
	after := w.object("plan", "late-letter", "--at", "2027-03-27T00:00:00+01:00")
	held, _ := after["denied"].(map[string]any)["frequency_cap"].(float64)
	if got := counts(); held == 0 || !strings.HasSuffix(got["late-letter"], fmt.Sprint(" ", held)) {
		t.Errorf("late-letter: %q, want %v held back", got["late-letter"], held)
	}
	if lines := w.lines(calendarOfMarch...); len(lines) != 3 || len(lines[0]) != 3 || len(lines[1]) != 4 {
		t.Errorf("--json has the fields of the contract alone: %v", lines)
	}
	w.edit("template: order_update\n    languages: [en]", "template: order_update\n    languages: [de]")
	w.edit("template: order_update, languages: [en]", "template: order_update, languages: [de]")
	if got := counts(); !strings.Contains(got["island"], "a run would be refused: `permesso plan island` says why") {
		t.Errorf("a template that cannot be sent: %v", got)
	}
}

// A database that cannot be opened costs the counts and nothing else.
func TestCalendarWithoutItsDatabase(t *testing.T) {
	for name, database := range map[string]string{"no file": "sqlite:nowhere/else.db", "no database": "sqlite:config.yaml", "nobody there": "postgres://permesso@127.0.0.1:1/permesso?sslmode=disable"} {
		t.Run(name, func(t *testing.T) {
			w := wintry(t, newWorld(t))
			text, err := os.ReadFile(w.path("config.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			line := regexp.MustCompile(`(?m)^database:.*$`)
			if !line.Match(text) {
				t.Fatal("the world names no database")
			}
			w.write("config.yaml", line.ReplaceAllString(string(text), "database: "+database))
			a := w.run(calendarOfMarch...)
			if a.code != 0 || !strings.Contains(a.out, "weekend-offer") || !strings.Contains(a.out, "is not counted: ") {
				t.Errorf("exit %d\n%s%s", a.code, a.out, a.err)
			}
		})
	}
}

func TestCalendarAsAFeed(t *testing.T) {
	w := wintry(t, newWorld(t))
	feed := w.must(append(calendarOfMarch, "--ics")...)
	for _, part := range []string{"BEGIN:VCALENDAR\r\n", "SUMMARY:island\r\n", "DTSTART:20270328T010000Z\r\n", "X-WR-CALNAME:Campaigns of Libreria Aurora\r\n", "END:VCALENDAR\r\n"} {
		if !strings.Contains(feed, part) {
			t.Errorf("no %q in\n%s", part, feed)
		}
	}
	if n := strings.Count(feed, "BEGIN:VEVENT"); n != 3 {
		t.Errorf("%d events", n)
	}
	if one := w.must(append(calendarOfMarch, "--ics", "island")...); strings.Count(one, "BEGIN:VEVENT") != 1 {
		t.Errorf("of one campaign: %s", one)
	}
	for line, says := range map[string]string{"plan --ics": "--ics is a form of --next", "plan --next 2d --ics --json": "choose one"} {
		if a := w.run(strings.Fields(line)...); a.code != 2 || !strings.Contains(a.err, says) {
			t.Errorf("%s: exit %d, %s", line, a.code, a.err)
		}
	}
	if _, err := os.Stat(w.path("permesso.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database was made: %v", err)
	}
}
