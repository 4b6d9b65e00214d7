package imports_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/scheduler"
)

// generator is a file of contacts that is never in memory as a whole.
type generator struct {
	rows, made int
	rest       []byte
	suffix     string
	// mostTooLong gives two of three rows a cell too many.
	mostTooLong bool
}

func (g *generator) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if g.made > g.rows {
			return 0, io.EOF
		}
		g.rest = g.rest[:0]
		if g.made == 0 {
			g.rest = append(g.rest, "phone,name,language,points,note\n"...)
		} else {
			g.rest = fmt.Appendf(g.rest, "+39347%07d,person %d,it,%d,%s", g.made, g.made, g.made%1000, g.suffix)
			if g.mostTooLong && g.made%3 != 0 {
				g.rest = append(g.rest, ",surplus"...)
			}
			g.rest = append(g.rest, '\n')
		}
		g.made++
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

func TestMemoryDoesNotDependOnTheFile(t *testing.T) {
	const rows, bound = 300_000, 48 << 20
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	in := &generator{rows: rows, suffix: strings.Repeat("x", 200), mostTooLong: true}
	var before, most uint64
	stored, batches := 0, 0
	sink := contactsOnly(func(records []scheduler.ContactRecord) {
		stored += len(records)
		if batches++; batches == 2 {
			before = heap() // with the library's tables loaded
		} else {
			most = max(most, heap())
		}
	})
	o := options()
	o.RejectedPath = filepath.Join(t.TempDir(), "rejected.csv")
	result, err := imports.Contacts(t.Context(), in, sink, o)
	if err != nil {
		t.Fatal(err)
	}
	if result.Rows != rows || result.Rejected != rows-rows/3 || result.Rejected+stored != rows || batches < 5 {
		t.Fatalf("%d rows, %d rejected, %d stored in %d batches", result.Rows, result.Rejected, stored, batches)
	}
	if most > before+bound {
		t.Errorf("the heap grew by %d MiB while %d rows went through, want at most %d", (most-before)>>20, rows, bound>>20)
	}
}

func TestAQuoteThatIsNeverClosedDoesNotFillTheMemory(t *testing.T) {
	file := io.MultiReader(strings.NewReader("phone,name,language,points,note\n+393471234567,\"Anna,it,1,\n"),
		&generator{rows: 20_000, made: 1, suffix: strings.Repeat("x", 200)})
	var stored int
	result, err := imports.Contacts(t.Context(), file, contactsOnly(func(r []scheduler.ContactRecord) { stored += len(r) }), options())
	if err != nil {
		t.Fatal(err)
	}
	if result.Rejected == 0 || result.Problems[0].Line != 2 || result.Rows != 20_001 || stored < 19_000 {
		t.Errorf("%d rows, %d stored, first problem %+v; want the rows after the quote stored", result.Rows, stored, result.Problems[0])
	}
}

// FuzzFile feeds each door with anything at all.
func FuzzFile(f *testing.F) {
	f.Add([]byte("phone,name\n+393471234567,Anna\n"))
	f.Add([]byte("phone;category;action;at;source;wording\n+393471234567;offers;granted;2026-11-20T10:00:00Z;paper;\"Libreria\nAurora\"\n"))
	f.Add([]byte("phone\treason\tat\tsource\tscope\n347 123 4567\tx\t2026-11-20T10:00:00Z\ty\tcategory:offers\n"))
	f.Add([]byte("\xff\xfep\x00h\x00"))
	f.Add([]byte("phone,rejected_line,rejected_reason,,\n\"\n,,,,"))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, open := range []door{imports.Contacts, imports.Consents, imports.Suppressions} {
			sink := newMemory()
			result, err := open(t.Context(), bytes.NewReader(file), sink, options())
			if err != nil {
				continue
			}
			stored := result.Counts.Added + result.Counts.Changed + result.Counts.Unchanged
			if result.Rows != result.Rejected+result.Repeated+stored {
				t.Fatalf("%+v does not add up", result)
			}
		}
	})
}

func BenchmarkContacts(b *testing.B) {
	const rows = 20_000
	var file bytes.Buffer
	if _, err := io.Copy(&file, &generator{rows: rows}); err != nil {
		b.Fatal(err)
	}
	sink := contactsOnly(func([]scheduler.ContactRecord) {})
	for b.Loop() {
		if _, err := imports.Contacts(context.Background(), bytes.NewReader(file.Bytes()), sink, options()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportAllocs()
}

func BenchmarkConsents(b *testing.B) {
	const rows = 20_000
	var file bytes.Buffer
	file.WriteString("phone,category,action,at,source,wording,evidence\n")
	for i := range rows {
		fmt.Fprintf(&file, "+39347%07d,offers,granted,2026-11-20T18:30:00+01:00,web_form,\"Sì, Libreria Aurora può scrivermi le sue offerte\",form %d\n", i, i)
	}
	for b.Loop() {
		o := options()
		o.DryRun = true
		if _, err := imports.Consents(context.Background(), bytes.NewReader(file.Bytes()), newMemory(), o); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
