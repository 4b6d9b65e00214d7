package page_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	places = regexp.MustCompile(`\{[^}]*\}`)
	used   = regexp.MustCompile(`(?:Say|Plain) "([a-z_]+)"|(?:Say|Plain|words)[(\[]"([a-z_]+)"[)\]]`)
)

// wordsOf reads a language's file as the program does, and refuses what it would read otherwise than it was meant.
func wordsOf(t *testing.T, path string) (keys []string, texts map[string]string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	texts = map[string]string{}
	for line := range strings.Lines(string(file)) {
		key, text, found := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if !found || strings.TrimSpace(text) != text || text == "" || texts[key] != "" || strings.Contains(text, "  ") {
			t.Errorf("%s: the line %q is no key with a text of its own", path, line)
		}
		keys, texts[key] = append(keys, key), text
	}
	return keys, texts
}

// TestWords: every language says everything, with the same names in its texts.
func TestWords(t *testing.T) {
	wanted, english := wordsOf(t, "words/en.txt")
	files, err := filepath.Glob("words/*.txt")
	if err != nil || len(files) != 14 {
		t.Fatalf("there are %d languages, want 14: %v", len(files), err)
	}
	for _, path := range files {
		keys, texts := wordsOf(t, path)
		if !slices.Equal(keys, wanted) {
			t.Errorf("%s: its keys, or their order, are not those of en.txt", path)
		}
		language := strings.TrimSuffix(filepath.Base(path), ".txt")
		rtl := language == "he" || language == "ar"
		if (texts["dir"] == "rtl") != rtl {
			t.Errorf("%s: it is written %s", path, texts["dir"])
		}
		same := 0
		for key, text := range texts {
			// A name may stand in a text more often than in English, and none may be missing or made up.
			if got, want := names(text), names(english[key]); !slices.Equal(got, want) {
				t.Errorf("%s: %s has the names %v, in English %v", path, key, got, want)
			}
			if language != "en" && text == english[key] {
				same++
			}
		}
		if same > 14 {
			t.Errorf("%s: %d texts are the English ones", path, same)
		}
		for _, key := range []string{"wording", "join_title", "done_on"} {
			if !strings.Contains(texts[key], "{category}") {
				t.Errorf("%s: %s does not name the category", path, key)
			}
		}
		if !strings.Contains(texts["wording"], "{business}") || !strings.Contains(texts["write_stop"], "STOP") {
			t.Errorf("%s: what is agreed to must name the business, and what stops must say STOP", path)
		}
	}
}

func names(text string) []string {
	found := places.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// TestWordsAreSaid: every text that a page asks for is there.
func TestWordsAreSaid(t *testing.T) {
	_, english := wordsOf(t, "words/en.txt")
	var sources []string
	for _, pattern := range []string{"*.go", "html/*.html"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	asked := 0
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range used.FindAllStringSubmatch(string(text), -1) {
			asked++
			if key := found[1] + found[2]; english[key] == "" {
				t.Errorf("%s says %q, which no language has", path, key)
			}
		}
	}
	for _, key := range []string{"gone", "expired", "removed", "busy", "trouble"} {
		if english[key] == "" || english[key+"_about"] == "" {
			t.Errorf("the problem %q has no words", key)
		}
	}
	if asked < 40 {
		t.Errorf("only %d texts are asked for: the test does not read the pages any more", asked)
	}
}
