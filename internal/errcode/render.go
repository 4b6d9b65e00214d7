package errcode

import (
	"fmt"
	"strings"
)

// Markdown returns docs/ERRORS.md: a chapter for each area, a section for each code.
func Markdown(entries []Entry) string {
	var page strings.Builder
	page.WriteString("# What permesso says when something is wrong\n\n" +
		"Every error that is printed ends with its code in square brackets, and with `--json` is an object on stderr,\n" +
		"`{\"error\": {\"code\", \"message\", \"exit\"}}`. A code never changes its meaning; the sentence before it may become clearer.\n" +
		"`permesso help error CODE` prints a section of this page, `permesso help error` lists all codes. This page is made from\n" +
		"the program: `go test ./cmd/permesso -run ErrorsPage -update` writes it.\n\n" +
		"Exit codes: 0 done; 1 failed; 2 wrong use; 3 configuration invalid; 4 ended incomplete; 5 refused for safety.\n\n")
	for _, area := range Areas() {
		fmt.Fprintf(&page, "- [%s](#%s)\n", area, anchor(area))
	}
	for _, area := range Areas() {
		fmt.Fprintf(&page, "\n# %s\n", area)
		for _, e := range entries {
			if e.Area == area {
				e.section(&page)
			}
		}
	}
	return page.String()
}

// anchor is how a heading is linked to: small letters, dashes for spaces, nothing else.
func anchor(area Area) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z':
			return r
		}
		return -1
	}, strings.ToLower(string(area)))
}

func (e Entry) section(page *strings.Builder) {
	fmt.Fprintf(page, "\n## %s\n\n**%s.**", e.Code, e.Title)
	if e.Exit != 0 {
		fmt.Fprintf(page, " Exit code %d.", e.Exit)
	}
	fmt.Fprintf(page, " %s\n\nWhat to do: %s\n", e.Means, e.Do)
	if e.Example != "" {
		fmt.Fprintf(page, "\n```\n%s\n```\n", e.Example)
	}
}

const lineWidth = 100

// Text returns the section of a code for a terminal.
func (e Entry) Text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s\n", e.Code, e.Title)
	if e.Exit != 0 {
		fmt.Fprintf(&text, "exit code %d\n", e.Exit)
	}
	fmt.Fprintf(&text, "\n%s\n\n%s\n", wrapped(e.Means), wrapped("What to do: "+e.Do))
	if e.Example != "" {
		fmt.Fprintf(&text, "\n  %s\n", strings.ReplaceAll(e.Example, "\n", "\n  "))
	}
	return text.String()
}

// wrapped breaks a paragraph between words.
func wrapped(paragraph string) string {
	var text strings.Builder
	column := 0
	for _, word := range strings.Fields(paragraph) {
		width := len([]rune(word))
		switch {
		case column == 0:
		case column+1+width > lineWidth:
			text.WriteByte('\n')
			column = 0
		default:
			text.WriteByte(' ')
			column++
		}
		text.WriteString(word)
		column += width
	}
	return text.String()
}
