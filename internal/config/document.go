package config

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// document is one file: its lines as they are shown, and its tree.
type document struct {
	file  string
	lines []string
	root  *yaml.Node
	// hidden holds the places of literal secrets that were found in the tree.
	hidden []place
}

type place struct{ line, column int }

// splitLines cuts text where YAML 1.1 does, so that the positions of the parser fit.
func splitLines(data []byte) []string {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(string(data))
	return strings.Split(text, "\n")
}

// clamp keeps a position inside the file, whatever the parser said.
func (d *document) clamp(line, column int) (int, int) {
	line = min(max(1, line), len(d.lines))
	return line, min(max(1, column), utf8.RuneCountInString(d.lines[line-1])+1)
}

var (
	secretKey   = regexp.MustCompile(`(?:access_token|app_secret|verify_token|secret|password)["']?\s*[:=]\s*`)
	urlPassword = regexp.MustCompile(`://[^:/@\s]*:(\S*)@`)
	listDash    = regexp.MustCompile(`^\s*-(\s|$)`)
)

// source is one line as it may be shown: what could be a secret in the clear is masked, character by character, so
// that columns stay.
func (d *document) source(line int) string {
	text := []rune(d.lines[line-1])
	for _, hidden := range d.hidden {
		if hidden.line == line {
			mask(text, hidden.column-1, secretEnd(text, hidden.column-1))
		}
	}
	if d.belongsToSecret(line) {
		mask(text, 0, len(text))
	}
	for from := 0; ; {
		rest := string(text[from:])
		match := secretKey.FindStringIndex(rest)
		if match == nil {
			break
		}
		from += utf8.RuneCountInString(rest[:match[1]])
		if value := strings.TrimLeft(rest[match[1]:], `"'[ `); !isReferred(value) && !strings.HasPrefix(value, "#") {
			mask(text, from, secretEnd(text, from))
		}
	}
	shown := string(text)
	if match := urlPassword.FindStringSubmatchIndex(shown); match != nil && anyReference.ReplaceAllString(shown[match[2]:match[3]], "") != "" {
		start := utf8.RuneCountInString(shown[:match[2]])
		mask(text, start, start+utf8.RuneCountInString(shown[match[2]:match[3]]))
	}
	for i, r := range text {
		if unicode.IsControl(r) && r != '\t' {
			text[i] = unicode.ReplacementChar // a terminal would obey it
		}
	}
	return string(text)
}

// isReferred reports whether a value is a reference, to the end of the value.
func isReferred(value string) bool {
	at := anyReference.FindStringIndex(value)
	return at != nil && at[0] == 0 && (at[1] == len(value) || strings.ContainsRune(" \t\"',]}&#", rune(value[at[1]])))
}

// secretReach is how many lines below its key a secret's value is looked for; a certificate has some thirty.
const secretReach = 50

// belongsToSecret reports whether the line continues the value of a secret's key above it.
func (d *document) belongsToSecret(line int) bool {
	text := d.lines[line-1]
	if strings.TrimSpace(text) == "" || strings.Contains(text, "${") {
		return false
	}
	depth, isItem := indentOf(text), listDash.MatchString(text)
	for above := line - 1; above >= max(1, line-secretReach); above-- {
		parent := d.lines[above-1]
		trimmed := strings.TrimSpace(parent)
		switch indent := indentOf(parent); {
		case trimmed == "" || trimmed[0] == '#' || indent > depth:
			continue
		case indent == depth && isItem && listDash.MatchString(parent):
			continue
		case indent == depth && !isItem:
			return false
		}
		return secretKey.MatchString(parent)
	}
	return false
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// secretEnd is where the secret that begins at from ends: at its quote, between brackets at a comma, else with the line.
func secretEnd(text []rune, from int) int {
	if from < 0 || from >= len(text) {
		return len(text)
	}
	inBrackets := false
	for _, r := range text[:from] {
		inBrackets = inBrackets || r == '{' || r == '['
	}
	for i := from + 1; i < len(text); i++ {
		switch opening := text[from]; {
		case opening == '"' || opening == '\'':
			if text[i] == opening && text[i-1] != '\\' {
				return i + 1
			}
		case inBrackets && (text[i] == ',' || text[i] == '}' || text[i] == ']'):
			return i
		}
	}
	return len(text)
}

func mask(text []rune, from, to int) {
	for i := max(from, 0); i < to && i < len(text); i++ {
		if text[i] != ' ' && text[i] != '\t' {
			text[i] = '*'
		}
	}
}

var byteOrderMark = []byte("\ufeff")

func newDocument(file string, data []byte) *document {
	return &document{file: file, lines: splitLines(bytes.TrimPrefix(data, byteOrderMark))}
}
