package config

import (
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/spelling"
)

var (
	offsetZone = regexp.MustCompile(`^(?:[A-Za-z]{1,5} ?)?[+-] ?[0-9]{1,2}(?::?[0-9]{2})?$`)
	shortZone  = regexp.MustCompile(`^[A-Za-z]{2,5}$`)
	fixedZone  = regexp.MustCompile(`^Etc/GMT([+-])([0-9]{1,2})$`)
)

const exampleZone = "Europe/Rome"

// zone returns an IANA zone.
func (v value) zone() (string, bool) {
	text, ok := v.word("a time zone such as " + exampleZone)
	if !ok {
		return "", false
	}
	if _, known := v.l.zoneOf(text); known {
		v.checkZone(text)
		return text, true
	}
	example := exampleZone
	if home, known := homeOf(v.l.cfg.Business.Country); known {
		example = home.zone
	}
	near := v.l.nearZone(text)
	switch {
	case near != "":
		v.fail(errcode.UnknownTimezone, "unknown time zone %q; did you mean %q?", text, near)
	case offsetZone.MatchString(text):
		v.fail(errcode.UnknownTimezone, "unknown time zone %q: an offset knows no summer time; write the name of the zone, such as %s", text, example)
	case shortZone.MatchString(text) && text != "Local":
		v.fail(errcode.UnknownTimezone, "unknown time zone %q: such letters mean different times in different places; write the name of the zone, such as %s", text, example)
	case text == "Local":
		v.fail(errcode.UnknownTimezone, "the time zone %q is another one on every machine: write the name of the zone, such as %s", text, example)
	default:
		v.fail(errcode.UnknownTimezone, "unknown time zone %q: write its name as continent and city, such as %s or America/Sao_Paulo", text, example)
	}
	return "", false
}

// checkZone warns of zones that are rarely what somebody means.
func (v value) checkZone(name string) {
	if parts := fixedZone.FindStringSubmatch(name); parts != nil && parts[2] != "0" {
		side := map[string]string{"+": "behind", "-": "ahead of"}[parts[1]]
		v.warn(errcode.DoubtfulTimezone, "%s is %s hours %s UTC: in these names the sign is turned round, and they know no summer time; write a zone such as %s", name, parts[2], side, exampleZone)
		return
	}
	if near, known := map[string]string{"EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu"}[name]; known {
		v.warn(errcode.DoubtfulTimezone, "%s knows no summer time; if the clocks of a city are meant, write its zone, such as %s", name, near)
	}
}

// zoneOf returns an IANA zone by its name.
func (l *loader) zoneOf(name string) (*time.Location, bool) {
	// These mean another time on another machine.
	if name == "Local" || name == "localtime" || name == "posixrules" || strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") {
		return nil, false
	}
	return l.zones.Load(name)
}

// nearZone knows other cases, a space for the underscore, a city alone, and slips in the zones where most people live.
func (l *loader) nearZone(text string) string {
	upper := true
	titled := strings.Map(func(r rune) rune {
		if r == ' ' {
			r = '_'
		}
		start := upper
		upper = r == '/' || r == '_'
		if start {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, text)
	if _, known := l.zoneOf(titled); known && strings.Contains(titled, "/") {
		return titled
	}
	zones := knownZones()
	for _, zone := range zones {
		if strings.EqualFold(zone[strings.LastIndexByte(zone, '/')+1:], titled) {
			return zone
		}
	}
	return spelling.Nearest(text, zones)
}
