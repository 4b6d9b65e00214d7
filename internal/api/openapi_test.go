package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/api"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

type object = map[string]any

// described holds an answer to what /api/v1/openapi.json says of its path: the status, the type and every field.
func described(t *testing.T, method, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	doc := description(t)
	path, _, _ = strings.Cut(path, "?")
	operation, known := at(doc, "paths", "/"+path, strings.ToLower(method)).(object)
	if !known {
		return // no such path, or not by this method: it is no operation
	}
	response, ok := at(operation, "responses", fmt.Sprint(w.Code)).(object)
	if !ok {
		t.Errorf("%s %s: the status %d is not described", method, path, w.Code)
		return
	}
	schema, ok := at(response, "content", w.Header().Get("Content-Type"), "schema").(object)
	if !ok {
		t.Errorf("%s %s: %d is not described as %s", method, path, w.Code, w.Header().Get("Content-Type"))
		return
	}
	var body any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if wrong := differs(doc, schema, body, "answer"); wrong != "" {
		t.Errorf("%s %s: %d: %s", method, path, w.Code, wrong)
	}
}

func description(t *testing.T) object {
	t.Helper()
	handler := api.New(api.Options{Keys: oneKey{}, Records: taking{}, Lists: broken{}, NoRun: errGone, Limits: api.NewLimits()})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/openapi.json", nil))
	var doc object
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
		t.Fatalf("%d: %v", w.Code, err)
	}
	return doc
}

func at(v any, path ...string) any {
	for _, name := range path {
		o, _ := v.(object)
		v = o[name]
	}
	return v
}

// differs says how a value is not what a schema says: as much of JSON Schema as the description uses. "" when it is.
func differs(doc, schema object, v any, where string) string {
	if ref, ok := schema["$ref"].(string); ok {
		return differs(doc, at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(object), v, where)
	}
	if choices, ok := schema["oneOf"].([]any); ok {
		fits := 0
		for _, choice := range choices {
			if differs(doc, choice.(object), v, where) == "" {
				fits++
			}
		}
		if fits != 1 {
			return fmt.Sprintf("%s fits %d of %d", where, fits, len(choices))
		}
		return ""
	}
	if !ofType(schema["type"], v) {
		return fmt.Sprintf("%s is a %T, no %v", where, v, schema["type"])
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		return fmt.Sprintf("%s is none of %v", where, enum)
	}
	switch v := v.(type) {
	case []any:
		for i, one := range v {
			if wrong := differs(doc, schema["items"].(object), one, fmt.Sprint(where, "[", i, "]")); wrong != "" {
				return wrong
			}
		}
	case object:
		return differingMember(doc, schema, v, where)
	}
	return ""
}

func differingMember(doc, schema, v object, where string) string {
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			return where + " lacks " + name.(string)
		}
	}
	for name, value := range v {
		member, known := at(schema, "properties", name).(object)
		if !known {
			member, known = schema["additionalProperties"].(object)
		}
		if !known && schema["properties"] == nil {
			continue
		}
		if !known {
			return where + " has " + name + ", which is not described"
		}
		if wrong := differs(doc, member, value, where+"."+name); wrong != "" {
			return wrong
		}
	}
	return ""
}

func ofType(types, v any) bool {
	if list, ok := types.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return ofType(one, v) })
	}
	is := map[bool]string{true: "null"}[v == nil]
	switch v := v.(type) {
	case string:
		is = "string"
	case bool:
		is = "boolean"
	case object:
		is = "object"
	case []any:
		is = "array"
	case float64:
		is = "number"
		if types == "integer" && v == float64(int(v)) {
			is = "integer"
		}
	}
	return types == nil || types == is
}

