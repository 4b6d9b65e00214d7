package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/errcode"
)

// maxFileBytes bounds one file; 500 campaigns take a third of a megabyte.
const maxFileBytes = 8 << 20

const emptyFile = "the file is empty"

// syntaxError is why a file is not YAML, in words for the person who wrote it.
type syntaxError struct {
	place
	code    errcode.Code
	message string
}

// parse reads exactly one YAML document. It is the only place that knows the YAML library.
func parse(doc *document, data []byte) *syntaxError {
	if len(data) > maxFileBytes {
		return &syntaxError{place{1, 1}, errcode.ConfigurationTooLarge, fmt.Sprintf("the file is larger than %d MiB: split it with include", maxFileBytes>>20)}
	}
	if isUTF16(data) {
		doc.lines = []string{""} // none of it could be shown
		return &syntaxError{place{1, 1}, errcode.ConfigurationNotUTF8, "this file is UTF-16, which some editors call Unicode: save it as UTF-8"}
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	if wrong := checkCharacters(doc, data); wrong != nil {
		return wrong
	}
	root, err := loadTree(data)
	if err != nil {
		return explainSyntax(doc, err)
	}
	doc.root = root
	return nil
}

func loadTree(data []byte) (root *yaml.Node, err error) {
	// A parser that panics on a strange file must not take the service down with it.
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("the YAML parser gave up: %v", reason)
		}
	}()
	var tree yaml.Node
	if err := yaml.Load(data, &tree); err != nil {
		return nil, err
	}
	if tree.Kind != yaml.DocumentNode || len(tree.Content) != 1 {
		return nil, errNoDocument
	}
	return tree.Content[0], nil
}

var errNoDocument = errors.New("no documents in stream")

// isUTF16 knows the mark of UTF-16, and text that has it without the mark.
func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) ||
		len(data) >= 2 && (data[0] == 0) != (data[1] == 0)
}

// checkCharacters finds what the parser refuses without a place: bytes that are not UTF-8, and control characters.
func checkCharacters(doc *document, data []byte) *syntaxError {
	line, column := 1, 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			return &syntaxError{place{line, column}, errcode.ConfigurationNotUTF8, "this is not UTF-8 text: save the file as UTF-8"}
		case r == '\n', r == '\u0085', r == '\u2028', r == '\u2029', r == '\r' && (len(rest) < 2 || rest[1] != '\n'):
			line, column = line+1, 0
		case r < ' ' && r != '\t' && r != '\r', r == 0x7f, r > 0x7f && r < 0xa0, r == 0xfffe, r == 0xffff, r == 0xfeff:
			return &syntaxError{place{line, column}, errcode.InvisibleCharacter, fmt.Sprintf("the invisible character U+%04X cannot stand here: remove it", r)}
		}
		column++
		rest = rest[size:]
	}
	return nil
}

func explainSyntax(doc *document, err error) *syntaxError {
	text := err.Error()
	switch {
	case strings.Contains(text, "no documents in stream"):
		return &syntaxError{place{1, 1}, errcode.ConfigurationEmpty, emptyFile}
	case strings.Contains(text, "found multiple"):
		return &syntaxError{secondDocument(doc), errcode.SeveralDocuments, "a second document starts here: one file holds one document; remove the line ---"}
	}
	failure, known := errors.AsType[*yaml.LoadError](err)
	if !known {
		return &syntaxError{place{1, 1}, errcode.YAMLSyntax, text}
	}
	at := place{failure.Mark.Line, failure.Mark.Column}
	at, unfinished := beforeEnd(doc, at)
	opened := place{failure.ContextMark.Line, failure.ContextMark.Column}
	line := doc.lines[at.line-1]
	if wrong := explainLine(line, at, failure); wrong != nil {
		return wrong
	}
	switch message := failure.Message; {
	case strings.Contains(failure.ContextMsg, "quoted scalar"):
		return &syntaxError{opened, errcode.Unfinished, "this quote is never closed"}
	case strings.Contains(message, "max depth"):
		return &syntaxError{at, errcode.NestedTooDeep, "the file is nested too deeply"}
	case strings.Contains(message, "could not find expected ':'"):
		return &syntaxError{opened, errcode.YAMLSyntax, "after a key come a colon and a space: one of them is missing here"}
	case unfinished:
		return &syntaxError{at, errcode.Unfinished, "the file ends in the middle of this: a value, a quote or a bracket is missing"}
	case strings.Contains(failure.ContextMsg, "flow") && runeAt(line, at.column) == ':' && at.line == opened.line:
		return &syntaxError{at, errcode.NeedsQuotes, "a colon stands inside this value: put the value in quotes"}
	case strings.Contains(failure.ContextMsg, "flow mapping"):
		return &syntaxError{at, errcode.Unfinished, fmt.Sprintf("the { of line %d is not closed before this: a comma or } is missing", opened.line)}
	case strings.Contains(failure.ContextMsg, "flow sequence"):
		return &syntaxError{at, errcode.Unfinished, fmt.Sprintf("the [ of line %d is not closed before this: a comma or ] is missing", opened.line)}
	case strings.Contains(message, "mapping values are not allowed"):
		return &syntaxError{at, errcode.MisplacedLine, "a key cannot stand here: line it up with the keys above, or, if this is one value, put it in quotes"}
	case strings.Contains(message, "did not find expected key"), strings.Contains(message, "did not find expected '-'"):
		return &syntaxError{at, errcode.MisplacedLine, fmt.Sprintf("this does not fit what begins at line %d: line it up, or put the whole value in quotes", opened.line)}
	case strings.Contains(message, "incompatible YAML document"), strings.Contains(failure.ContextMsg, "directive"):
		return &syntaxError{at, errcode.YAMLFeature, "directives such as %YAML are not read: remove the line"}
	}
	if strings.Contains(failure.Message, "expected node content") {
		return &syntaxError{at, errcode.Unfinished, "a value is missing before this, or a bracket is not closed"}
	}
	return &syntaxError{at, errcode.YAMLSyntax, "this is not YAML: " + failure.Message}
}

