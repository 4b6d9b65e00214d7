package scheduler_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests are those of Go's copy where the machine has none

	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/scheduler"
)

// difficultZones change their clocks at odd hours, by odd amounts, at midnight, backwards, often, or not at all.
var difficultZones = strings.Fields(`
	UTC Europe/Rome Europe/London Europe/Dublin Europe/Lisbon Atlantic/Azores Europe/Chisinau Europe/Istanbul
	America/New_York America/Los_Angeles America/St_Johns America/Havana America/Asuncion America/Santiago Pacific/Easter
	America/Sao_Paulo America/Mexico_City America/Tijuana America/Nuuk America/Scoresbysund America/Thule America/Port-au-Prince
	America/Adak America/Caracas Africa/Cairo Africa/Casablanca Africa/El_Aaiun Asia/Beirut Asia/Gaza Asia/Hebron Asia/Jerusalem
	Asia/Kolkata Asia/Kathmandu Asia/Almaty Australia/Lord_Howe Australia/Adelaide Australia/Eucla Pacific/Auckland
	Pacific/Chatham Pacific/Norfolk Pacific/Apia Pacific/Kiritimati Antarctica/Troll Antarctica/Casey`)

// wallTable is the oracle: it walks a zone instant by instant and notes when each wall-clock slot is first shown and how often.
type wallTable struct {
	from  int64 // wall seconds of the first slot
	step  int64
	first []int64 // instant, by slot; 0 when never shown
	shown []int
}

func walk(t *testing.T, zone string, from, to time.Time, step time.Duration) wallTable {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatalf("loading %s: %v", zone, err)
	}
	seconds := int64(step / time.Second)
	table := wallTable{from: from.Unix(), step: seconds}
	n := int(to.Sub(from) / step)
	table.first, table.shown = make([]int64, n), make([]int, n)
	for at := from.Add(-48 * time.Hour).Unix(); at < to.Add(48*time.Hour).Unix(); at += seconds {
		_, offset := time.Unix(at, 0).In(location).Zone()
		if int64(offset)%seconds != 0 {
			t.Fatalf("%s is %d s from UTC, which steps of %s do not meet", zone, offset, step)
		}
		slot := (at + int64(offset) - table.from) / seconds
		if at+int64(offset) < table.from || int(slot) >= n {
			continue
		}
		if table.shown[slot]++; table.shown[slot] == 1 {
			table.first[slot] = at
		}
	}
	return table
}

// coarsest is the longest step that meets every half hour of a zone's clocks: 15 minutes where they stand at a quarter.
func coarsest(t *testing.T, zone string, from, to time.Time) time.Duration {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatalf("loading %s: %v", zone, err)
	}
	for day := from.Add(-48 * time.Hour); day.Before(to.Add(48 * time.Hour)); day = day.Add(24 * time.Hour) {
		if _, offset := day.In(location).Zone(); offset%1800 != 0 {
			return 15 * time.Minute
		}
	}
	return 30 * time.Minute
}

// expect says when a slot fires and with which note: at its first showing or, if there is none, with the next slot that is shown.
func (w wallTable) expect(slot int) (at int64, note string, ok bool) {
	switch {
	case w.shown[slot] == 1:
		return w.first[slot], "", true
	case w.shown[slot] > 1:
		return w.first[slot], scheduler.NoteOverlap, true
	}
	for later := slot; later < len(w.shown); later++ {
		if w.shown[later] > 0 {
			return w.first[later], scheduler.NoteGap, true
		}
	}
	return 0, "", false
}

// slots are the half hours of a span of days as schedules write them, 48 a day.
func slots(from, to time.Time) (walls []scheduler.LocalTime) {
	for wall := from; wall.Before(to); wall = wall.Add(30 * time.Minute) {
		walls = append(walls, scheduler.LocalTime(wall.Format("2006-01-02T15:04")))
	}
	return walls
}

