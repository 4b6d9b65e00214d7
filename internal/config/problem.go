package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
)

// Problem is one mistake, or one warning, with its place. Line and Column count from 1, columns in characters.
type Problem struct {
	File     string       `json:"file"`
	Line     int          `json:"line"`
	Column   int          `json:"column"`
	Path     string       `json:"path"` // campaigns[0].window; "" is the whole file
	Severity Severity     `json:"severity"`
	Code     errcode.Code `json:"code"`
	Message  string       `json:"message"`
	Source   string       `json:"source"` // the line, with secrets masked; "" when there is none to show
}

// Severity says whether a problem stops everything or is only told.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// String is the message with its place and its code, the line and a caret under the column.
func (p Problem) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s:%d:%d: %s [%s]", p.File, p.Line, p.Column, p.Message, p.Code)
	if strings.TrimSpace(p.Source) == "" {
		return text.String()
	}
	source, column := crop([]rune(p.Source), p.Column)
	fmt.Fprintf(&text, "\n    %s\n    ", string(source))
	for _, r := range source[:min(column-1, len(source))] {
		// A tab under a tab keeps the caret in its column, however wide the terminal shows it.
		if r == '\t' {
			text.WriteRune('\t')
		} else {
			text.WriteRune(' ')
		}
	}
	text.WriteByte('^')
	return text.String()
}

// crop keeps of a very long line what surrounds the column.
func crop(line []rune, column int) ([]rune, int) {
	const before, width = 60, 160
	if len(line) <= width {
		return line, column
	}
	start := min(max(0, column-1-before), len(line)-width)
	return line[start : start+width], column - start
}

// Problems is every mistake of a configuration, in the order of its files and lines.
type Problems struct {
	All []Problem
	// More is how many were left out, of a file that has too many to be meant as a configuration.
	More int
	// Warnings are what else was found. Error does not print them: first what must be mended.
	Warnings []Problem
}

// maxProblems is more than anyone reads at once.
const maxProblems = 500

// Error lists all of them, one block each.
func (p *Problems) Error() string {
	blocks := make([]string, len(p.All))
	for i, problem := range p.All {
		blocks[i] = problem.String()
	}
	if p.More > 0 {
		blocks = append(blocks, fmt.Sprintf("and %d more", p.More))
	}
	return strings.Join(blocks, "\n")
}

// inOrder sorts by file, in the order in which the files were read, then by place, and drops repetitions: a mistake
// inside an anchor is met once for each alias.
func inOrder(problems []Problem, files []string) []Problem {
	order := make(map[string]int, len(files))
	for i, file := range files {
		order[file] = i
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(order[a.File], order[b.File]),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
	return slices.CompactFunc(problems, func(a, b Problem) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
}
