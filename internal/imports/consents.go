package imports

import (
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

var consentColumns = columns{
	file:     "consents",
	required: []string{"phone", "category", "action", "at"},
	optional: []string{"source", "wording", "evidence"},
}

type consentChecker struct {
	region          string
	business        string // folded; "" looks for nothing
	categories      map[string]policy.Category
	sources         []string
	unknownSource   string
	unknownCategory string
	now             time.Time
	places          places

	phone, category, action, at, source, wording, evidence int
}

func checkConsents(h header, o Options) checker[scheduler.ConsentRecord] {
	return consentChecker{
		region:          o.Region,
		business:        foldWording(o.BusinessName),
		categories:      o.Categories,
		sources:         policy.Sources(),
		unknownSource:   reasonSource(),
		unknownCategory: reasonCategory(o.Categories),
		now:             o.Now,
		places:          newPlaces(),
		phone:           h.place("phone"),
		category:        h.place("category"),
		action:          h.place("action"),
		at:              h.place("at"),
		source:          h.place("source"),
		wording:         h.place("wording"),
		evidence:        h.place("evidence"),
	}.check
}

func (c consentChecker) check(line int, cells []string) (scheduler.ConsentRecord, note, *Rejection) {
	none := scheduler.ConsentRecord{}
	event, rejection := c.readEvent(cells)
	if rejection != nil {
		return none, 0, rejection
	}
	number, facts, doubts, rejection := c.readPerson(cell(cells, c.phone), event.Action)
	if rejection != nil {
		return none, 0, rejection
	}
	if event.Action == policy.Granted && !strings.Contains(foldWording(event.Wording), c.business) {
		doubts |= noteUnnamedBusiness
	}
	return scheduler.ConsentRecord{Line: line, Phone: number, Event: event, Number: facts}, doubts, nil
}

// readPerson reads whose consent it is: what is taken back is taken back from any number.
func (c consentChecker) readPerson(text string, action policy.Action) (phone.Number, scheduler.NumberFacts, note, *Rejection) {
	if action == policy.Granted {
		number, facts, rejection := c.places.read(text, c.region)
		return number, facts, 0, rejection
	}
	number, doubts, rejection := readStoppedPhone(text, c.region)
	if rejection != nil {
		return "", scheduler.NumberFacts{}, 0, rejection
	}
	return number, c.places.facts(number, number.Country()), doubts, nil
}

func (c consentChecker) readEvent(cells []string) (policy.ConsentEvent, *Rejection) {
	none := policy.ConsentEvent{}
	event := policy.ConsentEvent{
		Category: cell(cells, c.category),
		Action:   policy.Action(strings.ToLower(cell(cells, c.action))),
		Source:   strings.ToLower(cell(cells, c.source)),
		Wording:  cell(cells, c.wording),
		Evidence: cell(cells, c.evidence),
	}
	if _, ok := c.categories[event.Category]; !ok {
		return none, &Rejection{Column: "category", Value: cut(event.Category, 80), Code: "category_unknown", Reason: c.unknownCategory}
	}
	if event.Action != policy.Granted && event.Action != policy.Revoked {
		return none, &Rejection{Column: "action", Value: cut(cell(cells, c.action), 80), Reason: reasonAction}
	}
	var rejection *Rejection
	if event.At, rejection = readTime(cell(cells, c.at), c.now); rejection != nil {
		return none, rejection
	}
	switch {
	case event.Source == "" && event.Action == policy.Granted:
		return none, &Rejection{Column: "source", Reason: reasonNoSource}
	case event.Source != "" && !slices.Contains(c.sources, event.Source):
		return none, &Rejection{Column: "source", Value: cut(event.Source, 80), Code: "source_unknown", Reason: c.unknownSource}
	case event.Wording == "" && event.Action == policy.Granted:
		return none, &Rejection{Column: "wording", Reason: reasonNoWording}
	}
	return event, nil
}

// NamesBusiness reports whether a wording says whose messages it is about.
func NamesBusiness(wording, business string) bool {
	return strings.Contains(foldWording(wording), foldWording(business))
}

// foldWording makes a name findable in a sentence that writes it in other case or breaks the line inside it.
func foldWording(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }
