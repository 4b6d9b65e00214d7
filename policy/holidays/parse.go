package holidays

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// rule is one line of a file.
type rule struct {
	name   string
	anchor anchor

	month   time.Month // fixed and nth
	day     int        // fixed
	nth     int        // 1 to 4; 0 is the last
	weekday time.Weekday
	offset  int // days from Easter

	from, only, not, every int // years; 0 is no such limit
	weekend                weekendRule
}

// anchor is what a day is counted from.
type anchor int

const (
	fixed anchor = iota
	nth
	western
	orthodox
)

// weekendRule says where else, or instead, a fixed date is kept.
type weekendRule int

const (
	asItFalls         weekendRule = iota
	observed                      // also on the Friday before a Saturday, the Monday after a Sunday
	substitute                    // also on the next day that is neither weekend nor holiday
	transferable                  // Tuesday, Wednesday: the Monday before instead; Thursday, Friday: the Monday after
	mondayIfNotFriday             // on the first Monday from the date on, unless it is a Friday
	saturdayIfSunday              // on the day before a Sunday instead
)

func weekendRules() map[string]weekendRule {
	return map[string]weekendRule{
		"observed": observed, "substitute": substitute, "transferable": transferable,
		"monday-if-not-fri": mondayIfNotFriday, "saturday-if-sun": saturdayIfSunday,
	}
}

// Parse reads a country's file: lines of a date, conditions and a name, comments after #, and one line "name COUNTRY".
//
//	01-06                    every year on 6 January
//	easter+1, orthodox-2     days after, or before, Easter Sunday
//	mon/3/01, mon/last/05    the third Monday of January, the last of May
//	2024-05-07               once
//
// Conditions are from=YEAR, not=YEAR, every=YEARS (from from on), and those of weekendRules.
func Parse(country, text string) (Calendar, error) {
	c := Calendar{Country: country}
	if !utf8.ValidString(text) {
		return c, fmt.Errorf("%s: not UTF-8", country)
	}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, isName := strings.CutPrefix(line, "name "); isName {
			c.Name = strings.TrimSpace(name)
			continue
		}
		r, err := parseRule(strings.Fields(line))
		if err != nil {
			return c, fmt.Errorf("%s, line %d: %w", country, i+1, err)
		}
		c.rules = append(c.rules, r)
	}
	if c.Name == "" || len(c.rules) == 0 {
		return c, fmt.Errorf("%s: no name, or no day", country)
	}
	return c, nil
}

func parseRule(words []string) (rule, error) {
	r, err := parseWhen(words[0])
	if err != nil {
		return r, err
	}
	rest := words[1:]
	for len(rest) > 0 {
		known, err := r.condition(rest[0])
		if err != nil {
			return r, err
		}
		if !known {
			break
		}
		rest = rest[1:]
	}
	r.name = strings.Join(rest, " ")
	switch {
	case r.name == "":
		return r, fmt.Errorf("%s has no name", words[0])
	case r.weekend != asItFalls && r.anchor != fixed:
		return r, fmt.Errorf("%s has a weekday of its own", words[0])
	case r.every != 0 && r.from == 0:
		return r, fmt.Errorf("%s: every needs from", words[0])
	}
	return r, nil
}

// condition reads one word; known is false where the name begins.
func (r *rule) condition(word string) (known bool, err error) {
	if weekend, found := weekendRules()[word]; found {
		r.weekend = weekend
		return true, nil
	}
	key, value, isPair := strings.Cut(word, "=")
	into := map[string]*int{"from": &r.from, "not": &r.not, "every": &r.every}[key]
	if !isPair || into == nil {
		return false, nil
	}
	if *into, err = strconv.Atoi(value); err != nil || *into <= 0 || *into > 9999 {
		return true, fmt.Errorf("%s is no number of years", word)
	}
	return true, nil
}

func parseWhen(word string) (rule, error) {
	wrong := fmt.Errorf("%q is no date", word)
	for name, a := range map[string]anchor{"easter": western, "orthodox": orthodox} {
		if days, found := strings.CutPrefix(word, name); found {
			offset, err := strconv.Atoi(days)
			if err != nil || offset < -100 || offset > 100 || days[0] != '+' && days[0] != '-' {
				return rule{}, wrong
			}
			return rule{anchor: a, offset: offset}, nil
		}
	}
	if strings.Contains(word, "/") {
		return parseNth(word)
	}
	if date, err := time.Parse(time.DateOnly, word); err == nil {
		return rule{month: date.Month(), day: date.Day(), only: date.Year()}, nil
	}
	date, err := time.Parse("01-02", word)
	if err != nil || date.Month() == time.February && date.Day() == 29 {
		return rule{}, wrong
	}
	return rule{month: date.Month(), day: date.Day()}, nil
}

func parseNth(word string) (rule, error) {
	wrong := fmt.Errorf("%q is no weekday of a month, such as mon/1/05 or thu/last/11", word)
	parts := strings.Split(word, "/")
	if len(parts) != 3 {
		return rule{}, wrong
	}
	weekday := -1
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.ToLower(d.String()[:3]) == parts[0] {
			weekday = int(d)
		}
	}
	which := strings.Index("last1234", parts[1])
	month, err := time.Parse("01", parts[2])
	if weekday < 0 || err != nil || parts[1] != "last" && (len(parts[1]) != 1 || which < 4) {
		return rule{}, wrong
	}
	return rule{anchor: nth, weekday: time.Weekday(weekday), nth: max(0, which-3), month: month.Month()}, nil
}
