package scheduler_test

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/scheduler"
)

// condition is a filter as the property draws it: its text, and its meaning in three values, written apart from the package (nil is unknown).
type condition struct {
	text  string
	judge func(scheduler.Contact) *bool
}

func known(b bool) *bool { return &b }

func not(c condition) condition {
	return condition{
		text: "NOT (" + c.text + ")",
		judge: func(p scheduler.Contact) *bool {
			if v := c.judge(p); v != nil {
				return known(!*v)
			}
			return nil
		},
	}
}

// both and either follow the truth tables of SQL.
func both(a, b condition) condition {
	return condition{text: "(" + a.text + ") AND (" + b.text + ")", judge: func(p scheduler.Contact) *bool {
		x, y := a.judge(p), b.judge(p)
		switch {
		case x != nil && !*x, y != nil && !*y:
			return known(false)
		case x == nil || y == nil:
			return nil
		}
		return known(true)
	}}
}

func either(a, b condition) condition {
	return condition{text: "(" + a.text + ") OR (" + b.text + ")", judge: func(p scheduler.Contact) *bool {
		x, y := a.judge(p), b.judge(p)
		switch {
		case x != nil && *x, y != nil && *y:
			return known(true)
		case x == nil || y == nil:
			return nil
		}
		return known(false)
	}}
}

var orders = []string{"=", "!=", "<", "<=", ">", ">="}

// ordered compares by the sign of left minus right.
func ordered(op string, sign int) bool {
	switch op {
	case "=":
		return sign == 0
	case "!=":
		return sign != 0
	case "<":
		return sign < 0
	case "<=":
		return sign <= 0
	case ">":
		return sign > 0
	}
	return sign >= 0
}

func sign(difference float64) int {
	switch {
	case difference < 0:
		return -1
	case difference > 0:
		return 1
	}
	return 0
}

var numeral = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

func drawText(t *rapid.T) condition {
	field := rapid.SampledFrom([]string{"external_id", "attributes.city", "timezone", "country"}).Draw(t, "field")
	op := rapid.SampledFrom([]string{"=", "!="}).Draw(t, "op")
	words := map[string][]string{
		"external_id": {"A", "B*", "*a", "*b*"}, "attributes.city": {"Roma", "Ro*", "*no"},
		"timezone": {"Europe/Rome", "Europe/*"}, "country": {"IT", "FR"},
	}
	word := rapid.SampledFrom(words[field]).Draw(t, "word")
	pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(word), `\*`, ".*") + "$")
	return condition{
		text: fmt.Sprintf("%s %s %q", field, op, word),
		judge: func(p scheduler.Contact) *bool {
			value, ok := p.Field(field)
			if !ok {
				return nil
			}
			return known(pattern.MatchString(value) == (op == "="))
		},
	}
}

func drawLanguage(t *rapid.T) condition {
	op := rapid.SampledFrom([]string{"=", "!="}).Draw(t, "op")
	wanted := rapid.SampledFrom([]string{"it", "pt-BR", "zh-Hant"}).Draw(t, "language")
	return condition{
		text: fmt.Sprintf("language %s %q", op, wanted),
		judge: func(p scheduler.Contact) *bool {
			if p.Language == "" {
				return nil
			}
			tag, short := strings.ToLower(strings.ReplaceAll(p.Language, "_", "-")), strings.ToLower(wanted)
			return known((tag == short || strings.HasPrefix(tag, short+"-")) == (op == "="))
		},
	}
}

func drawTag(t *rapid.T) condition {
	tag := rapid.SampledFrom([]string{"vip", "guest"}).Draw(t, "tag")
	return condition{text: "tags:" + tag, judge: func(p scheduler.Contact) *bool {
		return known(strings.Contains(";"+strings.Join(p.Tags, ";")+";", ";"+tag+";"))
	}}
}

func drawNumber(t *rapid.T) condition {
	op := rapid.SampledFrom(orders).Draw(t, "op")
	wanted := float64(rapid.IntRange(-4, 4).Draw(t, "halves")) / 2
	return condition{
		text: fmt.Sprintf("attributes.points %s %v", op, wanted),
		judge: func(p scheduler.Contact) *bool {
			if !numeral.MatchString(p.Attributes["points"]) {
				return nil
			}
			value, err := strconv.ParseFloat(p.Attributes["points"], 64)
			if err != nil {
				return nil
			}
			return known(ordered(op, sign(value-wanted)))
		},
	}
}

