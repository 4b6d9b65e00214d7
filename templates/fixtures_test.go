package templates_test

import (
	"encoding/json"
	"testing"

	"github.com/permesso/permesso/templates"
)

// fields is a recipient made of a map.
type fields map[string]string

func (f fields) Field(name string) (string, bool) {
	value, ok := f[name]
	return value, ok
}

func text(s string) templates.Value     { return templates.Value{Text: &s} }
func field(name string) templates.Value { return templates.Value{Field: name} }
func payload(s string) templates.Value  { return templates.Value{Payload: &s} }
func fieldOr(name, fallback string) templates.Value {
	return templates.Value{Field: name, Default: &fallback}
}

func parse(t testing.TB, entry string) templates.Template {
	t.Helper()
	parsed, err := templates.Parse(json.RawMessage(entry))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return parsed
}

func bind(t testing.TB, tpl templates.Template, p templates.Parameters) templates.Bound {
	t.Helper()
	b, err := templates.Bind(tpl, p, "stop:v1:abc")
	if err != nil {
		t.Fatalf("Bind: %v", err)
	}
	return b
}

const offer = `{"id":"1","name":"weekend_offer","language":"it","status":"APPROVED","category":"MARKETING","parameter_format":"POSITIONAL",
"components":[{"type":"HEADER","format":"IMAGE"},
{"type":"BODY","text":"Ciao {{1}}, saldi fino al {{2}}! Scrivici."},
{"type":"FOOTER","text":"Libreria Aurora"},
{"type":"BUTTONS","buttons":[{"type":"URL","text":"Vedi","url":"https://shop.example/{{1}}"},
{"type":"QUICK_REPLY","text":"Stop promozioni"},{"type":"PHONE_NUMBER","text":"Chiama","phone_number":"+390611122233"}]}]}`

const named = `{"name":"hello_named","language":"en_US","status":"approved","category":"utility","parameter_format":"NAMED",
"components":[{"type":"header","format":"text","text":"For {{who}}"},{"type":"body","text":"Hi {{first_name}}, order {{order_id}} is here, {{first_name}}."}]}`

func offerParameters() templates.Parameters {
	return templates.Parameters{
		HeaderMedia: &templates.Media{Format: "image", Link: "https://aurora.example/libri.jpg"},
		Body:        []templates.Value{fieldOr("name", "lettore"), text("30 novembre")},
		Buttons:     map[int]templates.Value{0: field("attributes.coupon"), 1: payload(templates.OptOutPayload)},
	}
}