// checkHalfHours runs schedules over the span that have the 48 half hours of a day between them: each slot of each day
// fires once, in their order, when and with the note that the table says. Where no clock changes one schedule has all 48.
// Where one does, slots on both sides of a change may be one run, so that no schedule has two that are less than four
// hours apart; a difficult zone has a schedule for each slot.
func checkHalfHours(t *testing.T, zone string, from time.Time, walls []scheduler.LocalTime, table wallTable) {
	t.Helper()
	if !slices.ContainsFunc(table.shown, func(times int) bool { return times != 1 }) {
		checkSlots(t, scheduler.Schedule{Cron: "*/30 * * * *", Zone: zone}, from, walls, table, 0, 1)
		return
	}
	if slices.Contains(difficultZones, zone) {
		for half := range 48 {
			checkSlots(t, scheduler.Schedule{Cron: fmt.Sprintf("%d %d * * *", half%2*30, half/2), Zone: zone}, from, walls, table, half, 48)
		}
		return
	}
	for half := range 8 {
		checkSlots(t, scheduler.Schedule{Cron: fmt.Sprintf("%d %d-23/4 * * *", half%2*30, half/2), Zone: zone}, from, walls, table, half, 8)
	}
}

// checkSlots follows a schedule that has every step-th slot from next on.
func checkSlots(t *testing.T, s scheduler.Schedule, from time.Time, walls []scheduler.LocalTime, table wallTable, next, step int) {
	t.Helper()
	all, err := s.After(from.Add(-36 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for o := range all {
		if o.Local < walls[0] {
			continue
		}
		if next >= len(walls) {
			break
		}
		at, note, known := table.expect(next * int(1800/table.step))
		if !known {
			break // a gap that the span cuts
		}
		if o.Local != walls[next] || o.At.Unix() != at || o.Note != note {
			t.Fatalf("%s %q: fire %+v; want the slot %s at %s, note %q", s.Zone, s.Cron, o, walls[next], time.Unix(at, 0).In(o.At.Location()), note)
		}
		next += step
	}
	if next < len(walls)-48 {
		t.Fatalf("%s %q: no fire from %s on", s.Zone, s.Cron, walls[next])
	}
}

// Every wall slot of every day fires exactly once, at the instant that walking the clock gives, in every zone of the tz
// database (testdata/zones.txt, 2025c); with -short in the difficult ones.
func TestOneFirePerWallSlot(t *testing.T) {
	text, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	zones := strings.Fields(string(text))
	if len(zones) < 590 {
		t.Fatalf("testdata/zones.txt has %d zones", len(zones))
	}
	if testing.Short() {
		zones = difficultZones
	}
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)
	walls := slots(from, to)
	for part := range slices.Chunk(zones, 50) {
		t.Run(part[0], func(t *testing.T) {
			t.Parallel()
			for _, zone := range part {
				checkHalfHours(t, zone, from, walls, walk(t, zone, from, to, coarsest(t, zone, from, to)))
			}
		})
	}
}

// The years in which clocks did the strangest things, walked by the minute.
func TestOneFirePerWallSlotInStrangeYears(t *testing.T) {
	for _, tt := range []struct {
		zone string
		year int
	}{
		{"America/St_Johns", 2010},           // changes at 00:01
		{"Africa/Cairo", 2014},               // four changes in one year
		{"Africa/Casablanca", 2012},          // summer time suspended for Ramadan
		{"America/Caracas", 2016},            // half an hour, for good
		{"Asia/Pyongyang", 2018},             // half an hour, at 23:30
		{"Antarctica/Casey", 2018},           // three hours, backwards
		{"Antarctica/Troll", 2016},           // two hours
		{"Europe/Volgograd", 2020},           // a zone changed for good
		{"Asia/Manila", 1978},                // summer time, tried once
		{"America/Argentina/San_Luis", 2008}, // two zones, no agreement
	} {
		from := time.Date(tt.year, 1, 1, 0, 0, 0, 0, time.UTC)
		to := from.AddDate(1, 0, 0)
		checkHalfHours(t, tt.zone, from, slots(from, to), walk(t, tt.zone, from, to, time.Minute))
	}
}

// Samoa skipped 30 December 2011, Kwajalein 21 August 1993: every slot of that day is one instant, so one run, whatever the hour.
func TestSkippedDay(t *testing.T) {
	for _, tt := range []struct{ zone, day, fires string }{
		{"Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00"},
		{"Pacific/Kwajalein", "1993-08-21", "1993-08-22T00:00:00+12:00"},
	} {
		day, err := time.Parse(time.DateOnly, tt.day)
		if err != nil {
			t.Fatal(err)
		}
		s := scheduler.Schedule{Cron: fmt.Sprintf("0 9,10,23 %d %d *", day.Day(), int(day.Month())), Zone: tt.zone}
		found, err := s.Between(day.AddDate(0, 0, -5), day.AddDate(0, 0, 5))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 || found[0].At.Format(time.RFC3339) != tt.fires || found[0].Note != scheduler.NoteGap || string(found[0].Local) != tt.day+"T09:00" {
			t.Errorf("%s: %+v; want one run at %s for 09:00 of %s", tt.zone, found, tt.fires, tt.day)
		}
	}
}

func TestOccurrencesByHand(t *testing.T) {
	for _, tt := range []struct{ name, zone, cron, after, before, want string }{
		{"gap", "Europe/Rome", "30 2 * * *", "2027-03-27T12:00:00Z", "2027-03-29T12:00:00Z",
			"2027-03-28T03:00:00+02:00 2027-03-28T02:30 dst_gap, 2027-03-29T02:30:00+02:00 2027-03-29T02:30 "},
		{"overlap", "America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z",
			"2026-11-01T01:30:00-04:00 2026-11-01T01:30 dst_overlap, 2026-11-02T01:30:00-05:00 2026-11-02T01:30 "},
		{"gap at midnight ends on the next date", "America/Nuuk", "30 23 * * *", "2027-03-27T12:00:00Z", "2027-03-28T12:00:00Z",
			"2027-03-28T00:00:00-01:00 2027-03-27T23:30 dst_gap"},
		{"half an hour", "Australia/Lord_Howe", "15 2 * * *", "2027-10-02T00:00:00Z", "2027-10-03T12:00:00Z",
			"2027-10-03T02:30:00+11:00 2027-10-03T02:15 dst_gap"},
		{"slots of a gap are one run", "Europe/Rome", "*/15 1-3 * * *", "2027-03-28T00:44:00Z", "2027-03-28T01:20:00Z",
			"2027-03-28T01:45:00+01:00 2027-03-28T01:45 , 2027-03-28T03:00:00+02:00 2027-03-28T02:00 dst_gap, 2027-03-28T03:15:00+02:00 2027-03-28T03:15 "},
		{"the repeated hour is not repeated", "Europe/Rome", "*/30 * * * *", "2026-10-24T23:59:00Z", "2026-10-25T02:31:00Z",
			"2026-10-25T02:00:00+02:00 2026-10-25T02:00 dst_overlap, 2026-10-25T02:30:00+02:00 2026-10-25T02:30 dst_overlap, 2026-10-25T03:00:00+01:00 2026-10-25T03:00 , 2026-10-25T03:30:00+01:00 2026-10-25T03:30 "},
		{"both ends are exclusive", "UTC", "0 * * * *", "2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z",
			"2026-11-20T11:00:00Z 2026-11-20T11:00 "},
		{"from inside the repeated hour", "Europe/Rome", "30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T12:00:00Z",
			"2026-10-26T02:30:00+01:00 2026-10-26T02:30 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := scheduler.Schedule{Cron: tt.cron, Zone: tt.zone}
			found, err := s.Between(instant(t, tt.after), instant(t, tt.before))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range found {
				got = append(got, fmt.Sprintf("%s %s %s", o.At.Format(time.RFC3339), o.Local, o.Note))
			}
			if text := strings.Join(got, ", "); strings.TrimSpace(text) != strings.TrimSpace(tt.want) {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}

func TestStartsAndEnds(t *testing.T) {
	s := rome("0 18 * * *")
	s.StartsAt, s.EndsAt = instant(t, "2026-12-01T18:00:00+01:00"), instant(t, "2026-12-03T18:00:00+01:00")
	found, err := s.Between(instant(t, "2026-11-01T00:00:00Z"), instant(t, "2027-11-01T00:00:00Z"))
	if err != nil || len(found) != 3 || found[0].Local != "2026-12-01T18:00" || found[2].Local != "2026-12-03T18:00" {
		t.Errorf("Between = %+v, %v; want the three days, both ends included", found, err)
	}
	if rest, err := s.Next(s.EndsAt, 5); err != nil || len(rest) != 0 {
		t.Errorf("Next after the end = %+v, %v; want none", rest, err)
	}
}

func TestAtFiresOnce(t *testing.T) {
	c := scheduler.Campaign{ID: "xmas", Zone: "Europe/Rome", Schedule: &scheduler.Schedule{At: instant(t, "2026-12-24T17:00:00Z")}}
	found, err := c.Next(instant(t, "2026-11-01T00:00:00Z"), 5)
	if err != nil || len(found) != 1 {
		t.Fatalf("Next = %+v, %v; want one", found, err)
	}
	line, err := json.Marshal(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"campaign":"xmas","fire_at":"2026-12-24T18:00:00+01:00","local":"2026-12-24T18:00"}`; string(line) != want {
		t.Errorf("JSON = %s, want %s", line, want)
	}
	if past, err := c.Next(instant(t, "2026-12-24T17:00:00Z"), 5); err != nil || len(past) != 0 {
		t.Errorf("Next from the moment itself = %+v, %v; want none", past, err)
	}
	if none, err := (scheduler.Campaign{ID: "by hand"}).Between(time.Unix(0, 0), time.Unix(1<<31, 0)); err != nil || none != nil {
		t.Errorf("a campaign without schedule fires: %+v, %v", none, err)
	}
}

// On a clock without daylight saving the fires are those of robfig/cron.
func TestCronAgainstRobfig(t *testing.T) {
	field := func(low, high int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			a := rapid.IntRange(low, high).Draw(t, "a")
			b := rapid.IntRange(a, high).Draw(t, "b")
			shapes := []string{"*", fmt.Sprint(a), fmt.Sprintf("%d-%d", a, b), fmt.Sprintf("%d,%d", a, b), "*/2"}
			if b > a {
				shapes = append(shapes, fmt.Sprintf("%d-%d/%d", a, b, rapid.IntRange(1, b-a).Draw(t, "step")))
			}
			return rapid.SampledFrom(shapes).Draw(t, "shape")
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		expression := strings.Join([]string{
			field(0, 59).Draw(t, "minute"), field(0, 23).Draw(t, "hour"), field(1, 28).Draw(t, "day"),
			field(1, 12).Draw(t, "month"), field(0, 6).Draw(t, "weekday"),
		}, " ")
		from := time.Unix(rapid.Int64Range(1.7e9, 1.9e9).Draw(t, "from"), 0).UTC()
		found, err := scheduler.Schedule{Cron: expression, Zone: "UTC"}.Next(from, 5)
		if err != nil {
			t.Fatalf("%q: %v", expression, err)
		}
		reference, err := cron.ParseStandard(expression)
		if err != nil {
			t.Fatalf("%q: %v", expression, err)
		}
		at := from
		for i := range 5 {
			if at = reference.Next(at); !found[i].At.Equal(at) {
				t.Fatalf("%q after %s: fire %d is %s, robfig/cron says %s", expression, from, i, found[i].At, at)
			}
		}
	})
}
