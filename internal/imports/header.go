package imports

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
)

// columns is what a kind of file has.
type columns struct {
	file     string // what the file holds: contacts
	required []string
	optional []string
	others   bool // a column that is neither becomes an attribute
}

func (c columns) has(key string) bool {
	return slices.Contains(c.required, key) || slices.Contains(c.optional, key)
}

// The columns that a file of rejected rows has besides those of the file that they come from.
const (
	rejectedLine   = "rejected_line"
	rejectedReason = "rejected_reason"
)

// header is the first row, understood.
type header struct {
	comma      byte
	names      []string
	places     map[string]int // of the known columns
	attributes []attributeColumn
	unnamed    []int
	own        []int // all columns but those that an earlier import added
}

// attributePrefix may stand before a column's name: it makes an attribute also of what is a column of its own.
const attributePrefix = "attributes."

type attributeColumn struct {
	place int
	name  string
}

// place returns where a known column is, -1 when the file does not have it.
func (h header) place(key string) int {
	if place, ok := h.places[key]; ok {
		return place
	}
	return -1
}

// cell returns the text of a cell: without the guard of an export and without the space around it, "" for a column
// that the file does not have.
func cell(cells []string, place int) string {
	if place < 0 {
		return ""
	}
	return strings.TrimSpace(Unguard(cells[place]))
}

// separators are those that are told apart; the first wins where nothing speaks for another.
const separators = ",;\t"

// separator returns the one of , ; and tab that splits the header best: into columns of which one is phone, and then
// into most columns.
func separator(sample []byte) byte {
	best, most := byte(','), -1
	for _, comma := range []byte(separators) {
		r := rowReader{in: bufio.NewReader(bytes.NewReader(sample)), comma: comma}
		first, err := r.next()
		if err != nil || first.broken != "" {
			continue
		}
		score := len(first.cells)
		if slices.ContainsFunc(first.cells, func(name string) bool { return columnKey(name) == "phone" }) {
			score += len(sample)
		}
		if score > most {
			best, most = comma, score
		}
	}
	return best
}

// columnName and columnKey return a header's cell as it is shown and as it is compared.
func columnName(cell string) string { return strings.TrimSpace(Unguard(cell)) }
func columnKey(cell string) string  { return strings.ToLower(columnName(cell)) }

// known returns the known column that a header's cell names: in any case, with spaces, dashes or nothing where the
// column has an underscore. "External ID" is external_id; "attributes.phone" is an attribute, whatever its name.
func (c columns) known(key string) string {
	bare := bareName(key)
	for _, name := range slices.Concat(c.required, c.optional) {
		if bare == bareName(name) {
			return name
		}
	}
	return key
}

func bareName(key string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '_' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, key)
}

// maxColumns bounds what each row costs.
const maxColumns = 1000

func readHeader(cells []string, c columns, region string) (header, error) {
	if len(cells) > maxColumns {
		return header{}, errcode.With(fmt.Errorf("the header has %d columns and at most %d are read: keep those that are needed, or check the separator", len(cells), maxColumns), errcode.HeaderTooWide)
	}
	h := header{names: make([]string, len(cells)), places: map[string]int{}}
	taken := map[string]int{} // what a column fills, to its place
	var unknown []int
	for i, text := range cells {
		h.names[i] = columnName(text)
		key := c.known(columnKey(text))
		if key == rejectedLine || key == rejectedReason {
			continue
		}
		h.own = append(h.own, i)
		switch {
		case key == "" || key == attributePrefix:
			h.unnamed = append(h.unnamed, i)
			continue
		case c.has(key):
			h.places[key] = i
		case c.others:
			key = attributeName(key)
			h.attributes = append(h.attributes, attributeColumn{place: i, name: key})
			key = attributePrefix + key
		default:
			unknown = append(unknown, i)
		}
		if other, ok := taken[key]; ok {
			if h.names[i] == h.names[other] {
				return header{}, errcode.With(fmt.Errorf("the header names the column %s twice: remove or rename one of them", quoted(h.names[i])), errcode.ColumnTwice)
			}
			return header{}, errcode.With(fmt.Errorf("the columns %s and %s would both fill %s: remove or rename one of them", quoted(h.names[other]), quoted(h.names[i]), key), errcode.ColumnTwice)
		}
		taken[key] = i
	}
	if err := h.complete(c, region); err != nil {
		return header{}, err
	}
	if len(unknown) > 0 {
		return header{}, errcode.With(fmt.Errorf("a file of %s has no column %s: its columns are %s; remove or rename what is not among them",
			c.file, h.quotedAll(unknown), strings.Join(slices.Concat(c.required, c.optional), ", ")), errcode.ColumnUnknown)
	}
	return h, nil
}

// complete refuses a header without a required column.
func (h header) complete(c columns, region string) error {
	var missing []string
	for _, key := range c.required {
		if _, ok := h.places[key]; !ok {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	// A first row of numbers is quoted back nowhere: errors end in logs.
	for _, name := range h.names {
		if _, err := phone.Parse(name, region); err == nil {
			return errcode.With(errors.New("the first row holds a phone number where the header should be: put a row above it that names the columns, phone among them"), errcode.HeaderMissing)
		}
	}
	all := make([]int, len(h.names))
	for i := range all {
		all[i] = i
	}
	return errcode.With(fmt.Errorf("the file has no column %s; its columns are %s: name the right one in the header, or check the separator", strings.Join(missing, " and no column "), h.quotedAll(all)), errcode.ColumnMissing)
}

const columnsNamed = 20

func (h header) quotedAll(places []int) string {
	var out []string
	for _, place := range places[:min(len(places), columnsNamed)] {
		out = append(out, quoted(h.names[place]))
	}
	if more := len(places) - len(out); more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

func quoted(name string) string { return fmt.Sprintf("%q", cut(name, 40)) }

// attributeName returns the name under which a column's cells are kept and found by an audience filter.
func attributeName(key string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.TrimPrefix(key, attributePrefix))
}
