package imports

import (
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

func phoneRejection(err error) *Rejection {
	rejection := &Rejection{Column: "phone", Reason: err.Error()}
	if known, ok := errors.AsType[*phone.Error](err); ok {
		rejection.Code = known.Code
	}
	return rejection
}

// readStoppedPhone reads the number of somebody who is not to be written to any more. A library that does not know
// the number is no reason to go on: what is shaped like a number is stopped as it is written.
func readStoppedPhone(text, region string) (phone.Number, note, *Rejection) {
	n, err := phone.Parse(text, region)
	if err == nil {
		return n, 0, nil
	}
	if n, ok := phone.FromWhatsApp(text); ok {
		return n, noteOutsidePlan, nil
	}
	return "", 0, phoneRejection(err)
}

// places tells where numbers are. Among several zones the main one is the country's, which takes long to find:
// it is asked for once.
type places struct{ mainZones *sync.Map }

func newPlaces() places { return places{mainZones: new(sync.Map)} }

// read reads the number of somebody to be written to, and where it is.
func (p places) read(text, region string) (phone.Number, scheduler.NumberFacts, *Rejection) {
	n, country, err := phone.Locate(text, region)
	if err != nil {
		return "", scheduler.NumberFacts{}, phoneRejection(err)
	}
	return n, p.facts(n, country), nil
}

func (p places) facts(n phone.Number, country string) scheduler.NumberFacts {
	facts := scheduler.NumberFacts{Country: country, Zones: n.Zones()}
	if len(facts.Zones) < 2 {
		facts.MainZone = n.Zone()
		return facts
	}
	zone, known := p.mainZones.Load(country)
	if !known {
		zone = n.Zone()
		p.mainZones.Store(country, zone)
	}
	facts.MainZone = zone.(string)
	return facts
}

// readTime reads a moment in the past.
func readTime(text string, now time.Time) (time.Time, *Rejection) {
	wrong := func(reason string) (time.Time, *Rejection) {
		return time.Time{}, &Rejection{Column: "at", Value: cut(text, 80), Reason: reason}
	}
	if text == "" {
		return wrong(reasonNoTime)
	}
	at, err := time.Parse(time.RFC3339, text)
	// time.Parse takes one digit of the hour for two, and a comma for the point.
	if err != nil || text[len("2006-01-02T15")] != ':' || strings.Contains(text, ",") {
		return wrong(wrongTime(text))
	}
	switch {
	case at.After(now):
		return wrong(reasonFuture)
	case at.Unix() < 0:
		return wrong(reasonLongAgo)
	}
	return at, nil
}

// readScope reads a scope that can stop something: a category that does not exist would stop nothing.
func readScope(text string, categories map[string]policy.Category) (policy.Scope, *Rejection) {
	scope, err := policy.ParseScope(text)
	if err == nil {
		id, isCategory := cutCategory(scope)
		if _, known := categories[id]; known || !isCategory {
			return scope, nil
		}
	}
	return "", &Rejection{Column: "scope", Value: cut(text, 80), Reason: reasonScope}
}

func cutCategory(scope policy.Scope) (id string, ok bool) {
	prefix := policy.ScopeCategory("")
	if len(scope) <= len(prefix) || scope[:len(prefix)] != prefix {
		return "", false
	}
	return string(scope[len(prefix):]), true
}

// maxText bounds what is a key or a label; a longer text is a damaged row, and PostgreSQL cannot index it.
const maxText = 255

func tooLong(text string) bool { return len(text) > maxText && utf8.RuneCountInString(text) > maxText }
