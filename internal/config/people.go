package config

import (
	"errors"
	"regexp"
	"slices"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/scheduler"
)

var (
	attributeName = regexp.MustCompile(`^[\p{L}\p{N}_]([\p{L}\p{N}_ -]*[\p{L}\p{N}_])?$`)
	// segmentName has no dash: in a filter, segment.very-rich would be read as a sum.
	segmentName = regexp.MustCompile(`^[a-z0-9_]+$`)
)

func (l *loader) readAttributes(root object) {
	v, found := root.get("attributes")
	if !found {
		return
	}
	entries, ok := v.entries("a group of columns with their types, such as {points: number}")
	if !ok {
		l.filtersUnread = true
		return
	}
	l.cfg.Attributes = map[string]scheduler.AttributeType{}
	for _, e := range entries {
		switch {
		case !attributeName.MatchString(e.key):
			e.name.fail(errcode.InvalidName, "the attribute %q must be named with letters, digits, spaces, - and _", e.key)
		case slices.Contains(knownColumns, e.key):
			e.name.fail(errcode.ReservedName, "%s is a column that permesso knows, not an attribute: remove it", e.key)
		}
		kind, ok := e.val.oneOf(attributeWords...)
		l.filtersUnread = l.filtersUnread || !ok
		l.cfg.Attributes[e.key] = scheduler.AttributeType(kind)
	}
}

func (l *loader) readSegments(root object) {
	v, found := root.get("segments")
	if !found {
		return
	}
	entries, ok := v.entries("a group of audience filters, each with its name")
	if !ok {
		l.filtersUnread = true
		return
	}
	l.segments = map[string]value{}
	l.cfg.Segments = map[string]string{}
	for _, e := range entries {
		l.segments[e.key] = e.val
		if !segmentName.MatchString(e.key) {
			e.name.fail(errcode.InvalidName, "the segment %q must be named with small letters, digits and _", e.key)
		}
		filter, ok := e.val.text("an audience filter")
		if !ok {
			l.filtersUnread = true
			continue
		}
		l.cfg.Segments[e.key] = filter
	}
	for _, e := range entries {
		if filter, ok := l.cfg.Segments[e.key]; ok {
			e.val.checkAudience(filter)
		}
	}
}

// checkAudience reports the mistakes of a filter at their own column, in the segment that has them.
func (v value) checkAudience(filter string) bool {
	if v.l.filtersUnread {
		return false // what it may name is not known, and that has been said
	}
	_, err := scheduler.ParseAudience(filter, v.l.cfg.Attributes, v.l.cfg.Segments)
	if err == nil {
		return true
	}
	wrong, known := errors.AsType[*scheduler.AudienceError](err)
	if known && wrong.Segment != "" {
		v = v.l.segments[wrong.Segment]
	}
	switch {
	case !known:
		v.fail(errcode.InvalidAudience, "%s: %v", v.name(), err)
	case v.holdsReference():
		v.fail(errcode.InvalidAudience, "%s, in column %d once its references are replaced: %s", v.name(), wrong.Column, wrong.Message)
	default:
		v.failAt(v.locate(wrong.Column), errcode.InvalidAudience, "%s: %s", v.name(), wrong.Message)
	}
	return false
}

func (l *loader) readOptOut(root object) {
	v, found := root.get("opt_out")
	if !found {
		return
	}
	o, ok := v.object(optOutKeys)
	if !ok {
		return
	}
	if v, found := o.get("keywords"); found {
		l.cfg.OptOutKeywords = v.stopWords()
	}
	if v, found := o.get("confirmation"); found {
		l.cfg.OptOutConfirmation = v.wordings(`texts by language, such as {en: "Done: no more messages from {{business}}."}`)
	}
	if v, found := o.get("help"); found {
		l.cfg.OptOutHelp = v.wordings(`texts by language, such as {en: "{{business}}: write STOP to stop."}`)
	}
}

// stopWords reads words that mean stop, by language.
func (v value) stopWords() map[string][]string {
	entries, ok := v.entries("lists of words by language, such as {it: [lasciami in pace]}")
	if !ok {
		return nil
	}
	words := map[string][]string{}
	for _, e := range entries {
		values, ok := e.val.list("a list of words that mean stop")
		if !ok || !e.isLanguage() {
			continue
		}
		for _, v := range values {
			word, ok := v.text("a word or a sentence that means stop")
			if !ok {
				continue
			}
			if err := v.l.cfg.Keywords.AddStop(e.key, word); err != nil {
				v.fail(errcode.InvalidKeyword, "%v", err)
				continue
			}
			words[e.key] = append(words[e.key], word)
		}
	}
	return words
}

func (l *loader) readTestPhones(root object) {
	v, found := root.get("test_phones")
	if !found {
		return
	}
	values, ok := v.list(`a list of phone numbers in quotes, such as ["+393471234567"]`)
	if !ok {
		return
	}
	seen := map[phone.Number]value{}
	for _, v := range values {
		number, ok := v.phone(l.cfg.Business.Country)
		if !ok {
			continue
		}
		if first, twice := seen[number.Canonical()]; twice {
			v.fail(errcode.DuplicateEntry, "this number is there already, on %s: keep one of them", first.where(v))
		}
		seen[number.Canonical()] = v
		l.cfg.TestPhones = append(l.cfg.TestPhones, number)
	}
}

func (v value) phone(region string) (phone.Number, bool) {
	const want = `a phone number in quotes, such as "+393471234567"`
	text, ok := v.scalar(want)
	if !ok {
		return "", false
	}
	if shortenedNumber.MatchString(text) {
		v.fail(errcode.UnquotedNumber, "this number has lost digits: %s is how a spreadsheet shortens it; write the whole number in quotes", text)
		return "", false
	}
	if v.node.Tag != "!!str" {
		v.fail(errcode.UnquotedNumber, "a phone number is text: put it in quotes, or its + and its zeros are lost")
		return "", false
	}
	number, err := phone.Parse(text, region)
	if err != nil {
		v.fail(errcode.InvalidTestPhone, "%v", err)
		return "", false
	}
	return number, true
}
