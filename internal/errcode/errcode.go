// Package errcode owns the codes of everything that the program can complain about: the stable word, what it means and
// what to do.
package errcode

// Code is the stable name of one kind of error: words in snake_case, such as "unknown_key". Scripts go by it, so it
// never changes its meaning; the sentence beside it may.
type Code string

// Area is where in the work an error arises: a chapter of docs/ERRORS.md, by its title.
type Area string

// The areas, in the order of docs/ERRORS.md.
const (
	AreaUsage         Area = "The command line"
	AreaPhones        Area = "Phone numbers"
	AreaConfiguration Area = "The configuration"
	AreaDatabase      Area = "The database"
	AreaFiles         Area = "Files and imports"
	AreaTemplates     Area = "Templates"
	AreaRunning       Area = "Runs and the service"
	AreaMeta          Area = "WhatsApp's Cloud API"
	AreaRows          Area = "Rows that were not imported"
	AreaReasons       Area = "Why somebody did not get a message"
	AreaMetaCodes     Area = "Meta's own error codes"
)

// Areas lists the areas in the order of docs/ERRORS.md.
func Areas() []Area {
	return []Area{
		AreaUsage, AreaPhones, AreaConfiguration, AreaDatabase, AreaFiles, AreaTemplates, AreaRunning, AreaMeta,
		AreaRows, AreaReasons, AreaMetaCodes,
	}
}

// Entry is what docs/ERRORS.md says about a code.
type Entry struct {
	Code    Code
	Area    Area
	Title   string // one line, without a full stop
	Means   string // one to three sentences
	Do      string // what to do, commands and keys in backticks
	Example string // what is printed, or the lines that mend it; "" for none
	Exit    int    // the exit code (CONTRACT §4); 0 when it varies or the program does not end with it
}

// Coder is an error that knows its own code; "" is none.
type Coder interface {
	error
	ErrorCode() Code
}

// coded is an error with its code.
type coded struct {
	error
	code Code
}

// Unwrap returns the error without its code.
func (e *coded) Unwrap() error { return e.error }

// ErrorCode returns the code.
func (e *coded) ErrorCode() Code { return e.code }

// With gives an error a code. Its text stays as it is, and errors.Is and errors.As see through it. With of nil is nil.
func With(err error, code Code) error {
	if err == nil {
		return nil
	}
	return &coded{err, code}
}

// Of returns the code of an error, given by With or its own as a Coder, and whether it has one. Of several that are
// wrapped in each other the innermost holds, since it was given where most was known; of several that are joined, that
// of the first with a code.
func Of(err error) (Code, bool) {
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		if code, ok := Of(wrapper.Unwrap()); ok {
			return code, true
		}
	case interface{ Unwrap() []error }:
		for _, branch := range wrapper.Unwrap() {
			if code, ok := Of(branch); ok {
				return code, true
			}
		}
	}
	if own, ok := err.(Coder); ok {
		return own.ErrorCode(), own.ErrorCode() != ""
	}
	return "", false
}
