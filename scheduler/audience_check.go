package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"
	expr "google.golang.org/genproto/googleapis/api/expr/v1alpha1"

	"github.com/permesso/permesso/internal/spelling"
)

var filterFields = []Field{
	FieldCountry, FieldLanguage, FieldTimezone, FieldTags, FieldExternalID, FieldAttribute,
	FieldConsentDays, FieldSentDays, FieldDeliveredDays, FieldRepliedDays,
}

// exampleOf shows a condition on a field that can be copied.
func exampleOf(f Field) string {
	switch f {
	case FieldCountry:
		return `country = "IT"`
	case FieldLanguage:
		return `language = "it"`
	case FieldTimezone:
		return `timezone = "Europe/Rome"`
	case FieldTags:
		return `tags:vip`
	case FieldExternalID:
		return `external_id = "A-17"`
	case FieldAttribute:
		return `attributes.city = "Roma"`
	}
	return string(f) + " > 30"
}

// field reads the left side of a condition: the field and, of an attribute, its key.
func (r *audienceReader) field(e *expr.Expr) (Field, string, *filterFailure) {
	path := memberPath(e)
	if path == nil {
		return "", "", r.failAt(e, "the field goes on the left, without quotes, and the value on the right, as in country = \"IT\"")
	}
	field := Field(path[0])
	switch {
	case field == "segment" && len(path) == 1:
		return "", "", r.failAt(e, "name the segment, as in segment.rich")
	case field == "segment":
		return "", "", r.failAt(e, "a segment is yes or no and is not compared; write segment.%s, or NOT segment.%s", path[1], path[1])
	case !slices.Contains(filterFields, field):
		return "", "", r.failAt(e, "%s is not a field%s", strings.Join(path, "."), r.suggestField(path))
	case field == FieldAttribute && len(path) == 1:
		return "", "", r.failAt(e, "name the attribute, as in attributes.city = \"Roma\"")
	case field == FieldAttribute:
		return field, strings.Join(path[1:], "."), nil
	case len(path) > 1:
		return "", "", r.failAt(e, "%s has no parts; write %s", field, exampleOf(field))
	}
	return field, "", nil
}

func (r *audienceReader) suggestField(path []string) string {
	if len(path) > 1 {
		switch path[0] {
		case "segments", "seg":
			return "; did you mean segment." + path[1] + "?"
		case "attribute", "attr", "attrs", "contact":
			return "; did you mean attributes." + path[1] + "?"
		}
	}
	var known []string
	for _, field := range filterFields {
		known = append(known, string(field))
	}
	if len(path) == 1 {
		if near := spelling.Nearest(path[0], keysOf(r.types)); near != "" {
			return "; did you mean attributes." + near + "?"
		}
	}
	return suggest(path[0], append(known, "segment"), "; fields are country, language, timezone, tags, external_id, attributes.x, segment.x, consent_days, sent_days, delivered_days and replied_days")
}

// filterValue is the right side of a condition.
type filterValue struct {
	at       *expr.Expr
	isNumber bool
	number   Decimal
	text     string
}

func (r *audienceReader) value(e *expr.Expr) (filterValue, *filterFailure) {
	v := filterValue{at: e}
	switch constant := e.GetConstExpr().GetConstantKind().(type) {
	case *expr.Constant_Int64Value:
		v.number, v.isNumber = r.number(e, strconv.FormatInt(constant.Int64Value, 10)), true
		return v, nil
	case *expr.Constant_DoubleValue:
		v.number, v.isNumber = r.number(e, strconv.FormatFloat(constant.DoubleValue, 'f', -1, 64)), true
		return v, nil
	case *expr.Constant_StringValue:
		v.text = strings.TrimSpace(constant.StringValue)
		if v.text == "" {
			return v, r.failAt(e, "an empty value is a missing one and matches nothing; write what the value should be")
		}
		return v, nil
	}
	path := memberPath(e)
	switch {
	case len(path) == 1 && !slices.Contains(filterFields, Field(path[0])):
		v.text = path[0]
		return v, nil
	case len(path) > 0 && (slices.Contains(filterFields, Field(path[0])) || path[0] == "segment"):
		return v, r.failAt(e, "a field is compared with a value, not with another field; put %q in quotes if the word is meant", strings.Join(path, "."))
	case len(path) > 0:
		return v, r.failAt(e, "put the value in quotes: %q", strings.Join(path, "."))
	}
	return v, r.failAt(e, "a value is a quoted text or a number")
}

