package sandbox

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzWalk compares the walk in place with encoding/json on every valid text.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `""`, `0`, `null`, ` { "a" : [ 1 , "x\\\"y" , {"b":{}} ] , "c\u0041" : -1.5e3 } `, `[[],[[]],"\\",true]`, `{"a":"\\"}`, `"\ud83d\ude42é"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) || !utf8.Valid(b) {
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if d.Decode(&want) != nil {
			return
		}
		if diff := cmp.Diff(want, walk(value(bytes.TrimSpace(b)))); diff != "" {
			t.Errorf("%s: %s", b, diff)
		}
	})
}

// walk rebuilds what v holds.
func walk(v value) any {
	switch {
	case v.isObject():
		m := map[string]any{}
		_ = v.members(func(key []byte, member value) *fault { m[string(key)] = walk(member); return nil })
		return m
	case v.isArray():
		list := []any{}
		_ = v.elements(func(_ int, e value) *fault { list = append(list, walk(e)); return nil })
		return list
	case string(v) == "true", string(v) == "false":
		return string(v) == "true"
	case !v.present():
		return nil
	}
	if s, ok := v.text(); ok {
		return string(s)
	}
	return json.Number(v)
}

// FuzzAppendString wants ASCII JSON that means the same text.
func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "perché / \\ \"", "🙂\u2028\x00\x7f\t\r\n", "\xff\xc3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, b := range [][]byte{appendString(nil, s), appendString(nil, []byte(s))} {
			var got string
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatalf("%v in %s", err, b)
			}
			if want := string([]rune(s)); got != want {
				t.Errorf("%q became %q", want, got)
			}
			if strings.ContainsFunc(string(b), func(r rune) bool { return r >= utf8.RuneSelf || r < ' ' }) {
				t.Errorf("not plain ASCII: %s", b)
			}
		}
	})
}

// FuzzResolvePhone wants E.164 digits or a refusal.
func FuzzResolvePhone(f *testing.F) {
	for _, seed := range []string{"+39 (333) 111-2223", "333 111", "+", "", "++39", "+5531988887777", "+5215512345678"} {
		f.Add(seed)
	}
	n := &number{Number: Number{CountryCode: "39"}, digits: "390611122233"}
	f.Fuzz(func(t *testing.T, to string) {
		r, err := resolvePhone([]byte(to), n, "1")
		if err != nil {
			if err.code != 131009 && err.code != 131021 {
				t.Errorf("code %d", err.code)
			}
			return
		}
		for _, digits := range []string{r.waID, r.dialed} {
			if len(digits) < 7 || len(digits) > 16 || onlyDigits(digits) != digits || digits[0] == '0' {
				t.Errorf("%q gives %q", to, digits)
			}
		}
		if string(r.input) != to {
			t.Errorf("input %q", r.input)
		}
	})
}
