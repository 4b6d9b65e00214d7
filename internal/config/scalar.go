package config

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/spelling"
)

// holdsReference reports a scalar with ${…}: what it stands for is text, whatever type is wanted.
func (v value) holdsReference() bool { return strings.Contains(v.node.Value, "${") }

// scalar returns a single value as it is written, its references replaced.
func (v value) scalar(want string) (string, bool) {
	if v.node.Kind != yaml.ScalarNode || v.isEmpty() {
		v.wrongType(want)
		return "", false
	}
	if v.node.Style&yaml.TaggedStyle != 0 {
		return "", false // checkShape has said so
	}
	text, err := v.l.expand(v.node.Value, nil)
	if err != nil {
		v.failErr(err)
		return "", false
	}
	return text, true
}

// text returns text that is not empty. want is what it must be: "text", "a zone such as Europe/Rome".
func (v value) text(want string) (string, bool) {
	text, ok := v.word(want)
	if ok && v.node.Tag != "!!str" {
		v.fail(errcode.UnquotedText, "%s must be %s, and %s is read as %s: if it is meant, put it in quotes, %q", v.name(), want, v.node.Value, v.kind(), v.node.Value)
		return "", false
	}
	return text, ok
}

// word returns what is not empty, whatever YAML takes it for: who calls it checks its shape.
func (v value) word(want string) (string, bool) {
	text, ok := v.scalar(want)
	if ok && strings.TrimSpace(text) == "" {
		v.fail(errcode.EmptyValue, "%s is empty: it must be %s", v.name(), want)
		return "", false
	}
	return text, ok
}

// shaped returns text of a given shape. fit turns what is near it into a proposal; nil knows none.
func (v value) shaped(shape *regexp.Regexp, code errcode.Code, want string, fit func(string) string) (string, bool) {
	text, ok := v.word(want)
	switch {
	case !ok:
		return "", false
	case shape.MatchString(text):
		return v.text(want)
	case fit != nil && shape.MatchString(fit(text)):
		v.fail(code, "%s must be %s, not %q; did you mean %q?", v.name(), want, text, fit(text))
	default:
		v.fail(code, "%s must be %s, not %q", v.name(), want, text)
	}
	return "", false
}

// joinedBy writes a name in small letters with sign in place of its spaces and dashes.
func joinedBy(sign string) func(string) string {
	spaces := strings.NewReplacer(" ", sign, "-", sign, "_", sign)
	return func(name string) string { return strings.ToLower(spaces.Replace(strings.TrimSpace(name))) }
}

// oneOf returns one of the named words.
func (v value) oneOf(words ...string) (string, bool) {
	text, ok := v.word(orList(words))
	if !ok {
		return "", false
	}
	if !slices.Contains(words, text) {
		hint := ""
		if near := spelling.Nearest(text, words); near != "" {
			hint = "; did you mean " + strconv.Quote(near) + "?"
		}
		v.fail(errcode.UnknownWord, "%s must be %s, not %q%s", v.name(), orList(words), text, hint)
		return "", false
	}
	return text, true
}

func (v value) boolean() (bool, bool) {
	text, ok := v.scalar("true or false")
	if !ok {
		return false, false
	}
	if (text == "true" || text == "false") && (v.node.Tag == "!!bool" || v.holdsReference()) {
		return text == "true", true
	}
	if text == "true" || text == "false" {
		v.fail(errcode.QuotedValue, "%s must be true or false without quotes: write %s", v.name(), text)
	} else if near, known := map[string]string{"yes": "true", "on": "true", "no": "false", "off": "false"}[strings.ToLower(text)]; known {
		v.fail(errcode.WrongType, "%s must be true or false, not %q: write %s", v.name(), text, near)
	} else {
		v.fail(errcode.WrongType, "%s must be true or false, not %q", v.name(), text)
	}
	return false, false
}

var (
	wholeNumber   = regexp.MustCompile(`^[+-]?(0|[1-9][0-9]*)$`)
	decimalNumber = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)
)

// whole returns a whole number that an int32 holds.
func (v value) whole(want string) (int, bool) {
	text, ok := v.number(want, wholeNumber)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		v.fail(errcode.NumberOutOfRange, "%s must be %s: %s is too large", v.name(), want, text)
		return 0, false
	}
	return int(number), true
}

func (v value) decimal(want string) (float64, bool) {
	text, ok := v.number(want, decimalNumber)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(number, 0) {
		v.fail(errcode.NumberOutOfRange, "%s must be %s: %s is too large", v.name(), want, text)
		return 0, false
	}
	return number, true
}

func (v value) number(want string, shape *regexp.Regexp) (string, bool) {
	text, ok := v.scalar(want)
	if !ok {
		return "", false
	}
	if !shape.MatchString(text) {
		v.fail(errcode.WrongType, "%s must be %s, not %q", v.name(), want, text)
		return "", false
	}
	if v.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && !v.holdsReference() {
		v.fail(errcode.QuotedValue, "%s must be %s: write it without quotes, %s", v.name(), want, text)
		return "", false
	}
	return text, true
}

const wantDuration = "a duration such as 90m, 24h or 7d"

// duration returns a span above zero in Go's notation plus d, a day of 24 hours.
func (v value) duration() (time.Duration, bool) {
	text, ok := v.scalar(wantDuration)
	if !ok {
		return 0, false
	}
	span, valid := parseDuration(text)
	switch {
	case wholeNumber.MatchString(text):
		v.fail(errcode.InvalidDuration, "%s must be %s: %s has no unit", v.name(), wantDuration, text)
	case !valid:
		v.fail(errcode.InvalidDuration, "%s must be %s, not %q", v.name(), wantDuration, text)
	case span <= 0:
		v.fail(errcode.InvalidDuration, "%s must be longer than nothing, not %s", v.name(), text)
	default:
		return span, true
	}
	return 0, false
}

const aDurationPart = `([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)`

var durationPart = regexp.MustCompile(`^` + aDurationPart)

func parseDuration(text string) (time.Duration, bool) {
	var total time.Duration
	for rest := text; rest != ""; {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil {
			return 0, false
		}
		rest = rest[len(part[0]):]
		span, err := time.ParseDuration(part[0])
		if part[2] == "d" {
			span, err = time.ParseDuration(part[1] + "h")
			if span > math.MaxInt64/24 {
				return 0, false
			}
			span *= 24
		}
		if err != nil || span > math.MaxInt64-total {
			return 0, false
		}
		total += span
	}
	return total, text != ""
}
