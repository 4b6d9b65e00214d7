package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/spelling"
	"github.com/permesso/permesso/internal/store"
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

// ErrorCode is what such a line has when nobody knew more of it.
func (e *usageError) ErrorCode() errcode.Code { return errcode.WrongUse }

// misuse refuses a line for a reason with a code; a cause in the format that has one itself knows better.
func misuse(code errcode.Code, format string, args ...any) error {
	return &usageError{errcode.With(fmt.Errorf(format, args...), code)}
}

// wrongUse is for what has no code of its own: cobra's refusals that nobody foresaw.
func wrongUse(format string, args ...any) error { return misuse(errcode.WrongUse, format, args...) }

// misread is cobra's refusal of a line, made before any verb began.
func misread(err error) error {
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	switch {
	case isA[*pflag.NotExistError](err):
		return misuse(errcode.UnknownFlag, "%w", err)
	case isA[*pflag.ValueRequiredError](err):
		return misuse(errcode.MissingFlagValue, "%w", err)
	case isA[*pflag.InvalidValueError](err), isA[*pflag.InvalidSyntaxError](err):
		return misuse(errcode.InvalidFlagValue, "%w", err)
	case strings.HasPrefix(err.Error(), "unknown command"), strings.Contains(err.Error(), " arg(s), "):
		return misuse(errcode.SurplusArgument, "%w", err) // of cobra's own verbs: they take no more words
	}
	return wrongUse("%w", err)
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

var (
	// errRejected says that a strict import did not take every row.
	errRejected = errcode.With(errors.New("rows were rejected"), errcode.RowsRejected)
	// errNoContact says that a number is nobody's that is known.
	errNoContact = errcode.With(errors.New("no contact has this number: `permesso contacts import` adds people"), errcode.UnknownContact)
)

// interrupted says how far something came that a signal ended.
type interrupted struct{ far string }

// Error says how far.
func (e *interrupted) Error() string { return e.far }

// ErrorCode returns its code.
func (e *interrupted) ErrorCode() errcode.Code { return errcode.Interrupted }

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
	case errors.As(err, &usage), errors.Is(err, app.ErrNoCampaign), errors.Is(err, app.ErrNoTestPhones), errors.Is(err, app.ErrNoNotify), errors.Is(err, app.ErrNoPublicURL),
		errors.Is(err, store.ErrNoKey), errors.Is(err, store.ErrKeyThere):
		return exitWrongUse
	case errors.As(err, &problems), errors.As(err, &unread), errors.As(err, &told):
		return exitConfig
	case errors.Is(err, app.ErrIncomplete):
		// Before the halt that may be its reason: a run that was under way is incomplete, one that is not begun is refused.
		return exitIncomplete
	case errors.As(err, &refused), errors.Is(err, app.ErrSecondServe), errors.Is(err, app.ErrHalted), errors.Is(err, app.ErrQuarantined), errors.Is(err, app.ErrNotJoined),
		errors.Is(err, app.ErrSamePerson), errors.Is(err, app.ErrNobody), errors.Is(err, app.ErrDrifted), errors.Is(err, app.ErrTooMany):
		return exitRefused
	case errors.Is(err, app.ErrDryRun), errors.Is(err, errRejected), errors.Is(err, errNotApproved), errors.Is(err, errNotRestored), errors.Is(err, context.Canceled), errors.As(err, &stopped):
		return exitIncomplete
	}
	return exitFailed
}

// codeOf is the code of any error: what was given to it where it arose, else what can be told from here.
func codeOf(err error) errcode.Code {
	if code, ok := errcode.Of(err); ok {
		return code
	}
	var problems *config.Problems
	switch {
	case errors.As(err, &problems):
		return errcode.InvalidConfiguration
	case errors.Is(err, app.ErrIncomplete):
		return errcode.RunIncomplete
	case errors.Is(err, context.Canceled):
		return errcode.Interrupted
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return errcode.OutputFailed
	}
	if code, ok := store.ErrorCode(err); ok {
		return code
	}
	return errcode.Internal
}

// complaint is what is said of one error.
type complaint struct {
	code errcode.Code
	text string
}

// complaints are those of an error, one for each of several that were joined.
func complaints(err error) []complaint {
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		return []complaint{{errcode.InvalidConfiguration, fmt.Sprintf("%s in the configuration; nothing was done", count(len(problems.All), "mistake"))}}
	}
	if errors.Is(err, context.Canceled) && !errors.Is(err, app.ErrIncomplete) {
		return []complaint{{errcode.Interrupted, "interrupted"}}
	}
	var all []complaint
	for _, branch := range branches(err) {
		all = append(all, complaint{codeOf(branch), branch.Error()})
	}
	return all
}

// branches takes apart what errors.Join put together.
func branches(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var texts []string
	var all []error
	for _, branch := range joined.Unwrap() {
		texts = append(texts, branch.Error())
		all = append(all, branches(branch)...)
	}
	if err.Error() != strings.Join(texts, "\n") {
		return []error{err} // it has a sentence of its own around them
	}
	return all
}

// complain prints an error, with its code, for the person or the program that has to do something about it.
func (s *session) complain(err error) {
	if err == nil {
		return
	}
	all := complaints(err)
	if s.json {
		s.complainJSON(err, all)
		return
	}
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		fmt.Fprintln(s.err, problems.Error())
	}
	for _, c := range all {
		for line := range strings.SplitSeq(c.text+" ["+string(c.code)+"]", "\n") {
			fmt.Fprintf(s.err, "permesso: %s\n", line)
		}
	}
	if s.logText && !s.quiet {
		fmt.Fprintf(s.err, "`permesso help error %s` says what to do\n", all[0].code)
	}
}

// complained is an error as JSON.
type complained struct {
	Code     errcode.Code     `json:"code"`
	Message  string           `json:"message"`
	Exit     int              `json:"exit"`
	Problems []config.Problem `json:"problems,omitempty"` // of the configuration
}

func (s *session) complainJSON(err error, all []complaint) {
	out := complained{Code: all[0].code, Exit: exitCode(err)}
	var texts []string
	for _, c := range all {
		texts = append(texts, c.text)
	}
	out.Message = strings.Join(texts, "\n")
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		out.Problems = problems.All
	}
	encoder := json.NewEncoder(s.err)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]complained{"error": out}) // where it cannot be written nothing can be said
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
	if near := spelling.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near) + " There is " + strings.Join(known, ", ")
	}
	if len(known) == 0 {
		return "; there is none"
	}
	return "; there is " + strings.Join(known, ", ")
}

func categoryIDs(cfg *config.Config) []string {
	return slices.Sorted(maps.Keys(cfg.Rules.Categories))
}