// number takes the digits from the text, as the parser has rounded them; what is written in a way that only the parser knows, it
// takes as read.
func (r *audienceReader) number(e *expr.Expr, read string) Decimal {
	written := r.source[r.offset(e):]
	written = written[:len(written)-len(strings.TrimLeft(written, "-.0123456789"))]
	if d, ok := readDecimal(written); ok {
		return d
	}
	d, _ := readDecimal(read)
	return d
}

// test checks one condition.
func (r *audienceReader) test(op Operator, left, right *expr.Expr) (Test, *filterFailure) {
	if path := memberPath(left); op == Has && len(path) == 1 && Field(path[0]) == FieldAttribute {
		return r.hasAttribute(right)
	}
	field, key, failed := r.field(left)
	if failed != nil {
		return Test{}, failed
	}
	value, failed := r.value(right)
	if failed != nil {
		return Test{}, failed
	}
	t := Test{Field: field, Attribute: key, Op: op}
	if field == FieldAttribute {
		t.Type = AttributeText
		if declared := r.types[key]; declared == AttributeNumber || declared == AttributeDate {
			t.Type = declared
		}
	}
	if op == Has && value.text == "*" {
		t.Op = Present
		return t, nil
	}
	if op == Has && field != FieldTags {
		return Test{}, r.failAt(left, "the colon asks whether a set has something, and %s is one value; write %s = …, or %s:* for anyone who has one", named(t), named(t), named(t))
	}
	return r.typed(t, value)
}

// hasAttribute reads attributes:coupon, which is AIP-160's way to say that the map has a key.
func (r *audienceReader) hasAttribute(right *expr.Expr) (Test, *filterFailure) {
	value, failed := r.value(right)
	if failed != nil {
		return Test{}, failed
	}
	if value.isNumber || value.text == "*" {
		return Test{}, r.failAt(right, "name the attribute, as in attributes:coupon")
	}
	t := Test{Field: FieldAttribute, Attribute: value.text, Op: Present, Type: AttributeText}
	if declared := r.types[value.text]; declared == AttributeNumber || declared == AttributeDate {
		t.Type = declared
	}
	return t, nil
}

// named is the tested field as it is written.
func named(t Test) string {
	if t.Field == FieldAttribute {
		return "attributes." + quoteName(t.Attribute)
	}
	return string(t.Field)
}

// typed checks operator and value against the field's type.
func (r *audienceReader) typed(t Test, v filterValue) (Test, *filterFailure) {
	switch {
	case t.Field == FieldTags:
		return r.tag(t, v)
	case t.Field.isDays():
		return r.days(t, v)
	case t.Type == AttributeNumber:
		if !v.isNumber {
			return Test{}, r.failAt(v.at, "%s is a number; write a number without quotes", named(t))
		}
		t.Number = v.number
		return t, nil
	case t.Type == AttributeDate:
		if !isDay(v.text) {
			return Test{}, r.failAt(v.at, "%s is a date; write a day of the calendar in quotes, as in \"2026-11-21\"", named(t))
		}
		t.Date = v.text
		return t, nil
	case v.isNumber:
		return Test{}, r.numberForText(t, v)
	case t.Op != Equal && t.Op != NotEqual:
		return Test{}, r.orderOfText(t, v)
	}
	return r.text(t, v)
}

func (r *audienceReader) numberForText(t Test, v filterValue) *filterFailure {
	if t.Field != FieldAttribute {
		return r.failAt(v.at, "%s is text; put the value in quotes", t.Field)
	}
	hint := ""
	if near := spelling.Nearest(t.Attribute, keysOf(r.types)); near != "" {
		hint = fmt.Sprintf(" (or did you mean attributes.%s?)", near)
	}
	return r.failAt(v.at, "%s is text, as no other type is declared%s; declare attributes: {%s: number}, or put the value in quotes to compare it as text", named(t), hint, t.Attribute)
}

