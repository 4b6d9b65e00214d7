package imports

import (
	"sync"
	"time"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// readPhone reads the number of somebody to be written to.
func readPhone(text, region string) (phone.Number, *Rejection) {
	n, err := phone.Parse(text, region)
	if err != nil {
		return "", &Rejection{Column: "phone", Reason: err.Error()}
	}
	return n, nil
}

// readStoppedPhone reads the number of somebody who is not to be written to any more. A library that does not know
// the number is no reason to go on: what is shaped like a number is stopped as it is written.
func readStoppedPhone(text, region string) (phone.Number, note, *Rejection) {
	n, rejection := readPhone(text, region)
	if rejection == nil {
		return n, 0, nil
	}
	if n, ok := phone.FromWhatsApp(text); ok {
		return n, noteOutsidePlan, nil
	}
	return "", 0, rejection
}

// places tells where numbers are. Among several zones the main one is the country's, and the country is what takes
// phone.Number longest to find: asking once for each saves a quarter of an import's time.
type places struct{ mainZones *sync.Map }

func newPlaces() places { return places{mainZones: new(sync.Map)} }

func (p places) of(n phone.Number) scheduler.NumberFacts {
	facts := scheduler.NumberFacts{Country: n.Country(), Zones: n.Zones()}
	if len(facts.Zones) < 2 {
		facts.MainZone = n.Zone()
		return facts
	}
	zone, known := p.mainZones.Load(facts.Country)
	if !known {
		zone = n.Zone()
		p.mainZones.Store(facts.Country, zone)
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
	// UnmarshalText is strict where time.Parse takes a comma for the point and one digit for two.
	var at time.Time
	if err := at.UnmarshalText([]byte(text)); err != nil {
		return wrong(reasonTime)
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
