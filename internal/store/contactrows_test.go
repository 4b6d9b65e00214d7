package store

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The short way of reading attributes says what encoding/json says, or nothing.
func TestPlainAttributesAgreeWithJSON(t *testing.T) {
	text := rapid.OneOf(rapid.StringMatching(`[a-z0-9_ "\\:,{}é]{0,8}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOfN(text, text, 0, 5).Draw(t, "attributes")
		stored, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, plain := plainAttributes(string(stored))
		if !plain {
			return
		}
		var meant map[string]string
		if err := json.Unmarshal(stored, &meant); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(meant, got); diff != "" {
			t.Fatalf("%s:\n%s", stored, diff)
		}
	})
}

func TestPlainAttributesKnowTheirLimits(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `{"":""`, `{"a": "b"}`, `{"a":"b", "c":"d"}`, `{"a":"b","c":1}`, `{"a":1}`, `{"a":null}`, `{"a":"b"}}`, `{"a":"b"]"}`, `{"a":"\n"}`,
		`{"a":{"b":"c"}}`, `{"a","b":"c"}`, `{"a":"b"c":"d"}`, `{"a":["b"]}`, `["a","b"]`,
	} {
		if got, plain := plainAttributes(text); plain {
			t.Errorf("%s was read as %v", text, got)
		}
	}
	for text, want := range map[string]map[string]string{
		`{"a":"b"}`:             {"a": "b"},
		`{"a":""}`:              {"a": ""},
		`{"a":"","b":""}`:       {"a": "", "b": ""},
		`{"a":"x:y,z","b":"{"}`: {"a": "x:y,z", "b": "{"},
	} {
		if got, plain := plainAttributes(text); !plain || !cmp.Equal(want, got) {
			t.Errorf("%s was read as %v, %t", text, got, plain)
		}
	}
}
