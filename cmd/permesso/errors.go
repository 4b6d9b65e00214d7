package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/templates"
)

// The exit codes (CONTRACT §4).
const (
	exitDone       = 0
	exitFailed     = 1
	exitWrongUse   = 2
	exitConfig     = 3
	exitIncomplete = 4
	exitRefused    = 5
)

// usageError is a line that permesso cannot follow.
type usageError struct{ err error }

// Error says what is wrong with the line.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *usageError) Unwrap() error { return e.err }

func wrongUse(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errRejected says that a strict import did not take every row.
var errRejected = errors.New("rows were rejected")

// interrupted says how far something came that a signal ended.
type interrupted struct{ far string }

// Error says how far.
func (e *interrupted) Error() string { return e.far }

// exitCode is what a script is told of an error.
func exitCode(err error) int {
	var usage *usageError
	var problems *config.Problems
	var unread *noConfig
	var told *mistaken
	var refused *templates.RefusedError
	var stopped *interrupted
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), errors.Is(err, app.ErrNoCampaign), errors.Is(err, app.ErrNoTestPhones):
		return exitWrongUse
	case errors.As(err, &problems), errors.As(err, &unread), errors.As(err, &told):
		return exitConfig
	case errors.Is(err, app.ErrIncomplete):
		// Before the halt that may be its reason: a run that was under way is incomplete, one that is not begun is refused.
		return exitIncomplete
	case errors.As(err, &refused), errors.Is(err, app.ErrSecondServe), errors.Is(err, app.ErrHalted):
		return exitRefused
	case errors.Is(err, app.ErrDryRun), errors.Is(err, errRejected), errors.Is(err, context.Canceled), errors.As(err, &stopped):
		return exitIncomplete
	}
	return exitFailed
}

// complain prints an error for the person who has to do something about it.
func (s *session) complain(err error) {
	if err == nil {
		return
	}
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		fmt.Fprintln(s.err, problems.Error())
		fmt.Fprintf(s.err, "permesso: %s in the configuration; nothing was done\n", count(len(problems.All), "mistake"))
		return
	}
	if errors.Is(err, context.Canceled) && !errors.Is(err, app.ErrIncomplete) {
		fmt.Fprintln(s.err, "permesso: interrupted")
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(s.err, "permesso: %s\n", line)
	}
}

// count writes a number with its noun: 1 row, 2 rows.
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// among ends a sentence about a word that is none of those there are.
func among(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near) + " There is " + strings.Join(known, ", ")
	}
	if len(known) == 0 {
		return "; there is none"
	}
	return "; there is " + strings.Join(known, ", ")
}

// nearest returns the known word within two slips of the hand, "" when there is none.
func nearest(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := slips(strings.ToLower(word), strings.ToLower(k)); d < least && d < max(len(k), 2) {
			best, least = k, d
		}
	}
	return best
}

// slips counts the letters put in, left out or changed between two words.
func slips(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func categoryIDs(cfg *config.Config) []string {
	return slices.Sorted(maps.Keys(cfg.Rules.Categories))
}
