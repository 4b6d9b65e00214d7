package holidays_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/policy/holidays"
)

// known.txt has the dates of every country from 2024 to 2030, worked out apart from the rules.
func TestKnownDates(t *testing.T) {
	file, err := os.Open("testdata/known.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	years := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Fields(lines.Text())
		year, err := strconv.Atoi(words[1])
		if err != nil {
			t.Fatal(err)
		}
		calendar, ok := holidays.Of(words[0])
		if !ok {
			t.Fatalf("there is no calendar of %s", words[0])
		}
		years[words[0]]++
		var got []string
		for _, d := range calendar.Year(year) {
			got = append(got, d.Date.Format("01-02"))
			if d.Date.Year() != year || d.Name == "" || d.Date.Hour() != 0 || d.Date.Location() != time.UTC {
				t.Errorf("%s has %+v in %d", words[0], d, year)
			}
		}
		if diff := cmp.Diff(words[2:], got); diff != "" {
			t.Errorf("%s %d (-known +got):\n%s", words[0], year, diff)
		}
	}
	for _, country := range holidays.Countries() {
		if years[country] != 7 {
			t.Errorf("known.txt has %d years of %s, want 2024 to 2030", years[country], country)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ country, date, want string }{
		{"IT", "2026-08-15", "Ferragosto"},
		{"IT", "2026-10-04", "San Francesco d'Assisi"},
		{"IT", "2026-04-06", "Lunedì dell'Angelo"},
		{"FR", "2026-07-14", "Fête nationale"},
		{"US", "2026-07-03", "Independence Day (observed)"},
		{"US", "2027-12-31", "New Year's Day (observed)"},
		{"GB", "2027-12-28", "Boxing Day (substitute day)"},
		{"GB", "2028-01-03", "New Year's Day (substitute day)"},
		{"GR", "2027-05-03", "Δευτέρα του Πάσχα"},
		{"NL", "2025-04-26", "Koningsdag"},
		{"IE", "2030-02-01", "St Brigid's Day"},
		{"AR", "2026-06-15", "Paso a la Inmortalidad del General Martín Miguel de Güemes"},
	} {
		calendar, _ := holidays.Of(c.country)
		date, err := time.Parse(time.DateOnly, c.date)
		if err != nil {
			t.Fatal(err)
		}
		days := calendar.Year(date.Year())
		i := slices.IndexFunc(days, func(d holidays.Day) bool { return d.Date.Equal(date) })
		if i < 0 || days[i].Name != c.want {
			t.Errorf("%s %s is not %q", c.country, c.date, c.want)
		}
	}
}

// TestEaster has dates of published tables, with the earliest and the latest that there are.
func TestEaster(t *testing.T) {
	for text, easter := range map[string]func(int) time.Time{
		"1818-03-22 1913-03-23 1943-04-25 1954-04-18 1981-04-19 2000-04-23 2008-03-23 2011-04-24 2019-04-21 2024-03-31 2025-04-20 2026-04-05 2027-03-28 2028-04-16 2029-04-01 2030-04-21 2038-04-25 2049-04-18 2076-04-19": holidays.Easter,
		"2000-04-30 2008-04-27 2011-04-24 2019-04-28 2024-05-05 2025-04-20 2026-04-12 2027-05-02 2028-04-16 2029-04-08 2030-04-28 2038-04-25 2100-05-02":                                                                   holidays.OrthodoxEaster,
	} {
		for _, want := range strings.Fields(text) {
			year, err := strconv.Atoi(want[:4])
			if err != nil {
				t.Fatal(err)
			}
			if got := easter(year).Format(time.DateOnly); got != want {
				t.Errorf("Easter of %d is %s, want %s", year, got, want)
			}
		}
	}
	for year := 1600; year <= 2400; year++ {
		for name, date := range map[string]time.Time{"western": holidays.Easter(year), "orthodox": holidays.OrthodoxEaster(year)} {
			if date.Weekday() != time.Sunday || date.Year() != year {
				t.Errorf("%s Easter of %d is %s", name, year, date.Format("Mon 2006-01-02"))
			}
		}
	}
}

func TestCountries(t *testing.T) {
	countries := holidays.Countries()
	if len(countries) < 18 || !slices.IsSorted(countries) {
		t.Errorf("countries %v", countries)
	}
	for _, country := range countries {
		calendar, ok := holidays.Of(country)
		if !ok || calendar.Country != country || calendar.Name == "" {
			t.Errorf("%s: %+v", country, calendar)
		}
		text, err := os.ReadFile("data/" + country + ".txt")
		if err != nil || !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not begin with the law that it is from (%v)", country, err)
		}
	}
	for _, none := range []string{"", "it", "ZZ", "../holidays", "IT.txt"} {
		if _, ok := holidays.Of(none); ok {
			t.Errorf("there is a calendar of %q", none)
		}
	}
}

func TestMistakesInAFile(t *testing.T) {
	for _, line := range []string{
		"13-01 X", "02-29 X", "02-30 X", "easter X", "easter1 X", "easter+101 X", "mon/5/01 X", "mon/0/01 X", "mon/la/01 X", "mo/1/01 X", "mon/1/13 X", "mon/1 X",
		"2024-02-30 X", "01-01", "01-01 from=2024", "01-01 from=x X", "01-01 from=-1 X", "01-01 every=6 X", "mon/1/01 observed X", "easter+1 substitute X", "tomorrow X",
	} {
		if _, err := holidays.Parse("XX", "name X\n01-01 Y\n"+line+"\n"); err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%q: %v, want an error that names line 3", line, err)
		}
	}
	for _, text := range []string{"", "name X\n", "01-01 X\n", "name \xff\n01-01 X\n"} {
		if _, err := holidays.Parse("XX", text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, country := range holidays.Countries() {
		text, err := os.ReadFile("data/" + country + ".txt")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		calendar, err := holidays.Parse("XX", text)
		if err != nil {
			return
		}
		for _, year := range []int{1999, 2024, 2028} {
			days := calendar.Year(year)
			if !slices.IsSortedFunc(days, func(a, b holidays.Day) int { return a.Date.Compare(b.Date) }) {
				t.Errorf("%d is not in order: %v", year, days)
			}
			for i, d := range days {
				if d.Date.Year() != year || d.Name == "" || i > 0 && d.Date.Equal(days[i-1].Date) {
					t.Errorf("%d has %+v", year, d)
				}
			}
		}
	})
}

func ExampleCalendar_Year() {
	india, _ := holidays.Of("IN")
	for _, d := range india.Year(2026) {
		fmt.Println(d.Date.Format(time.DateOnly), d.Name)
	}
	// Output:
	// 2026-01-26 Republic Day
	// 2026-08-15 Independence Day
	// 2026-10-02 Gandhi Jayanti
}