func (r *audienceReader) orderOfText(t Test, v filterValue) *filterFailure {
	if t.Field != FieldAttribute {
		return r.failAt(v.at, "%s is text and has no order; write %s = or %s !=", t.Field, t.Field, t.Field)
	}
	kind := AttributeNumber
	if isDay(v.text) {
		kind = AttributeDate
	}
	return r.failAt(v.at, "%s is text and has no order, so %s is not known for it; declare attributes: {%s: %s}", named(t), t.Op, t.Attribute, kind)
}

func (r *audienceReader) days(t Test, v filterValue) (Test, *filterFailure) {
	const most = 1_000_000
	days, err := strconv.Atoi(v.number.String())
	if !v.isNumber || err != nil || days < 0 || days > most {
		return Test{}, r.failAt(v.at, "%s counts whole days; write a whole number from 0, without quotes and unit, as in %s > 30", t.Field, t.Field)
	}
	t.Days = days
	return t, nil
}

func (r *audienceReader) tag(t Test, v filterValue) (Test, *filterFailure) {
	if t.Op != Has {
		return Test{}, r.failAt(v.at, "tags is a set; write tags:%s, or NOT tags:%s", quoteName(v.shown()), quoteName(v.shown()))
	}
	if v.isNumber {
		return Test{}, r.failAt(v.at, "a tag is text; put it in quotes: tags:%q", v.shown())
	}
	return r.starred(t, v)
}

func (v filterValue) shown() string {
	if v.isNumber {
		return v.number.String()
	}
	return v.text
}

// text checks a value of a text field for what the field can hold at all.
func (r *audienceReader) text(t Test, v filterValue) (Test, *filterFailure) {
	switch t.Field {
	case FieldCountry:
		code := strings.ToUpper(v.text)
		region, err := language.ParseRegion(code)
		if len(code) != 2 || err != nil || !region.IsCountry() {
			return Test{}, r.failAt(v.at, "%q is not a country; write its two letters of ISO 3166, as in \"IT\"", v.text)
		}
		if canonical := region.Canonicalize().String(); canonical != code {
			return Test{}, r.failAt(v.at, "%q is not the country's code in ISO 3166; write %q", v.text, canonical)
		}
		t.Text = code
		return t, nil
	case FieldLanguage:
		if _, err := language.Parse(v.text); err != nil || !isLanguage(v.text) {
			return Test{}, r.failAt(v.at, "%q is not a language; write a BCP 47 tag such as \"it\" or \"pt-BR\"; \"pt\" matches pt-BR too", v.text)
		}
		t.Text = strings.ToLower(strings.ReplaceAll(v.text, "_", "-"))
		return t, nil
	case FieldTimezone:
		if !strings.Contains(v.text, "*") {
			if _, err := loadZone(v.text); err != nil {
				return Test{}, r.failAt(v.at, "%v", err)
			}
		}
	}
	return r.starred(t, v)
}

// starred splits the stars off a text (AIP-160: a star at the beginning or the end of a quoted value stands for anything).
func (r *audienceReader) starred(t Test, v filterValue) (Test, *filterFailure) {
	text, open := strings.CutSuffix(v.text, "*")
	text, shut := strings.CutPrefix(text, "*")
	switch {
	case text == "":
		return Test{}, r.failAt(v.at, "a star alone says nothing of the value; write %s:* for anyone who has one", named(t))
	case strings.Contains(text, "*"):
		return Test{}, r.failAt(v.at, "a star may stand only at the beginning or the end of a value")
	case open && shut:
		t.Pattern = Anywhere
	case open:
		t.Pattern = Prefix
	case shut:
		t.Pattern = Suffix
	}
	t.Text = text
	return t, nil
}

func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// suggest says what a word was probably meant to be, or otherwise.
func suggest(word string, known []string, otherwise string) string {
	if near := spelling.Nearest(word, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return otherwise
}
