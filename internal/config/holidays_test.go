package config_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/policy"
)

// withDays loads a configuration beside a file of closed days.
func withDays(t *testing.T, days string) (*config.Config, error) {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "closed-days.csv"), days)
	path := filepath.Join(folder, "config.yaml")
	write(t, path, section("policy: {holidays: [IT, closed-days.csv], quiet_hours: {from: \"20:00\", to: \"09:00\"}}\n"))
	return config.Load(path, secrets)
}

func TestClosedDays(t *testing.T) {
	for name, text := range map[string]string{
		"plain":            "date,name\n2026-08-10,Chiusura estiva\n2026-12-24,\"Vigilia, pomeriggio\"\n",
		"no last newline":  "date,name\n2026-08-10,Chiusura estiva\n2026-12-24,\"Vigilia, pomeriggio\"",
		"windows":          "\ufeffDate, Name\r\n2026-08-10,Chiusura estiva\r\n\r\n2026-12-24, \"Vigilia, pomeriggio\"\r\n",
		"in another order": "date,name\n2026-12-24,\"Vigilia, pomeriggio\"\n2026-08-10, Chiusura estiva \n",
	} {
		c, err := withDays(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		const want = `{"countries":["IT"],"closed":[{"date":"2026-08-10","name":"Chiusura estiva"},{"date":"2026-12-24","name":"Vigilia, pomeriggio"}]}`
		if diff := cmp.Diff(want, asJSON(c.Rules.Holidays)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	one, err := withDays(t, "date,name\n2026-08-10,A\n")
	if err != nil {
		t.Fatal(err)
	}
	two, err := withDays(t, "date,name\n2026-08-11,A\n")
	if err != nil || one.Hash() == two.Hash() {
		t.Errorf("another closed day leaves the configuration's hash as it is (%v)", err)
	}
}

func TestMistakesInClosedDays(t *testing.T) {
	long := "date,name\n"
	for i := range 1001 {
		long += fmt.Sprintf("%d-01-01,X\n", 2000+i)
	}
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{"", 1, "empty"},
		{"\n\n", 1, "empty"},
		{"date,name\n", 1, "no day"},
		{"2026-08-10,Chiusura\n", 1, "must begin with"},
		{"day,name\n2026-08-10,Chiusura\n", 1, "must begin with"},
		{"date,name\n\n2026-02-29,X\n", 3, "no such date"},
		{"date,name\n10.8.2026,X\n", 2, "must be a date"},
		{"date,name\n2026-8-1,X\n", 2, "must be a date"},
		{"date,name\n2026-08-10,X\n2026-08-10,Y\n", 3, "written twice; the first is on line 2"},
		{"date,name\n2026-08-10\n", 2, "a date and a name"},
		{"date,name\n2026-08-10,a,b\n", 2, "a date and a name"},
		{"date,name\n2026-08-10, \n", 2, "has no name"},
		{"date,name\n2026-08-10,\"a\nb\"\n", 2, "one line"},
		{"date,name\n2026-08-10," + strings.Repeat("x", 101) + "\n", 2, "at most 100"},
		{"date,name\n2026-08-10,X\n2026-08-11,\"Y\n", 3, "quotes"},
		{"date,name\n2026-08-10,X \"Y\"\n", 2, "quotes"},
		{"date,name\n2026-08-10,X\n2026-08-11,\xff\n", 3, "UTF-8"},
		{long, 1, "1001 days"},
	} {
		_, err := withDays(t, c.text)
		problems, wrong := errors.AsType[*config.Problems](err)
		if !wrong || len(problems.All) != 1 {
			t.Errorf("%.40q: %v, want one problem", c.text, err)
			continue
		}
		if p := problems.All[0]; p.Line != c.line || filepath.Base(p.File) != "closed-days.csv" || !strings.Contains(p.Message, c.want) {
			t.Errorf("%.40q: %s, want line %d and %q", c.text, p, c.line, c.want)
		}
	}
}

func TestWarningsAboutHoldoutsAndHolidays(t *testing.T) {
	stop := "    parameters: {buttons: {0: {payload: opt_out}}}\n"
	quiet := "quiet_hours: {from: \"20:00\", to: \"09:00\", kind: marketing}"
	for _, c := range []struct{ text, want string }{
		{head + tail + stop + "    holdout: 100%\n", "nobody gets this campaign"},
		{head + "policy: {universal_holdout: 100%}\n", "nobody gets marketing"},
		{head + strings.Replace(tail, "offers", "orders", 1) + "    holdout: 5%\n", "do not get these utility messages"},
		{head + "policy: {holidays: [IT]}\n", "leaves at midnight"},
		{head + "policy: {holidays: [IT], quiet_hours: {from: \"20:00\", to: \"09:00\", kind: utility}}\n", "leaves at midnight"},
		{head + "policy: {holidays: [IT], " + quiet + "}\n", ""},
		{head + "policy: {" + quiet + ", universal_holdout: 0%}\n" + tail + stop + "    holdout: 0%\n", ""},
	} {
		warnings := mustLoad(t, c.text).Warnings
		if c.want == "" && len(warnings) > 0 || c.want != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].Message, c.want)) {
			t.Errorf("%v, want %q of\n%s", warnings, c.want, c.text)
		}
	}
}

func FuzzClosedDays(f *testing.F) {
	for _, text := range []string{"date,name\n2026-08-10,Chiusura estiva\n", "\ufeffDate, Name\r\n2026-12-24, \"Vigilia, \"\"p\"\"\"\r\n", "date,name\n2026-02-30,X\n2026-08-10,a,b\n", "date,name\n\"", "", ",\n,", "date,name\n2026-08-10,\xff"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		days, places := config.ReadClosedDays(data)
		if (len(days) > 0) == (len(places) > 0) {
			t.Fatalf("%d days and %d mistakes", len(days), len(places))
		}
		lines := strings.Count(string(data), "\n") + 1
		for _, line := range places {
			if line < 1 || line > lines {
				t.Errorf("a mistake on line %d of %d", line, lines)
			}
		}
		if _, err := policy.NewHolidays(nil, days); err != nil {
			t.Errorf("days are read that are none: %v", err)
		}
	})
}
