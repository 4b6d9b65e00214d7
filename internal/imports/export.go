package imports

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/permesso/permesso/scheduler"
)

// ContactWriter writes contacts as the CSV file that Contacts reads, so that a spreadsheet may open and save it between:
// in UTF-8 with the mark without which Excel takes it for another encoding; every cell guarded, phone numbers too, which
// a spreadsheet would round; lines ending with \n, as the line breaks inside cells do.
type ContactWriter struct {
	out        *csv.Writer
	attributes []string
	cells      []string
	err        error
}

// NewContactWriter writes the header: the known columns and one for each attribute.
func NewContactWriter(w io.Writer, attributes []string) *ContactWriter {
	c := &ContactWriter{out: csv.NewWriter(w), attributes: attributes}
	if _, c.err = w.Write(byteOrderMark); c.err != nil {
		return c
	}
	header := append([]string{}, contactColumns.required...)
	header = append(header, contactColumns.optional...)
	for _, name := range attributes {
		header = append(header, attributeHeader(name))
	}
	c.write(header)
	return c
}

// attributeHeader returns the name of an attribute's column; the prefix makes it one that nothing else is read from.
func attributeHeader(name string) string {
	if key := contactColumns.known(name); contactColumns.has(key) || key == rejectedLine || key == rejectedReason {
		return attributePrefix + name
	}
	return name
}

// Write adds one contact. Its errors are those of the writer below.
func (c *ContactWriter) Write(contact scheduler.Contact) error {
	c.cells = append(c.cells[:0], string(contact.Phone), contact.Name, contact.Language, contact.Zone, contact.ExternalID,
		strings.Join(contact.Tags, ";"))
	for _, name := range c.attributes {
		c.cells = append(c.cells, contact.Attributes[name])
	}
	c.write(c.cells)
	return c.failed()
}

func (c *ContactWriter) write(cells []string) {
	if c.err != nil {
		return
	}
	for i := range cells {
		cells[i] = Guard(cells[i])
	}
	c.err = c.out.Write(cells)
}

// Flush writes what is buffered.
func (c *ContactWriter) Flush() error {
	c.out.Flush()
	if c.err == nil {
		c.err = c.out.Error()
	}
	return c.failed()
}

func (c *ContactWriter) failed() error {
	if c.err != nil {
		return fmt.Errorf("writing CSV: %w", c.err)
	}
	return nil
}
