package templates_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		entry string
		want  templates.Template
	}{
		"positional with media, link and replies": {offer, templates.Template{
			Name: "weekend_offer", Language: "it", Status: "APPROVED", Kind: policy.Marketing,
			Header: templates.Header{Format: "IMAGE"},
			Body:   templates.Text{Text: "Ciao {{1}}, saldi fino al {{2}}! Scrivici.", Variables: []string{"1", "2"}},
			Footer: "Libreria Aurora",
			Buttons: []templates.Button{
				{Type: "URL", Text: "Vedi", URL: "https://shop.example/{{1}}", Variable: true},
				{Type: "QUICK_REPLY", Text: "Stop promozioni"}, {Type: "PHONE_NUMBER", Text: "Chiama"}},
		}},
		"named, words in lower case": {named, templates.Template{
			Name: "hello_named", Language: "en_US", Status: "APPROVED", Kind: policy.Utility, Named: true,
			Header: templates.Header{Format: "TEXT", Text: "For {{who}}", Variables: []string{"who"}},
			Body:   templates.Text{Text: "Hi {{first_name}}, order {{order_id}} is here, {{first_name}}.", Variables: []string{"first_name", "order_id"}},
		}},
		"numbers for texts, a hyphen in the language, no format, null buttons": {
			`{"name":42,"language":"pt-BR","status":"Paused","category":"Marketing","components":[{"type":"Body","text":"{{2}} and {{ 1 }} {{}} {{a b}} {{1"},{"type":"BUTTONS","buttons":null}]}`,
			templates.Template{Name: "42", Language: "pt_BR", Status: "PAUSED", Kind: policy.Marketing,
				Body: templates.Text{Text: "{{2}} and {{ 1 }} {{}} {{a b}} {{1", Variables: []string{"1", "2"}}}},
		"names without a format": {
			`{"name":"n","language":"it","category":"MARKETING","components":[{"type":"BODY","text":"Hi {{who}}"}]}`,
			templates.Template{Name: "n", Language: "it", Kind: policy.Marketing, Named: true,
				Body: templates.Text{Text: "Hi {{who}}", Variables: []string{"who"}}}},
		"what cannot be filled": {
			`{"name":"n","language":"it","status":"APPROVED","category":"AUTHENTICATION","components":[{"type":"HEADER","format":"LOCATION"},{"type":"BODY"},
			{"type":"LIMITED_TIME_OFFER","limited_time_offer":{"text":"x"}},{"type":"CAROUSEL","cards":[]},{},
			{"type":"BUTTONS","buttons":[{"type":"COPY_CODE"},{"type":"FLOW"},{"type":"URL","url":"https://a.example/{{1}}/{{2}}"},{}]}]}`,
			templates.Template{Name: "n", Language: "it", Status: "APPROVED", Kind: policy.Authentication, Header: templates.Header{Format: "LOCATION"},
				Buttons: []templates.Button{{Type: "COPY_CODE"}, {Type: "FLOW"}, {Type: "URL", URL: "https://a.example/{{1}}/{{2}}", Variable: true}, {}},
				Unsupported: []string{"LOCATION header", "BODY without text", "LIMITED_TIME_OFFER", "CAROUSEL", "component without a type",
					"COPY_CODE button", "FLOW button", "URL button with several variables", "typeless button"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(t, tt.entry)); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	with := func(format, components string) string {
		return `{"name":"n","language":"it","category":"MARKETING","parameter_format":"` + format + `","components":[` + components + `]}`
	}
	tests := map[string]struct{ entry, want string }{
		"null":                   {`null`, "no name"},
		"a list":                 {`[]`, "reading a template"},
		"cut off":                {`{"name":`, "reading a template"},
		"no language":            {`{"name":"n","category":"MARKETING"}`, "no language"},
		"an object for a name":   {`{"name":{"a":1}}`, "a text was expected"},
		"an unknown category":    {`{"name":"n","language":"it","category":"GAMES"}`, `category "GAMES"`},
		"no category":            {`{"name":"n","language":"it"}`, `category ""`},
		"no components":          {`{"name":"n","language":"it","category":"MARKETING"}`, "no BODY component"},
		"two bodies":             {with("", `{"type":"BODY","text":"a"},{"type":"body","text":"b"}`), "2 components of type BODY"},
		"a hole in the numbers":  {with("", `{"type":"BODY","text":"{{1}} {{3}}"}`), "{{3}} but not {{2}}"},
		"names by position":      {with("POSITIONAL", `{"type":"BODY","text":"Hi {{who}}"}`), "variables with names: who"},
		"an unknown format":      {with("ROMAN", `{"type":"BODY","text":"a"}`), `parameter_format "ROMAN"`},
		"components not a list":  {`{"name":"n","language":"it","category":"MARKETING","components":{"type":"BODY"}}`, "reading a template"},
		"a zero among positions": {with("", `{"type":"BODY","text":"Hi {{01}}"}`), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := templates.Parse(json.RawMessage(tt.entry))
			if tt.want == "" {
				if err != nil || !got.Named {
					t.Fatalf("Parse = %+v, %v; want a named template", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzParse: whatever Parse lets through has a key and a kind, and what binds to it appends valid JSON or names what is missing.
func FuzzParse(f *testing.F) {
	f.Add([]byte(offer), "Ada")
	f.Add([]byte(named), "a\n\tb")
	f.Add([]byte(`{"name":1,"language":"it","category":"utility","components":[{"type":"BODY","text":"{{{{1}}}} {{x}"}]}`), "\xff\u2028 ")
	f.Add([]byte(`{"name":"n","language":"it","category":"MARKETING","components":[{"type":"BUTTONS","buttons":[{"type":"URL","url":"{{1}}"}]},{"type":"BODY"}]}`), "")
	f.Fuzz(func(t *testing.T, entry []byte, value string) {
		parsed, err := templates.Parse(entry)
		if err != nil {
			return
		}
		if parsed.Name == "" || parsed.Language == "" || !parsed.Kind.Valid() {
			t.Fatalf("an unusable template got through: %+v", parsed)
		}
		bound, err := templates.Bind(parsed, fitting(parsed, field("name")), "stop")
		if err != nil {
			return
		}
		out, missing := bound.Append(nil, fields{"name": value})
		if missing == "" && !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		if _, again := bound.Preview(fields{"name": value}); again != missing {
			t.Fatalf("Preview misses %q, Append %q", again, missing)
		}
	})
}

// fitting gives every variable of a template the same value.
func fitting(t templates.Template, v templates.Value) templates.Parameters {
	p := templates.Parameters{Buttons: map[int]templates.Value{}, Named: map[string]templates.Value{}}
	switch t.Header.Format {
	case "IMAGE", "VIDEO", "DOCUMENT":
		p.HeaderMedia = &templates.Media{Format: t.Header.Format, ID: "991"}
	}
	if len(t.Header.Variables) > 0 {
		p.HeaderText = &v
	}
	for _, name := range t.Body.Variables {
		if t.Named {
			p.Named[name] = v
		} else {
			p.Body = append(p.Body, v)
		}
	}
	for i, b := range t.Buttons {
		if b.Variable {
			p.Buttons[i] = v
		}
	}
	return p
}