func drawDate(t *rapid.T) condition {
	op := rapid.SampledFrom(orders).Draw(t, "op")
	wanted := time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "day"))
	return condition{
		text: fmt.Sprintf("attributes.birthday %s %q", op, wanted.Format(time.DateOnly)),
		judge: func(p scheduler.Contact) *bool {
			value, err := time.Parse(time.DateOnly, p.Attributes["birthday"])
			if err != nil {
				return nil
			}
			return known(ordered(op, value.Compare(wanted)))
		},
	}
}

func drawDays(t *rapid.T) condition {
	fields := map[string]func(scheduler.Contact) time.Time{
		"consent_days":   func(p scheduler.Contact) time.Time { return p.ConsentAt },
		"sent_days":      func(p scheduler.Contact) time.Time { return p.SentAt },
		"delivered_days": func(p scheduler.Contact) time.Time { return p.DeliveredAt },
		"replied_days":   func(p scheduler.Contact) time.Time { return p.RepliedAt },
	}
	field := rapid.SampledFrom([]string{"consent_days", "sent_days", "delivered_days", "replied_days"}).Draw(t, "field")
	op := rapid.SampledFrom(orders).Draw(t, "op")
	wanted := rapid.IntRange(0, 3).Draw(t, "days")
	return condition{
		text: fmt.Sprintf("%s %s %d", field, op, wanted),
		judge: func(p scheduler.Contact) *bool {
			at := fields[field](p)
			if at.IsZero() {
				return nil
			}
			days := math.Floor(max(filterNow.Sub(at).Hours(), 0) / 24)
			return known(ordered(op, sign(days-float64(wanted))))
		},
	}
}

func drawCondition(depth int) *rapid.Generator[condition] {
	return rapid.Custom(func(t *rapid.T) condition {
		shape := rapid.IntRange(0, 8).Draw(t, "shape")
		if depth == 0 {
			shape %= 6
		}
		switch shape {
		case 0:
			return drawText(t)
		case 1:
			return drawLanguage(t)
		case 2:
			return drawTag(t)
		case 3:
			return drawNumber(t)
		case 4:
			return drawDate(t)
		case 5:
			return drawDays(t)
		case 6:
			return not(drawCondition(depth-1).Draw(t, "inner"))
		case 7:
			return both(drawCondition(depth-1).Draw(t, "left"), drawCondition(depth-1).Draw(t, "right"))
		}
		return either(drawCondition(depth-1).Draw(t, "left"), drawCondition(depth-1).Draw(t, "right"))
	})
}

func drawContact(t *rapid.T) scheduler.Contact {
	pick := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	moment := func(name string) time.Time {
		if rapid.Bool().Draw(t, name+" never") {
			return time.Time{}
		}
		return filterNow.Add(-time.Duration(rapid.Int64Range(-1e6, 4*86400*1e6).Draw(t, name)) * time.Microsecond)
	}
	return scheduler.Contact{
		Country: pick("country", "", "IT", "FR", "DE"), Language: pick("language", "", "it", "IT", "it_IT", "ita", "pt-BR", "pt", "zh-Hant-TW"),
		Zone: pick("zone", "", "Europe/Rome", "Europe/Paris", "Asia/Tokyo"), ExternalID: pick("id", "", "A", "Ba", "aB", "abc"),
		Tags: strings.Fields(pick("tags", "", "vip", "guest", "vip guest", "vips")),
		Attributes: map[string]string{
			"city":     pick("city", "", " Roma", "Rovigo", "Milano", " "),
			"points":   pick("points", "", "0", "-0.5", "+1", "1.5", "2", "two", "1e0", "Inf", "0x1"),
			"birthday": pick("birthday", "", "2026-02-27", "2026-02-28", "2026-02-29", "2026-03-01", "28/02/2026"),
		},
		ConsentAt: moment("consent"), SentAt: moment("sent"), DeliveredAt: moment("delivered"), RepliedAt: moment("replied"),
	}
}

func TestMatchesAsAPlainEvaluationDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawn := drawCondition(4).Draw(t, "filter")
		filter, named := drawn.text, map[string]string(nil)
		if rapid.Bool().Draw(t, "as a segment") {
			filter, named = "segment.drawn", map[string]string{"drawn": drawn.text}
		}
		audience, err := scheduler.ParseAudience(filter, filterTypes, named)
		if err != nil && strings.Contains(err.Error(), "longer than") {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", drawn.text, err)
		}
		for range 8 {
			contact := drawContact(t)
			want := drawn.judge(contact)
			if got := audience.Matches(contact, filterNow); got != (want != nil && *want) {
				t.Fatalf("%s\nread as %s\ncontact %+v\nmatches: %v", drawn.text, audience, contact, got)
			}
		}
	})
}
