// Package imports owns the reading of the files that a business brings, of contacts, consents and suppressions:
// each row is checked and handed on in batches, or rejected with its line and the reason.
package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// Sink keeps what was imported. Each call is one transaction with at most 20,000 rows, in the order of the file, and
// comes from the goroutine that called the import. The slice is the import's own again after the call. The same rows
// again change nothing.
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
	// Attributes are the declared types of attributes: a cell that is no day is refused in a column of dates.
	Attributes map[string]scheduler.AttributeType
	// Zone is where a workbook's times are told, which have no offset of their own; nil refuses them.
	Zone   *time.Location
	Tag    string // added to every contact; "" adds none
	DryRun bool   // check everything, call no sink, write no file
	Now    time.Time
	// Progress is called some thousand rows apart with the bytes and rows read so far; nil when nobody watches.
	Progress func(bytesRead int64, rows int)
	// RejectedPath is where rejected rows are written as CSV, each with its reason, for mending; "" writes none. The
	// file appears with the first rejected row and replaces one that is there.
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
	// Problems are the first ten rejections of each kind, in the order of the file.
	Problems     []Rejection
	ByReason     map[errcode.Code]int // every rejected row, under the code of its first reason
	RejectedFile string               // "" when none was written
	Warnings     []string
	ReadAs       ReadAs
}

// ReadAs is how a file was understood.
type ReadAs struct {
	Format   string // csv or xlsx; "" when the file could not be read at all
	Encoding string // of a CSV file: UTF-8, UTF-16LE, UTF-16BE or Windows-1252
	Sheet    string // of a workbook: the name of its first visible sheet, which was read
	Sheets   int    // of a workbook: how many sheets can be seen in it
}

// String says what a reader of the result may not expect, such as "read as Windows-1252"; "" for a CSV file in UTF-8.
func (r ReadAs) String() string {
	switch {
	case r.Format == formatXLSX && r.Sheets > 1:
		return fmt.Sprintf("read from the sheet %q, the first of the %d that can be seen", r.Sheet, r.Sheets)
	case r.Format == formatXLSX:
		return fmt.Sprintf("read from the sheet %q", r.Sheet)
	case r.Encoding == "" || r.Encoding == encodingUTF8:
		return ""
	}
	return "read as " + r.Encoding
}

// Rejection is one row that was not imported.
type Rejection struct {
	Line   int    // where the row begins, in a workbook the number of the row as it shows it
	Column string // "" when the row as a whole is wrong
	// Value is what stood in the column, cut to 80 characters; "" for what may be personal.
	Value string
	// Code is the kind of the problem, such as phone_too_short; docs/ERRORS.md has a section on each.
	Code errcode.Code
	// Reason is one sentence that says what is wrong and what to do. It never holds anything from the file.
	Reason string
}

// Contacts imports a CSV file or an Excel workbook with a column phone and, where known, name, language (BCP 47), timezone (IANA),
// external_id and tags (separated by ;). Every other column becomes an attribute, named in lower case with _ for
// whatever is no ASCII letter or digit. Empty cells say nothing; of several rows for one person the last wins.
//
// The error is non-nil only when the file as a whole cannot be read, the sink refuses a batch, the rejected rows
// cannot be written, or ctx ends; Result then says how far the import came. A Read that blocks when ctx ends is left
// to return on its own.
func Contacts(ctx context.Context, r io.Reader, sink Sink, o Options) (Result, error) {
	return run(ctx, r, o, contactColumns, checkContacts, foldContacts, sink.ImportContacts)
}

// Consents imports a CSV file or an Excel workbook with the columns phone, category, action, at and, for what was granted, source and
// wording; evidence is optional. Errors are those of Contacts.
func Consents(ctx context.Context, r io.Reader, sink Sink, o Options) (Result, error) {
	return run(ctx, r, o, consentColumns, checkConsents, nil, sink.ImportConsents)
}

// Suppressions imports a CSV file or an Excel workbook with the columns phone, at and, where known, reason, source and scope; no scope is
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
