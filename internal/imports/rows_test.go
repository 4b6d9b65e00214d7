package imports

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// FuzzRowReader holds the rows against encoding/csv: as long as that reads on, both read the same, and where it
// gives up, so does the row reader, to read on behind.
func FuzzRowReader(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "a", "a,b\nc,d\n", "\"a\"\"b\nc\",d\r\ne,f\n", "\n\r\na,\"\"", "a,\"b\r\nc\"", "a,\"b\nc,d\n", "a,b\"c\n",
		"a,\"b\"c\nd,e\n", "x\r", "\",\"", "a,\"b\nc,\"d\"\n", "a\rb,\"c\rd\"\r\n", "\"\n\"\n\"\n\"", ",,\n\",\n\"\n", "a,\"\"\"\n\n\nb,c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		reference := csv.NewReader(strings.NewReader(file))
		reference.FieldsPerRecord = -1
		rest := strings.NewReader(file)
		r := &rowReader{in: bufio.NewReader(rest), comma: ',', columns: 2}
		lines := strings.Count(file, "\n") + 1
		line, agree := 0, true
		for {
			got, err := r.next()
			want, wantErr := []string(nil), error(nil)
			if agree {
				want, wantErr = reference.Read()
			}
			if err != nil {
				if !errors.Is(err, io.EOF) || agree && !errors.Is(wantErr, io.EOF) {
					t.Fatalf("%q: ended with %v, encoding/csv with %v", file, err, wantErr)
				}
				break
			}
			if got.line <= line || got.line > lines {
				t.Fatalf("%q: a row in line %d after one in line %d, of %d lines", file, got.line, line, lines)
			}
			line = got.line
			if !agree {
				continue
			}
			if agree = wantErr == nil; !agree {
				if got.broken == "" {
					t.Fatalf("%q: %q where encoding/csv says %v", file, got.cells, wantErr)
				}
				continue
			}
			if at, _ := reference.FieldPos(0); !slices.Equal(got.cells, want) || got.line != at {
				t.Fatalf("%q: line %d, %q; encoding/csv has line %d, %q", file, got.line, got.cells, at, want)
			}
		}
		if left := rest.Len() + r.in.Buffered(); left > 0 {
			t.Fatalf("%q: %d bytes of %d were not read", file, left, len(file))
		}
	})
}

func TestReadingOnBehindABrokenRow(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want []string // cells joined by |, ! for a broken row
	}{
		"never closed":               {"a,\"b\nc,d\ne,f", []string{"!", "c|d", "e|f"}},
		"closed by a later row":      {"a,\"b\nc,\"d\"\ne,f", []string{"!", "c|d", "e|f"}},
		"twice":                      {"a,\"b\nc,\"d\ne,f", []string{"!", "!", "e|f"}},
		"inside what is read again":  {"a,\"b\nc,d\ne,\"f\ng,h\n\"x", []string{"!", "c|d", "!", "g|h", "!"}},
		"lines that are no rows":     {"a,\"b\nrest of b\nc,d\n", []string{"!", "c|d"}},
		"nothing but the broken row": {"a,\"b\nrest of b\n", []string{"!"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rowReader{in: bufio.NewReader(strings.NewReader(tt.file)), comma: ',', columns: 2}
			var got []string
			for {
				next, err := r.next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if next.broken != "" {
					got = append(got, "!")
				} else {
					got = append(got, strings.Join(next.cells, "|"))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A file that opens a quote in every other line is read in time that grows with its size alone.
func TestManyBrokenRows(t *testing.T) {
	const pairs = 50_000
	file := strings.Repeat("a,\"b\n"+"c,d\n", pairs)
	r := &rowReader{in: bufio.NewReader(strings.NewReader(file)), comma: ',', columns: 2}
	good, broken := 0, 0
	for {
		next, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if next.broken != "" {
			broken++
		} else {
			good++
		}
	}
	if good != pairs || broken != pairs {
		t.Errorf("%d good rows and %d broken ones, want %d of each", good, broken, pairs)
	}
}
