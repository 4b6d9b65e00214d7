package config

import (
	"regexp"

	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/errcode"
)

var (
	graphVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+$`)
	metaID       = regexp.MustCompile(`^[0-9]{1,32}$`)
)

func (l *loader) readGraph(root object) {
	graph := Graph{BaseURL: defaultBaseURL, Version: defaultVersion}
	defer func() { l.cfg.Graph = graph }()
	v, found := root.require("graph", "it says as whom WhatsApp is called, with account_id, access_token, app_secret and verify_token")
	if !found {
		return
	}
	o, ok := v.object(graphKeys)
	if !ok {
		return
	}
	if v, found := o.get("base_url"); found {
		graph.BaseURL, _ = v.webAddress()
	}
	if v, found := o.get("version"); found {
		graph.Version, _ = v.shaped(graphVersion, errcode.UnknownVersion, "a version such as v25.0", func(text string) string { return "v" + text })
	}
	if v, found := o.require("account_id", "write the id of the WhatsApp Business Account, in quotes"); found {
		graph.AccountID, _ = v.metaID()
	}
	if v, found := o.require("access_token", "write ${WHATSAPP_ACCESS_TOKEN}"); found {
		graph.AccessToken, _ = v.secret("WHATSAPP_ACCESS_TOKEN")
	}
	if v, found := o.require("app_secret", "without it no webhook can be believed; write ${WHATSAPP_APP_SECRET}"); found {
		graph.AppSecrets = v.secrets("WHATSAPP_APP_SECRET")
	}
	if v, found := o.require("verify_token", "write ${WHATSAPP_VERIFY_TOKEN}"); found {
		graph.VerifyToken, _ = v.secret("WHATSAPP_VERIFY_TOKEN")
	}
}

// shortenedNumber is what spreadsheets make of long numbers: 3.93471E+11.
var shortenedNumber = regexp.MustCompile(`^[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+$`)

// metaID returns one of Meta's ids. They are text: as numbers they would lose digits.
func (v value) metaID() (string, bool) {
	const want = `an id of digits in quotes, such as "111222333444"`
	text, ok := v.scalar(want)
	if !ok {
		return "", false
	}
	switch {
	case shortenedNumber.MatchString(text):
		v.fail(errcode.UnquotedNumber, "%s has lost digits: %s is how a spreadsheet shortens a number; copy all its digits, in quotes", v.name(), text)
	case v.node.Tag != "!!str" && metaID.MatchString(text):
		v.fail(errcode.UnquotedNumber, "%s is an id, not an amount: put it in quotes, %q", v.name(), text)
	case !metaID.MatchString(text):
		v.fail(errcode.InvalidID, "%s must be %s, not %q", v.name(), want, text)
	default:
		return text, true
	}
	return "", false
}

// secret returns a value that the file only refers to.
func (v value) secret(variable string) (Secret, bool) {
	want := "a reference such as ${" + variable + "}"
	if v.node.Kind != yaml.ScalarNode || v.isEmpty() {
		v.wrongType(want)
		return Secret{}, false
	}
	if !onlyReference.MatchString(v.node.Value) {
		v.hide()
		v.fail(errcode.SecretInTheClear, "%s must not stand in the file: write ${%s} and set that variable, or ${file:PATH}", v.name(), variable)
		return Secret{}, false
	}
	text, err := v.l.expand(v.node.Value, nil)
	if err != nil {
		v.failErr(err)
		return Secret{}, false
	}
	return NewSecret(text), true
}

// hide keeps the value out of every line that is printed.
func (v value) hide() {
	v.doc.hidden = append(v.doc.hidden, place{v.node.Line, v.node.Column})
}

// secrets returns one secret, or several of a list.
func (v value) secrets(variable string) []Secret {
	if v.node.Kind != yaml.SequenceNode {
		s, ok := v.secret(variable)
		if !ok {
			return nil
		}
		return []Secret{s}
	}
	if len(v.node.Content) == 0 {
		v.fail(errcode.EmptyValue, "%s is an empty list: write ${%s}", v.name(), variable)
	}
	var all []Secret
	values, _ := v.list("a list")
	for _, item := range values {
		if s, ok := item.secret(variable); ok {
			all = append(all, s)
		}
	}
	return all
}

func (l *loader) readNumbers(root object) {
	v, found := root.require("numbers", "write the phone number id to send from, with its messages_per_second")
	if !found {
		return
	}
	values, ok := v.list("a list of numbers, each with id and messages_per_second")
	if !ok {
		return
	}
	if len(values) == 0 {
		v.fail(errcode.EmptyValue, "numbers is an empty list: write the phone number id to send from, with its messages_per_second")
		return
	}
	l.numbers = map[string]value{}
	for _, v := range values {
		if o, ok := v.object(numberKeys); ok {
			l.readNumber(o)
		}
	}
}

func (l *loader) readNumber(o object) {
	var number Number
	if v, found := o.require("id", "write the phone number id, in quotes"); found {
		if id, ok := v.metaID(); ok {
			if first, twice := l.numbers[id]; twice {
				v.fail(errcode.DuplicateEntry, "the number %s is written twice; the first is on %s", id, first.where(v))
			}
			l.numbers[id] = v
			number.ID = id
		} else {
			l.numbers[v.node.Value] = v
		}
	}
	if v, found := o.require("messages_per_second", "write the throughput that Meta grants the number, such as 80"); found {
		const want = "a number above 0, such as 80"
		rate, ok := v.decimal(want)
		switch {
		case ok && rate <= 0:
			v.fail(errcode.NumberOutOfRange, "messages_per_second must be %s, not %s", want, v.node.Value)
		case ok && rate > 1000:
			// Meta, "Throughput", read 2026-09-11: 1,000 messages per second is the highest a number can have.
			v.warn(errcode.AboveMetasLimit, "messages_per_second is above 1000, the most that Meta grants a number: it will refuse what is beyond")
		}
		number.MessagesPerSecond = rate
	}
	if v, found := o.get("phone"); found {
		number.Phone, _ = v.phone(l.cfg.Business.Country)
	}
	if v, found := o.get("messaging_limit"); found {
		const want = "a whole number of people, 0 (nobody) or more"
		people, ok := v.whole(want)
		switch {
		case ok && people < 0:
			v.fail(errcode.NumberOutOfRange, "messaging_limit must be %s, not %d; without this key it is read from Meta", want, people)
		case ok:
			number.MessagingLimit = &people
		}
	}
	l.cfg.Numbers = append(l.cfg.Numbers, number)
}
