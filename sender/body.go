package sender

import (
	"fmt"
	"strconv"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

// Binding is a run's message bound to the templates that Meta approved, one for each of its languages.
type Binding map[string]templates.Bound

// prepared is a row ready for the gate: its body is encoded but for the callback.
type prepared struct {
	gate GateRow
	body []byte
}

// prepare binds and encodes one row. A row without a language or with a missing parameter still goes to the gate, which refuses
// it with its reason; one that could not be read, or over which the binding panics, is an error.
func (b Binding) prepare(run Run, row Row) (p prepared, err error) {
	defer func() {
		if met := recover(); met != nil {
			err = Caught(met)
		}
	}()
	if row.Unreadable != nil {
		return prepared{}, row.Unreadable
	}
	language := run.Message.LanguageFor(row.Reads)
	p = prepared{gate: GateRow{PersonID: row.PersonID, Language: language, Person: row.Person}}
	bound, ok := b[language]
	if !ok {
		return p, nil
	}
	body := make([]byte, 0, 768)
	body = append(body, `{"messaging_product":"whatsapp","recipient_type":"individual",`...)
	// A phone beats a user id when both are known (graph-api §1.2: `to` wins).
	if row.To.Phone != "" {
		body = append(body, `"to":`...)
		body = strconv.AppendQuote(body, string(row.To.Phone))
	} else {
		body = append(body, `"recipient":`...)
		body = strconv.AppendQuote(body, row.To.UserID)
	}
	body = append(body, `,"type":"template","template":`...)
	p.body, p.gate.Missing = bound.Append(body, row.Fields)
	return p, nil
}

// post completes the body with the attempt's callback.
func (p prepared) post(run Run, instance string, id AttemptID) []byte {
	body := append(p.body, `,"biz_opaque_callback_data":"`...)
	body = append(body, Callback(instance, id)...)
	return append(body, `"}`...)
}

// Bind binds the run's message to the catalogue. The error says which template, in which language, and what differs.
func Bind(run Run, catalogue templates.Catalogue) (Binding, error) {
	bound := Binding{}
	for _, language := range run.Message.Languages {
		template, ok := catalogue.Find(run.Message.Template, language)
		if !ok {
			return nil, fmt.Errorf("template %s has no %s at Meta", run.Message.Template, language)
		}
		b, err := templates.Bind(template, run.Message.Parameters, policy.StopButtonPayload(run.Ask.Campaign))
		if err != nil {
			return nil, fmt.Errorf("template %s in %s: %w", run.Message.Template, language, err)
		}
		bound[language] = b
	}
	return bound, nil
}
