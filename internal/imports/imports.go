// Package imports owns the reading of the files that a business brings, of contacts, consents and suppressions:
// each row is checked and handed on in batches, or rejected with its line and the reason.
package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// Sink keeps what was imported. Each call is one transaction with at most 5,000 rows, in the order of the file, and
// comes from the goroutine that called the import. The same rows again change nothing.
type Sink interface {
	// ImportContacts gets each person at most once per call.
	ImportContacts(context.Context, []scheduler.ContactRecord) (scheduler.ImportCounts, error)
	ImportConsents(context.Context, []scheduler.ConsentRecord) (scheduler.ImportCounts, error)
	ImportSuppressions(context.Context, []scheduler.SuppressionRecord) (scheduler.ImportCounts, error)
}

// Options is what an import must know beside the file.
type Options struct {
	Region       string // the business's country, for numbers without a country code; "" refuses those
	BusinessName string // what a consent's wording should name; "" looks for nothing
	Categories   map[string]policy.Category
	Tag          string // added to every contact; "" adds none
	DryRun       bool   // check everything, call no sink, write no file
	Now          time.Time
	// Progress is called some thousand rows apart with the bytes and rows read so far; nil when nobody watches.
	Progress func(bytesRead int64, rows int)
	// RejectedPath is where rejected rows are written, each with its reason, for mending; "" writes none. The file
	// appears with the first rejected row and replaces one that is there.
	RejectedPath string
}

// Result is what became of a file. Unless it was a dry run,
// Rows = Rejected + Repeated + Counts.Added + Counts.Changed + Counts.Unchanged.
type Result struct {
	Rows int // without the header and without blank rows
	// Repeated counts rows of contacts that were taken together with a later row of the same person.
	Repeated int
	Counts   scheduler.ImportCounts
	Rejected int
	// Problems are the first ten rejections of each reason, in the order of the file.
	Problems     []Rejection
	ByReason     map[string]int // every rejected row, under its first reason
	RejectedFile string         // "" when none was written
	Warnings     []string
}

// Rejection is one row that was not imported.
type Rejection struct {
	Line   int    // where the row begins; the header is in line 1
	Column string // "" when the row as a whole is wrong
	// Value is what stood in the column, cut to 80 characters; "" for what may be personal.
	Value string
	// Reason is one sentence that says what is wrong and what to do. It never holds anything from the file.
	Reason string
}

// Contacts imports a CSV file with a column phone and, where known, name, language (BCP 47), timezone (IANA),
// external_id and tags (separated by ;). Every other column becomes an attribute, named in lower case with _ for
// whatever is no ASCII letter or digit. Empty cells say nothing; of several rows for one person the last wins.
//
// The error is non-nil only when the file as a whole cannot be read, the sink refuses a batch, the rejected rows
// cannot be written, or ctx ends; Result then says how far the import came. A Read that blocks when ctx ends is left
// to return on its own.
func Contacts(ctx context.Context, r io.Reader, sink Sink, o Options) (Result, error) {
	return run(ctx, r, o, contactColumns, checkContacts, foldContacts, sink.ImportContacts)
}

// Consents imports a CSV file with the columns phone, category, action, at and, for what was granted, source and
// wording; evidence is optional. Errors are those of Contacts.
func Consents(ctx context.Context, r io.Reader, sink Sink, o Options) (Result, error) {
	return run(ctx, r, o, consentColumns, checkConsents, nil, sink.ImportConsents)
}

// Suppressions imports a CSV file with the columns phone, at and, where known, reason, source and scope; no scope is
// everything. A number that no numbering plan has is stopped all the same. Errors are those of Contacts.
func Suppressions(ctx context.Context, r io.Reader, sink Sink, o Options) (Result, error) {
	return run(ctx, r, o, suppressionColumns, checkSuppressions, nil, sink.ImportSuppressions)
}

func (o Options) validate() error {
	if o.Region != "" && !phone.CountryKnown(o.Region) {
		return fmt.Errorf("importing with the country %q: %w", o.Region, phone.ErrRegion)
	}
	if o.Now.IsZero() {
		return errors.New("importing without the present time: no row's time could be checked")
	}
	return nil
}
