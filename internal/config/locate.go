package config

import (
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// locate returns the place in the file of the value's n-th character, from 1, through quotes, escapes and folded lines.
// Where the file does not read as the value does, the place of the whole value serves.
func (v value) locate(n int) place {
	start := place{v.node.Line, v.node.Column}
	r := scalarReader{lines: v.doc.lines, at: start, style: v.node.Style}
	if !r.open() {
		return start
	}
	for _, want := range v.node.Value {
		if n--; n <= 0 {
			r.skipEscapedBreak()
			return r.at
		}
		if !r.step(want) {
			return start
		}
	}
	return r.at
}

// scalarReader walks over a scalar as it is written.
type scalarReader struct {
	lines  []string
	at     place
	style  yaml.Style
	indent int // of a block scalar
}

func (r *scalarReader) line() []rune {
	if r.at.line > len(r.lines) {
		return nil
	}
	return []rune(r.lines[r.at.line-1])
}

// peek returns the character at the place, '\n' at the end of a line and 0 at the end of the file.
func (r *scalarReader) peek() rune {
	line := r.line()
	switch {
	case r.at.line > len(r.lines):
		return 0
	case r.at.column <= len(line):
		return line[r.at.column-1]
	}
	return '\n'
}

func (r *scalarReader) next() {
	if r.peek() == '\n' {
		r.at = place{r.at.line + 1, 1 + r.indent}
		return
	}
	r.at.column++
}

func (r *scalarReader) isBlock() bool {
	return r.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// open goes to the first character of the content.
func (r *scalarReader) open() bool {
	for r.peek() == '&' || r.peek() == '!' {
		for !unicode.IsSpace(r.peek()) && r.peek() != 0 {
			r.next()
		}
		for r.peek() == ' ' {
			r.next()
		}
	}
	switch {
	case r.isBlock():
		if r.peek() != '|' && r.peek() != '>' || r.at.line >= len(r.lines) {
			return false
		}
		r.at.line++
		r.indent = utf8.RuneCountInString(r.lines[r.at.line-1][:indentOf(r.lines[r.at.line-1])])
		r.at.column = r.indent + 1
	case r.style&yaml.DoubleQuotedStyle != 0, r.style&yaml.SingleQuotedStyle != 0:
		if r.peek() != '"' && r.peek() != '\'' {
			return false
		}
		r.next()
	}
	return true
}

// step goes over one character of the value.
func (r *scalarReader) step(want rune) bool {
	r.skipEscapedBreak()
	switch got := r.peek(); {
	case r.style&yaml.DoubleQuotedStyle != 0 && got == '\\':
		return r.escape()
	case r.style&yaml.SingleQuotedStyle != 0 && got == '\'':
		r.next()
		r.next()
		return want == '\''
	case got == '\n' && r.style&yaml.LiteralStyle != 0:
		r.next()
		return want == '\n'
	case want == ' ' && r.foldedBreak():
		return true
	case got != want:
		return false
	}
	r.next()
	return true
}

// foldedBreak goes over a line break that the value has as one space.
func (r *scalarReader) foldedBreak() bool {
	ahead := *r
	for ahead.peek() == ' ' || ahead.peek() == '\t' {
		ahead.next()
	}
	if ahead.peek() != '\n' {
		return false
	}
	ahead.next()
	for !ahead.isBlock() && (ahead.peek() == ' ' || ahead.peek() == '\t') {
		ahead.next()
	}
	if ahead.peek() == '\n' || ahead.peek() == 0 {
		return false
	}
	*r = ahead
	return true
}

// skipEscapedBreak goes over a backslash at the end of a line, which the value does not have at all.
func (r *scalarReader) skipEscapedBreak() {
	line := r.line()
	if r.style&yaml.DoubleQuotedStyle == 0 || r.peek() != '\\' || r.at.column != len(line) {
		return
	}
	r.next()
	r.next()
	for r.peek() == ' ' || r.peek() == '\t' {
		r.next()
	}
}

// escape goes over \n, \x41, \u00e8 and their like.
func (r *scalarReader) escape() bool {
	r.next()
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[r.peek()]
	if r.peek() == '\n' || r.peek() == 0 {
		return false
	}
	r.next()
	for range digits {
		r.next()
	}
	return true
}
