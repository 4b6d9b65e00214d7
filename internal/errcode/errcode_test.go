package errcode_test

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/errcode"
)

func TestWithKeepsTheErrorAsItIs(t *testing.T) {
	cause := &fs.PathError{Op: "open", Path: "people.csv", Err: fs.ErrNotExist}
	err := fmt.Errorf("importing: %w", errcode.With(cause, "missing_file"))

	if got, want := err.Error(), "importing: open people.csv: file does not exist"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("errors.Is does not see through the code")
	}
	if path, ok := errors.AsType[*fs.PathError](err); !ok || path != cause {
		t.Error("errors.As does not see through the code")
	}
	if errcode.With(nil, "missing_file") != nil {
		t.Error("no error became one by its code")
	}
}

func TestOfIsTheInnermostCode(t *testing.T) {
	plain := errors.New("something")
	inner := errcode.With(plain, "inner")
	for name, tt := range map[string]struct {
		err  error
		want errcode.Code
	}{
		"nil":                 {nil, ""},
		"none":                {fmt.Errorf("a: %w", plain), ""},
		"itself":              {inner, "inner"},
		"wrapped":             {fmt.Errorf("a: %w", fmt.Errorf("b: %w", inner)), "inner"},
		"in another":          {errcode.With(fmt.Errorf("a: %w", inner), "outer"), "inner"},
		"around none":         {errcode.With(fmt.Errorf("a: %w", plain), "outer"), "outer"},
		"joined, first":       {errors.Join(inner, errcode.With(plain, "second")), "inner"},
		"joined, second":      {errors.Join(plain, fmt.Errorf("b: %w", inner)), "inner"},
		"around joined":       {errcode.With(errors.Join(plain, inner), "outer"), "inner"},
		"around joined plain": {errcode.With(errors.Join(plain, plain), "outer"), "outer"},
		"two verbs":           {fmt.Errorf("%w, then %w", plain, inner), "inner"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := errcode.Of(tt.err)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("Of = %q, %v; want %q", got, ok, tt.want)
			}
		})
	}
}

func TestEveryEntryIsComplete(t *testing.T) {
	words := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	seen := map[errcode.Code]bool{}
	for _, e := range errcode.All() {
		if !words.MatchString(string(e.Code)) {
			t.Errorf("%q is not in snake_case", e.Code)
		}
		if seen[e.Code] {
			t.Errorf("%s is there twice", e.Code)
		}
		seen[e.Code] = true
		if !slices.Contains(errcode.Areas(), e.Area) {
			t.Errorf("%s is in the area %q, which docs/ERRORS.md does not have", e.Code, e.Area)
		}
		if e.Title == "" || strings.ContainsAny(e.Title, "\n") || strings.HasSuffix(e.Title, ".") {
			t.Errorf("%s: the title %q is not one line without a full stop", e.Code, e.Title)
		}
		for field, text := range map[string]string{"Means": e.Means, "Do": e.Do} {
			if !strings.HasSuffix(text, ".") || strings.Contains(text, "\n") || strings.Count(text, "`")%2 != 0 {
				t.Errorf("%s: %s %q is not one paragraph of whole sentences", e.Code, field, text)
			}
		}
		if e.Exit < 0 || e.Exit > 5 {
			t.Errorf("%s: there is no exit code %d", e.Code, e.Exit)
		}
		if found, ok := errcode.Find(e.Code); !ok || found != e {
			t.Errorf("%s is not found", e.Code)
		}
	}
	if _, ok := errcode.Find("like_none_of_them"); ok {
		t.Error("a code is found that does not exist")
	}
}
