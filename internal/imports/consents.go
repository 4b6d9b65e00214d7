package imports

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	name, business  string // as it is written, and folded; "" looks for nothing
	categories      map[string]policy.Category
	sources         []string
	unknownSource   string
	unknownCategory string
	now             time.Time
	places          places
	actions         []policy.Action
	unknownAction   string

	phone, category, action, at, source, wording, evidence int
	language, ip, agent                                    int // of what a program sends; -1 in files
}

func checkConsents(h header, o Options) checker[scheduler.ConsentRecord] {
	return newConsentChecker(h, o).check
}

func newConsentChecker(h header, o Options) consentChecker {
	return consentChecker{
		region:          o.Region,
		name:            o.BusinessName,
		business:        foldWording(o.BusinessName),
		categories:      o.Categories,
		sources:         policy.Sources(),
		unknownSource:   reasonSource(),
		unknownCategory: reasonCategory(o.Categories),
		now:             o.Now,
		places:          newPlaces(),
		actions:         []policy.Action{policy.Granted, policy.Revoked},
		unknownAction:   reasonAction,
		language:        -1,
		ip:              -1,
		agent:           -1,
		phone:           h.place("phone"),
		category:        h.place("category"),
		action:          h.place("action"),
		at:              h.place("at"),
		source:          h.place("source"),
		wording:         h.place("wording"),
		evidence:        h.place("evidence"),
	}
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
	if rejection := c.readCircumstances(&event, cells); rejection != nil {
		return none, 0, rejection
	}
	if asks(event.Action) && !strings.Contains(event.Wording, c.name) && !strings.Contains(foldWording(event.Wording), c.business) {
		doubts |= noteUnnamedBusiness
	}
	return scheduler.ConsentRecord{Line: line, Phone: number, Event: event, Number: facts}, doubts, nil
}

// readPerson reads whose consent it is: what is taken back is taken back from any number.
func (c consentChecker) readPerson(text string, action policy.Action) (phone.Number, scheduler.NumberFacts, note, *Rejection) {
	if asks(action) {
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
		return none, &Rejection{Column: "category", Value: cut(event.Category, 80), Reason: c.unknownCategory}
	}
	if !slices.Contains(c.actions, event.Action) {
		return none, &Rejection{Column: "action", Value: cut(cell(cells, c.action), 80), Reason: c.unknownAction}
	}
	var rejection *Rejection
	if event.At, rejection = readTime(cell(cells, c.at), c.now); rejection != nil {
		return none, rejection
	}
	switch {
	case event.Source == "" && asks(event.Action):
		return none, &Rejection{Column: "source", Reason: reasonNoSource}
	case event.Source != "" && !slices.Contains(c.sources, event.Source):
		return none, &Rejection{Column: "source", Value: cut(event.Source, 80), Reason: c.unknownSource}
	case event.Wording == "" && asks(event.Action):
		return none, &Rejection{Column: "wording", Reason: reasonNoWording}
	}
	return event, nil
}

// asks reports whether an action is a consent, or waits to become one, so that it must be provable.
func asks(action policy.Action) bool { return action == policy.Granted || action == policy.Pending }

// readCircumstances reads what a program can tell of the moment beside the event itself.
func (c consentChecker) readCircumstances(event *policy.ConsentEvent, cells []string) *Rejection {
	code, rejection := canonicalLanguage(cell(cells, c.language))
	if rejection != nil {
		return rejection
	}
	event.Language, event.IP, event.Agent = code, cell(cells, c.ip), cell(cells, c.agent)
	if event.IP != "" {
		address, err := netip.ParseAddr(event.IP)
		if err != nil || address.Zone() != "" {
			return &Rejection{Column: "ip", Reason: reasonAddress}
		}
		event.IP = address.Unmap().String()
	}
	if utf8.RuneCountInString(event.Agent) > maxAgent {
		return &Rejection{Column: "agent", Reason: reasonAgentLength}
	}
	return nil
}

// maxAgent is more than browsers say of themselves, in characters.
const maxAgent = 1000

// NamesBusiness reports whether a wording says whose messages it is about.
func NamesBusiness(wording, business string) bool {
	return strings.Contains(foldWording(wording), foldWording(business))
}

// foldWording makes a name findable in a sentence that writes it in other case or breaks the line inside it.
func foldWording(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }
