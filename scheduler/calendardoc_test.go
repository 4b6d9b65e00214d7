package scheduler_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/scheduler"
)

// dstDays are the wall times of the table in docs/CALENDAR.md: days that are past, whose clocks no government can change any more.
var dstDays = []struct{ zone, about, slots string }{
	{"Europe/Rome", "an hour, at two in the morning", "2025-03-30T02:30 2025-10-26T02:30"},
	{"Europe/Lisbon", "the same instant as Rome, an hour earlier on the wall", "2025-03-30T01:30 2025-10-26T01:30"},
	{"Europe/Dublin", "by law winter is the exception: daylight saving of minus one hour", "2025-03-30T01:30 2025-10-26T01:30"},
	{"Atlantic/Azores", "at midnight", "2025-03-30T00:30 2025-10-26T00:30"},
	{"America/New_York", "other weeks than Europe", "2025-03-09T02:30 2025-11-02T01:30"},
	{"America/Havana", "the day begins at one in spring, and its first hour comes twice in autumn", "2025-03-09T00:00 2025-11-02T00:30"},
	{"America/Sao_Paulo", "at midnight, until 2019; since then none", "2018-11-04T00:30 2018-02-17T23:30 2025-11-02T00:30"},
	{"America/Nuuk", "the gap ends at midnight: the run is on the next date", "2025-03-29T23:30 2025-10-25T23:30"},
	{"Africa/Casablanca", "an hour back for Ramadan", "2025-02-23T02:30 2025-04-06T02:30"},
	{"Africa/Cairo", "at midnight, again since 2023", "2025-04-25T00:30 2025-10-30T23:30"},
	{"Asia/Beirut", "at midnight", "2025-03-30T00:30 2025-10-25T23:30"},
	{"Asia/Gaza", "dates around Ramadan", "2025-04-12T02:30 2025-10-25T01:30"},
	{"Asia/Tehran", "at midnight, until 2022; since then none", "2022-03-22T00:30 2022-09-21T23:30 2025-03-22T00:30"},
	{"Asia/Kathmandu", "fifteen minutes, once, in 1986; since then 5:45 from UTC", "1986-01-01T00:10 2025-03-30T02:30"},
	{"Australia/Lord_Howe", "half an hour", "2025-10-05T02:15 2025-04-06T01:45"},
	{"Antarctica/Troll", "two hours", "2025-03-30T02:30 2025-10-26T01:30"},
	{"Pacific/Chatham", "at a quarter to three", "2025-09-28T03:00 2025-04-06T03:00"},
	{"Pacific/Apia", "a whole day was skipped: all of its slots are one instant, so one run", "2011-12-30T09:00 2011-12-30T18:00"},
}

// dstTable computes the table.
func dstTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| zone | its clocks | slot | what they do to it | fires at | in UTC |\n|---|---|---|---|---|---|\n")
	for _, day := range dstDays {
		about := day.about
		for wall := range strings.FieldsSeq(day.slots) {
			slot, err := time.Parse("2006-01-02T15:04", wall)
			if err != nil {
				t.Fatal(err)
			}
			s := scheduler.Schedule{Cron: fmt.Sprintf("%d %d %d %d *", slot.Minute(), slot.Hour(), slot.Day(), slot.Month()), Zone: day.zone}
			found, err := s.Between(slot.AddDate(0, 0, -3), slot.AddDate(0, 0, 3))
			if err != nil || len(found) != 1 || string(found[0].Local) != wall {
				t.Fatalf("%s %s: %v, %v; want one run of this slot", day.zone, wall, found, err)
			}
			did := map[string]string{scheduler.NoteGap: "skip it", scheduler.NoteOverlap: "show it twice"}[found[0].Note]
			zone := "`" + day.zone + "`"
			if about == "" {
				zone = ""
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", zone, about, strings.Replace(wall, "T", " ", 1), did,
				found[0].At.Format("2006-01-02 15:04 -07:00"), found[0].At.UTC().Format("2006-01-02 15:04"))
			about = ""
		}
	}
	return b.String()
}

// PERMESSO_UPDATE=1 go test ./scheduler -run TestDSTTable writes the table of docs/CALENDAR.md anew.
func TestDSTTable(t *testing.T) {
	const page, begin, end = "../docs/CALENDAR.md", "<!-- the table is written by TestDSTTable -->\n", "<!-- end of the table -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), begin)
	table, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", page)
	}
	want := "\n" + dstTable(t) + "\n"
	if table == want {
		return
	}
	if os.Getenv("PERMESSO_UPDATE") != "1" {
		t.Fatalf("the table of %s is not what the scheduler does; it is\n%s", page, want)
	}
	if err := os.WriteFile(page, []byte(head+begin+want+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