func TestDescriptionNamesWhatIsRead(t *testing.T) {
	t.Parallel()
	doc := description(t)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("it is of %v", doc["openapi"])
	}
	names := func(schema string) []string {
		return slices.Sorted(maps.Keys(at(doc, "components", "schemas", schema, "properties").(object)))
	}
	sorted := func(list []string) []string { slices.Sort(list); return list }
	if got, want := names("Consent"), sorted(imports.ConsentFields()); !slices.Equal(got, want) {
		t.Errorf("a consent has %v, want %v", got, want)
	}
	if got, want := names("Contact"), sorted(append(imports.ContactFields(), "attributes")); !slices.Equal(got, want) {
		t.Errorf("a contact has %v, want %v", got, want)
	}
	for _, tt := range []struct{ path, method, name string }{{"/consents", "post", ""}, {"/contacts", "post", ""}, {"/log", "get", "state"}, {"/runs", "get", "state"}} {
		operation, ok := at(doc, "paths", tt.path, tt.method).(object)
		if !ok || !slices.Contains([]string{"consents", "contacts", "log", "runs"}, tt.path[1:]) {
			t.Fatalf("%s is not described", tt.path)
		}
		security := fmt.Sprint(operation["security"])
		if security != "[map[key:["+tt.path[1:]+"]]]" {
			t.Errorf("%s wants %s", tt.path, security)
		}
		for _, status := range []string{"401", "403", "405", "429", "503"} {
			if at(operation, "responses", status) == nil {
				t.Errorf("%s: %s is not described", tt.path, status)
			}
		}
	}
	states := at(doc, "paths", "/runs", "get", "parameters").([]any)[1]
	if got := fmt.Sprint(at(states, "schema", "enum")); got != fmt.Sprint(scheduler.RunStates()) {
		t.Errorf("the states of runs are %s", got)
	}
	if got := fmt.Sprint(at(doc, "components", "schemas", "Consent", "properties", "source", "enum")); got != fmt.Sprint(policy.Sources()) {
		t.Errorf("the sources are %s", got)
	}
	for _, scope := range report.Scopes() {
		if at(doc, "paths", "/"+string(scope)) == nil {
			t.Errorf("no path wants the scope %s", scope)
		}
	}
}

// Every example of the description fits its schema, is taken, and is answered as described.
func TestExamplesAreTaken(t *testing.T) {
	t.Parallel()
	doc := description(t)
	s := newShop(t)
	for _, path := range []string{"consents", "contacts"} {
		body := at(doc, "paths", "/"+path, "post", "requestBody", "content", "application/json")
		for _, name := range []string{"one", "list"} {
			example := at(body, "examples", name, "value")
			if wrong := differs(doc, at(body, "schema").(object), example, path); example == nil || wrong != "" {
				t.Fatalf("%s: %s", name, wrong)
			}
			for range 2 { // 201, then 200
				w := s.ask("POST", path, string(must(json.Marshal(example))))
				if w.Code != 200 && w.Code != 201 {
					t.Errorf("%s %s: %d %s", path, name, w.Code, w.Body)
				}
				described(t, "POST", path, w)
			}
		}
		for _, bad := range []string{`[{"phone":"x"}]`, `{"phone":"x"}`} {
			described(t, "POST", path, s.ask("POST", path, bad))
		}
	}
}

// FuzzBody has no body do harm: every answer is one that is described, and each item of what is taken has its own answer.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{consent(nil), list(consent(nil), `{"phone":1}`), `[]`, `{"a":{"b":[null]}}`, `[{"phone":"1","phone":"2"}]`, "{\"phone\":\"\\u0000\"}", `[[]]`, "\xff", `{} {}`, `{"phone":"+393471234567","attributes":{"x":1e9},"tags":["a",null]}`} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, body string, consents bool) {
		o := options(nil)
		o.Keys, o.Records, o.Lists = oneKey{}, taking{}, broken{}
		s := &shop{t: t, handler: api.New(o), keys: map[string]string{"all": "pk_" + strings.Repeat("c", 43)}}
		path := map[bool]string{true: "consents", false: "contacts"}[consents]
		w := s.ask("POST", path, body)
		described(t, "POST", path, w)
		if w.Code == 200 || w.Code == 201 || w.Code == 207 {
			if a := read(t, w); a.Accepted+a.Duplicate+a.Rejected != len(a.Items) || len(a.Items) == 0 {
				t.Errorf("%s", w.Body)
			}
		}
	})
}