// beforeEnd moves a place behind all content to the end of that content: there is where the file breaks off.
func beforeEnd(doc *document, at place) (place, bool) {
	behind := at.line > len(doc.lines)
	at.line, at.column = doc.clamp(at.line, at.column)
	for _, line := range doc.lines[at.line-1:] {
		if !behind && strings.TrimSpace(line) != "" {
			return at, false
		}
	}
	if behind {
		at.line++
	}
	for line := at.line - 1; line >= 1; line-- {
		if text := strings.TrimRight(doc.lines[line-1], " \t"); text != "" {
			return place{line, utf8.RuneCountInString(text) + 1}, true
		}
	}
	return at, false
}

var starValue = regexp.MustCompile(`(?:^\s*|[:,\[{-]\s+)(\*[^#"']*)`)

// explainLine knows the classics: tabs, an unquoted * and an unquoted ${NAME} between brackets.
func explainLine(line string, at place, failure *yaml.LoadError) *syntaxError {
	indent := line[:indentOf(line)]
	if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
		return &syntaxError{place{at.line, tab + 1}, errcode.Tab, "a tab cannot indent YAML: use spaces"}
	}
	if strings.Contains(failure.ContextMsg, "alias") || strings.Contains(failure.Message, "unknown anchor") {
		if match := starValue.FindStringSubmatchIndex(line); match != nil {
			value := strings.TrimRight(line[match[2]:match[3]], " \t")
			if strings.Contains(line[:match[2]], "{") {
				value, _, _ = strings.Cut(value, ",")
				value = strings.TrimRight(value, " }")
			}
			at.column = utf8.RuneCountInString(line[:match[2]]) + 1
			if len(value) == 1 || !isWordByte(value[1]) {
				return &syntaxError{at, errcode.NeedsQuotes, fmt.Sprintf("a value that starts with * must be quoted: write %q", value)}
			}
			return &syntaxError{at, errcode.UnknownAlias, fmt.Sprintf("%s refers to an anchor &%s that is not in this file; if it is text, quote it", value, value[1:])}
		}
	}
	if start := referenceInBrackets(line); start >= 0 {
		at.column = utf8.RuneCountInString(line[:start]) + 1
		return &syntaxError{at, errcode.NeedsQuotes, "between [ ] or { } a reference must be quoted: write \"${NAME}\""}
	}
	if strings.Contains(failure.Message, "cannot start any token") {
		r := runeAt(line, at.column)
		if r == '\t' {
			return &syntaxError{at, errcode.Tab, "a tab cannot separate YAML: use spaces"}
		}
		return &syntaxError{at, errcode.NeedsQuotes, fmt.Sprintf("a value cannot start with %c: put it in quotes", r)}
	}
	return nil
}

// referenceInBrackets finds the first ${ between [ ] or { } that stands in no quotes; -1 when there is none.
func referenceInBrackets(line string) int {
	inside, quote, before := false, byte(0), byte(' ')
	for i := range len(line) {
		c := line[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && strings.IndexByte(":,[{", before) >= 0:
			quote = c
		case c == '{' && i > 0 && line[i-1] == '$':
			if inside {
				return i - 1
			}
		case c == '{' || c == '[':
			inside = true
		}
		if c != ' ' && c != '\t' {
			before = c
		}
	}
	return -1
}

// runeAt returns the character in that column, 0 behind the end.
func runeAt(line string, column int) rune {
	runes := []rune(line)
	if column < 1 || column > len(runes) {
		return 0
	}
	return runes[column-1]
}

func isWordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_'
}

// secondDocument finds the --- that follows some content.
func secondDocument(doc *document) place {
	content := false
	for i, line := range doc.lines {
		marker := strings.HasPrefix(line, "---")
		if content && marker {
			return place{i + 1, 1}
		}
		trimmed := strings.TrimSpace(strings.TrimPrefix(line, "---"))
		content = content || marker || trimmed != "" && trimmed[0] != '#' && trimmed[0] != '%'
	}
	return place{len(doc.lines), 1}
}
