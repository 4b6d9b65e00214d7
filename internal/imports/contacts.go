package imports

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

var contactColumns = columns{
	file:     "contacts",
	required: []string{"phone"},
	optional: []string{"name", "language", "timezone", "external_id", "tags"},
	others:   true,
}

type contactChecker struct {
	region    string
	tag       string
	locations *policy.Locations
	places    places
	types     map[string]scheduler.AttributeType
	languages *sync.Map // what was written, to its code: parsing is slow, and a file has few languages

	phone, name, language, timezone, externalID, tags int
	attributes                                        []attributeColumn
}

func checkContacts(h header, o Options) checker[scheduler.ContactRecord] {
	return newContactChecker(h, o).check
}

func newContactChecker(h header, o Options) contactChecker {
	return contactChecker{
		region:     o.Region,
		tag:        strings.TrimSpace(o.Tag),
		locations:  policy.NewLocations(),
		places:     newPlaces(),
		types:      o.Attributes,
		languages:  new(sync.Map),
		phone:      h.place("phone"),
		name:       h.place("name"),
		language:   h.place("language"),
		timezone:   h.place("timezone"),
		externalID: h.place("external_id"),
		tags:       h.place("tags"),
		attributes: h.attributes,
	}
}

func (c contactChecker) check(line int, cells []string) (scheduler.ContactRecord, note, *Rejection) {
	none := scheduler.ContactRecord{}
	number, facts, rejection := c.places.read(cell(cells, c.phone), c.region)
	if rejection != nil {
		return none, 0, rejection
	}
	out := scheduler.ContactRecord{Line: line, Phone: number, Number: facts}
	if out.Name, rejection = readText("name", cell(cells, c.name)); rejection != nil {
		return none, 0, rejection
	}
	if out.Language, rejection = c.readLanguage(cell(cells, c.language)); rejection != nil {
		return none, 0, rejection
	}
	if out.Zone, rejection = c.readZone(cell(cells, c.timezone)); rejection != nil {
		return none, 0, rejection
	}
	if out.ExternalID, rejection = readText("external_id", cell(cells, c.externalID)); rejection != nil {
		return none, 0, rejection
	}
	if out.Tags, rejection = c.readTags(cell(cells, c.tags)); rejection != nil {
		return none, 0, rejection
	}
	for _, column := range c.attributes {
		text := cell(cells, column.place)
		if text == "" {
			continue
		}
		if c.types[column.name] == scheduler.AttributeDate {
			if reason := wrongDay(text); reason != "" {
				return none, 0, &Rejection{Column: column.name, Value: cut(text, 80), Reason: reason}
			}
		}
		if out.Attributes == nil {
			out.Attributes = make(map[string]string, len(c.attributes))
		}
		out.Attributes[column.name] = text
	}
	return out, 0, nil
}

// readText returns nil for an empty cell.
func readText(column, text string) (*string, *Rejection) {
	switch {
	case text == "":
		return nil, nil
	case tooLong(text):
		return nil, &Rejection{Column: column, Reason: reasonTextLength}
	}
	return &text, nil
}

// readLanguage returns the code with the case and the dashes of BCP 47, so that it_it and it-IT are one language.
func (c contactChecker) readLanguage(text string) (*string, *Rejection) {
	if text == "" {
		return nil, nil
	}
	if known, ok := c.languages.Load(text); ok {
		code := known.(string)
		return &code, nil
	}
	code, rejection := canonicalLanguage(text)
	if rejection != nil {
		return nil, rejection
	}
	c.languages.Store(text, code)
	return &code, nil
}

func canonicalLanguage(text string) (string, *Rejection) {
	if text == "" {
		return "", nil
	}
	tag, err := language.Raw.Parse(text)
	if err != nil || tag == language.Und {
		return "", &Rejection{Column: "language", Value: cut(text, 80), Reason: reasonLanguage}
	}
	return tag.String(), nil
}

func (c contactChecker) readZone(text string) (*string, *Rejection) {
	if text == "" {
		return nil, nil
	}
	if _, ok := c.locations.Load(text); !ok {
		return nil, &Rejection{Column: "timezone", Value: cut(text, 80), Reason: reasonZone}
	}
	return &text, nil
}

// readTags returns each tag once, in order, with that of the import.
func (c contactChecker) readTags(text string) ([]string, *Rejection) {
	var tags []string
	for tag := range strings.SplitSeq(text+";"+c.tag, ";") {
		tag = strings.TrimSpace(tag)
		switch {
		case tag == "" || slices.Contains(tags, tag):
			continue
		case tooLong(tag):
			return nil, &Rejection{Column: "tags", Reason: reasonTextLength}
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// foldContacts puts the rows of each person, known by any form of the number, into the last of them. What a row
// leaves empty stays as an earlier row has it, as if they had been stored one after another.
func foldContacts(records []scheduler.ContactRecord) []scheduler.ContactRecord {
	last := make(map[phone.Number]int, len(records))
	folded := make([]bool, len(records))
	for i, r := range records {
		person := r.Phone.Canonical()
		if earlier, ok := last[person]; ok {
			records[i] = over(records[earlier], r)
			folded[earlier] = true
		}
		last[person] = i
	}
	if len(last) == len(records) {
		return records
	}
	out := make([]scheduler.ContactRecord, 0, len(last))
	for i, r := range records {
		if !folded[i] {
			out = append(out, r)
		}
	}
	return out
}

// over returns the later row with what only the earlier one says.
func over(earlier, later scheduler.ContactRecord) scheduler.ContactRecord {
	for _, field := range []struct{ from, to **string }{
		{&earlier.Name, &later.Name},
		{&earlier.Language, &later.Language},
		{&earlier.Zone, &later.Zone},
		{&earlier.ExternalID, &later.ExternalID},
	} {
		if *field.to == nil {
			*field.to = *field.from
		}
	}
	for _, tag := range earlier.Tags {
		if !slices.Contains(later.Tags, tag) {
			later.Tags = append(later.Tags, tag)
		}
	}
	if len(earlier.Attributes) > 0 {
		attributes := maps.Clone(earlier.Attributes)
		maps.Copy(attributes, later.Attributes)
		later.Attributes = attributes
	}
	return later
}
