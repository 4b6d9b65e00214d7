package imports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/xuri/excelize/v2"
)

const benchmarkedRows = 20_000

// streamedSheet is a workbook as excelize writes large ones.
func streamedSheet(t testing.TB) []byte {
	t.Helper()
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range benchmarkedRows {
		row := []any{393470000000 + i, fmt.Sprintf("person %d", i), "it", i % 1000}
		if i == 0 {
			row = []any{"phone", "name", "language", "points"}
		}
		if err := w.SetRow(fmt.Sprintf("A%d", i+1), row); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := errors.Join(w.Flush(), f.Write(&out)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func perRow(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(benchmarkedRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportAllocs()
}

// BenchmarkSheet reads the cells of a workbook and does nothing with them.
func BenchmarkSheet(b *testing.B) {
	book := streamedSheet(b)
	for b.Loop() {
		_, rows, err := open(bytes.NewReader(book), contactColumns, Options{})
		for err == nil {
			_, err = rows.next()
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
	perRow(b)
}

// BenchmarkExcelize does the same by the library that is not used.
func BenchmarkExcelize(b *testing.B) {
	book := streamedSheet(b)
	for b.Loop() {
		f, err := excelize.OpenReader(bytes.NewReader(book))
		if err != nil {
			b.Fatal(err)
		}
		in, err := f.Rows("Sheet1")
		if err != nil {
			b.Fatal(err)
		}
		for in.Next() {
			if _, err := in.Columns(excelize.Options{RawCellValue: true}); err != nil {
				b.Fatal(err)
			}
		}
	}
	perRow(b)
}
