package imports

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// itemConsents and itemContacts are the fields of what comes alone, in the order in which they are told.
var (
	itemConsents = slices.Concat(consentColumns.required, consentColumns.optional, []string{"language", "ip", "agent"})
	itemContacts = slices.Concat(contactColumns.required, contactColumns.optional)
)

// ConsentFields and ContactFields name the fields that Items reads.
func ConsentFields() []string { return slices.Clone(itemConsents) }

// ContactFields are those of a contact, without its attributes.
func ContactFields() []string { return slices.Clone(itemContacts) }

// Items judges consents and contacts that come one by one, from a program and not in a file, by the rules of files. It is for any
// number of goroutines.
type Items struct {
	consents consentChecker
	contacts contactChecker
}

// NewItems judges by o, of which Region, BusinessName, Categories and Attributes matter here. A consent may also be pending, and tell
// its language, ip and agent.
func NewItems(o Options) *Items {
	consents := newConsentChecker(fields(consentColumns.required, consentColumns.optional), o)
	consents.actions, consents.unknownAction = append(consents.actions, policy.Pending), reasonPending
	for i, to := range []*int{&consents.language, &consents.ip, &consents.agent} {
		*to = len(itemConsents) - 3 + i
	}
	return &Items{consents, newContactChecker(fields(itemContacts), o)}
}

func fields(names ...[]string) header {
	h := header{names: slices.Concat(names...), places: map[string]int{}}
	for i, name := range h.names {
		h.places[name] = i
	}
	return h
}

// Consent judges a consent by its fields; latest is the last moment that is not in the future. It returns what is doubtful about one that is good: one sentence each.
func (i *Items) Consent(latest time.Time, given map[string]string) (scheduler.ConsentRecord, []string, *Rejection) {
	cells, rejection := cellsOf(itemConsents, given)
	if rejection != nil {
		return scheduler.ConsentRecord{}, nil, coded(rejection)
	}
	checker := i.consents
	checker.now = latest
	record, doubts, rejection := checker.check(0, cells)
	if rejection != nil {
		return scheduler.ConsentRecord{}, nil, coded(rejection)
	}
	var said []string
	if doubts&noteUnnamedBusiness != 0 {
		said = append(said, "the wording does not name the business: who agreed may not have known to whom")
	}
	if doubts&noteOutsidePlan != 0 {
		said = append(said, "the number fits no numbering plan and was taken as it is written: check its country code")
	}
	return record, said, nil
}

// Contact judges a contact by its fields and attributes. tags, which are separated by ; in a field, may also be given one by one.
func (i *Items) Contact(given map[string]string, tags []string, attributes map[string]string) (scheduler.ContactRecord, *Rejection) {
	none := scheduler.ContactRecord{}
	cells, rejection := cellsOf(itemContacts, given)
	if rejection != nil {
		return none, coded(rejection)
	}
	checker := i.contacts
	checker.attributes = make([]attributeColumn, 0, len(attributes))
	taken := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		key := attributeName(strings.ToLower(strings.TrimSpace(name)))
		switch {
		case len(attributes) > maxColumns:
			rejection = &Rejection{Column: "attributes", Reason: reasonManyFields}
		case key == "":
			rejection = &Rejection{Column: "attributes", Reason: reasonNoName}
		case tooLong(key):
			rejection = &Rejection{Column: "attributes", Reason: reasonTextLength}
		case taken[key]:
			rejection = &Rejection{Column: "attributes." + key, Reason: reasonTwoNames}
		default:
			rejection = unreadable("attributes."+key, attributes[name])
		}
		if rejection != nil {
			return none, coded(rejection)
		}
		taken[key] = true
		checker.attributes = append(checker.attributes, attributeColumn{place: len(cells), name: key})
		cells = append(cells, Guard(attributes[name]))
	}
	for _, tag := range tags {
		if rejection := unreadable("tags", tag); rejection != nil {
			return none, coded(rejection)
		}
	}
	if len(tags) > 0 {
		cells[checker.tags] = Guard(strings.Join(tags, ";"))
	}
	record, _, rejection := checker.check(0, cells)
	if rejection != nil {
		return none, coded(rejection)
	}
	return record, nil
}

// cellsOf puts fields in the order of names, guarded as those of a file are, since reading them takes the guard off.
func cellsOf(names []string, given map[string]string) ([]string, *Rejection) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, name) {
			return nil, &Rejection{Column: cut(name, 80), Reason: reasonField}
		}
	}
	cells := make([]string, len(names))
	for i, name := range names {
		if rejection := unreadable(name, given[name]); rejection != nil {
			return nil, rejection
		}
		cells[i] = Guard(given[name])
	}
	return cells, nil
}

// unreadable refuses what no database keeps as it is.
func unreadable(name, text string) *Rejection {
	switch {
	case !utf8.ValidString(text):
		return &Rejection{Column: name, Reason: reasonFieldUTF8}
	case strings.IndexByte(text, 0) >= 0:
		return &Rejection{Column: name, Reason: reasonFieldNUL}
	}
	return nil
}

func coded(r *Rejection) *Rejection {
	if code := Code(r.Reason); code != errcode.Internal {
		r.Code = code // that of the catalogue
	}
	return r
}
