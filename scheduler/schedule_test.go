package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/scheduler"
)

func rome(cron string) scheduler.Schedule {
	return scheduler.Schedule{Cron: cron, Zone: "Europe/Rome"}
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatalf("reading the time %q of a test: %v", text, err)
	}
	return at
}

func TestValidateRefusesCron(t *testing.T) {
	for _, tt := range []struct{ name, cron, says string }{
		{"empty", " ", "the expression is empty"},
		{"zone prefix", "CRON_TZ=Europe/Rome 0 18 * * *", `write cron: "0 18 * * *" and timezone: Europe/Rome`},
		{"zone prefix that panics the parser", "TZ=UTC", "the time zone is a key of its own"},
		{"zone prefix in small letters", "tz=UTC 0 1 * * *", "timezone: UTC"},
		{"seconds", "0 0 18 * * FRI", `drop the first: "0 18 * * FRI"`},
		{"four fields", "0 18 * *", "4 fields where five belong"},
		{"one field", "18", "1 field where five belong"},
		{"minute out of range", "60 18 * * *", "minute 60 is out of range; it runs from 0 to 59"},
		{"hour out of range", "0 24 * * *", "hour 24 is out of range"},
		{"weekday out of range", "0 9 * * 8", "weekday 8 is out of range"},
		{"weekday range out of range", "0 9 * * 5-8", "weekday 8 is out of range"},
		{"step beyond the field", "*/99 * * * *", "the step 99 is longer than the range 0-59"},
		{"step as long as the field", "*/60 * * * *", "write 0 if that is meant"},
		{"step beyond the range", "0 10-12/6 * * *", "only 10 would ever be met"},
		{"step beyond the rest", "50/15 * * * *", "longer than the range 50-59"},
		{"weekday step of seven", "0 9 * * */7", "longer than the range 0-6"},
		{"step zero", "*/0 * * * *", "a step is a whole number from 1"},
		{"step from seven", "0 9 * * 7/2", "nothing comes after 7"},
		{"two slashes", "*/5/5 * * * *", "a step is a whole number"},
		{"two hyphens", "1-2-3 * * * *", `minute "2-3" is not known`},
		{"backwards", "0 22-6 * * *", "hour 22-6 runs backwards; write 22-23,0-6"},
		{"empty list item", "0,,30 9 * * *", "a comma has nothing beside it"},
		{"only a comma", ", * * * *", "a comma has nothing beside it"},
		{"negative", "-5 * * * *", `minute "" is not known`},
		{"plus", "+5 * * * *", `minute "+5" is not known`},
		{"last day", "0 9 L * *", "L, W and # are not known"},
		{"second Friday", "0 9 * * 5#2", "L, W and # are not known"},
		{"long weekday", "0 9 * * friday", "write FRI"},
		{"long month", "0 9 1 january *", "write JAN"},
		{"unknown month", "0 9 1 XXX *", "write 1 to 12, JAN to DEC, or *"},
		{"30 February", "0 9 30 2 *", "a date that no year has"},
		{"31 in short months", "0 9 31 4,6,9,11 *", "a date that no year has"},
		{"every", "@every 1h", "counts from the start of a process"},
		{"every that panics or fails", "@every", "counts from the start of a process"},
		{"reboot", "@reboot", "or one of @yearly"},
		{"huge number", "99999999999999999999 * * * *", "is not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems := rome(tt.cron).Validate()
			if len(problems) != 1 || problems[0].Field != "cron" || !strings.Contains(problems[0].Message, tt.says) {
				t.Errorf("Validate(%q) = %+v, want one problem of cron that says %q", tt.cron, problems, tt.says)
			}
			if _, err := rome(tt.cron).Next(time.Unix(0, 0), 1); err == nil {
				t.Errorf("Next(%q) gave no error", tt.cron)
			}
		})
	}
}

func TestValidateRefusesTheRest(t *testing.T) {
	at := time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)
	with := func(change func(*scheduler.Schedule)) scheduler.Schedule {
		s := rome("0 18 * * FRI")
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name, field, says string
		schedule          scheduler.Schedule
	}{
		{"no zone", "timezone", "is missing", with(func(s *scheduler.Schedule) { s.Zone = "" })},
		{"unknown zone", "timezone", `"Europe/Roma" is not known`, with(func(s *scheduler.Schedule) { s.Zone = "Europe/Roma" })},
		{"zone of the machine", "timezone", "depends on the machine", with(func(s *scheduler.Schedule) { s.Zone = "Local" })},
		{"path as a zone", "timezone", "is not known", with(func(s *scheduler.Schedule) { s.Zone = "../../etc/passwd" })},
		{"both", "at", "cron or at, not both", with(func(s *scheduler.Schedule) { s.At = at })},
		{"neither", "cron", "needs cron or at", with(func(s *scheduler.Schedule) { s.Cron = "" })},
		{"unknown catch_up", "catch_up", "write skip, once or all", with(func(s *scheduler.Schedule) { s.CatchUp = "twice" })},
		{"catch_up without a limit", "catch_up_within", "write catch_up_within: 2h", with(func(s *scheduler.Schedule) { s.CatchUp = "once" })},
		{"negative limit", "catch_up_within", "is negative", with(func(s *scheduler.Schedule) { s.CatchUpWithin = -time.Hour })},
		{"unknown overlap", "overlap", "write skip or queue", with(func(s *scheduler.Schedule) { s.Overlap = "both" })},
		{"ends before it starts", "ends_at", "not after it starts", with(func(s *scheduler.Schedule) { s.StartsAt, s.EndsAt = at, at.Add(-time.Hour) })},
		{"ends as it starts", "ends_at", "not after it starts", with(func(s *scheduler.Schedule) { s.StartsAt, s.EndsAt = at, at })},
		{"nothing between", "ends_at", "would never fire", with(func(s *scheduler.Schedule) { s.StartsAt, s.EndsAt = at, at.Add(time.Hour) })},
		{"at before the start", "at", "before starts_at", scheduler.Schedule{At: at, Zone: "Europe/Rome", StartsAt: at.Add(time.Second)}},
		{"at after the end", "at", "after ends_at", scheduler.Schedule{At: at, Zone: "Europe/Rome", EndsAt: at.Add(-time.Second)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems := tt.schedule.Validate()
			if len(problems) != 1 || problems[0].Field != tt.field || !strings.Contains(problems[0].Message, tt.says) {
				t.Errorf("Validate() = %+v, want one problem of %s that says %q", problems, tt.field, tt.says)
			}
		})
	}
	many := scheduler.Schedule{Cron: "* *", Zone: "Mars/Base", CatchUp: "no", Overlap: "no", CatchUpWithin: -1}
	if problems := many.Validate(); len(problems) != 5 {
		t.Errorf("Validate() of five mistakes = %+v, want all five at once", problems)
	}
}

// Friday 2026-11-20 12:00 in Rome; the first fires after it.
func TestCronMeaning(t *testing.T) {
	for _, tt := range []struct{ cron, fires string }{
		{"0 18 * * FRI", "2026-11-20T18:00 2026-11-27T18:00"},
		{"0 18 * * 7", "2026-11-22T18:00 2026-11-29T18:00"},
		{"0 18 * * 0", "2026-11-22T18:00 2026-11-29T18:00"},
		{"0 18 * * 5-7", "2026-11-20T18:00 2026-11-21T18:00 2026-11-22T18:00 2026-11-27T18:00"},
		{"0 18 * * fri-sun", "2026-11-20T18:00 2026-11-21T18:00 2026-11-22T18:00 2026-11-27T18:00"},
		{"0 18 * * 1,7", "2026-11-22T18:00 2026-11-23T18:00 2026-11-29T18:00"},
		{"0 18 * * 1-7/3", "2026-11-22T18:00 2026-11-23T18:00 2026-11-26T18:00 2026-11-29T18:00"},
		{"0 18 * * 0-7", "2026-11-20T18:00 2026-11-21T18:00 2026-11-22T18:00"},
		{"5/20 13 * * *", "2026-11-20T13:05 2026-11-20T13:25 2026-11-20T13:45 2026-11-21T13:05"},
		{"0 9 13 * 5", "2026-11-27T09:00 2026-12-04T09:00 2026-12-11T09:00 2026-12-13T09:00"},
		{"0 9 29 2 *", "2028-02-29T09:00 2032-02-29T09:00"},
		{"0 9 ? DEC ?", "2026-12-01T09:00 2026-12-02T09:00"},
		{"@daily", "2026-11-21T00:00 2026-11-22T00:00"},
		{"@hourly", "2026-11-20T13:00 2026-11-20T14:00"},
		{"@weekly", "2026-11-22T00:00"},
		{"@yearly", "2027-01-01T00:00"},
	} {
		t.Run(tt.cron, func(t *testing.T) {
			s := rome(tt.cron)
			if problems := s.Validate(); len(problems) > 0 {
				t.Fatalf("Validate() = %+v, want none", problems)
			}
			want := strings.Fields(tt.fires)
			found, err := s.Next(instant(t, "2026-11-20T12:00:00+01:00"), len(want))
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range found {
				if string(o.Local) != want[i] || o.At.Format("2006-01-02T15:04") != want[i] || o.Note != "" {
					t.Errorf("fire %d = %+v, want %s", i, o, want[i])
				}
			}
			if len(found) != len(want) {
				t.Errorf("got %d fires, want %d", len(found), len(want))
			}
		})
	}
}

// The parser of robfig/cron looks five years ahead only: from 2097 it finds no 29 February.
func TestLeapDayOver2100(t *testing.T) {
	found, err := rome("0 9 29 2 *").Next(instant(t, "2096-03-01T00:00:00Z"), 1)
	if err != nil || len(found) != 1 || found[0].Local != "2104-02-29T09:00" {
		t.Errorf("Next after 29 February 2096 = %v, %v; want 2104-02-29T09:00", found, err)
	}
}

func TestRemarksExplainEitherDay(t *testing.T) {
	for cron, says := range map[string]string{
		"0 9 13 * 5":         "fires on day 13 of the month and also on every Friday:",
		"0 9 1,15 * MON-WED": "fires on day 1,15 of the month and also on every Monday, Tuesday, Wednesday:",
		"0 9 1 * 7":          "fires on day 1 of the month and also on every Sunday:",
	} {
		remarks := rome(cron).Remarks()
		if len(remarks) != 1 || remarks[0].Field != "cron" || !strings.Contains(remarks[0].Message, says) {
			t.Errorf("Remarks(%q) = %+v, want the two day fields explained", cron, remarks)
		}
	}
	for _, cron := range []string{"0 9 * * 5", "0 9 13 * *", "0 9 */1 * 5", "@weekly", "rubbish"} {
		if remarks := rome(cron).Remarks(); len(remarks) != 0 {
			t.Errorf("Remarks(%q) = %+v, want none", cron, remarks)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for _, seed := range []string{"0 18 * * FRI", "TZ=UTC", "CRON_TZ=", "@every", "*/99 * * * *", "0 9 30 2 *", "5-7,1/2 ? * JAN-DEC SUN-7", "-", "@", "0 0 0 0 0"} {
		f.Add(seed)
	}
	from := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, cron string) {
		s := rome(cron)
		found, err := s.Next(from, 2)
		if valid := len(s.Validate()) == 0; valid != (err == nil) {
			t.Fatalf("Validate and Next disagree on %q: valid %v, error %v", cron, valid, err)
		}
		if err == nil && len(found) != 2 {
			t.Fatalf("%q is valid and fires %d times", cron, len(found))
		}
	})
}
