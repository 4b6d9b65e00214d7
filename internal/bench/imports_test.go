package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

const (
	importRows   = 1_000_000
	importRounds = 3
)

// BenchmarkImports imports a file of a million contacts, and then one of their million consents, by the program itself, in a
// process of its own and an empty database: rows per second from start to exit, processor seconds, and the most memory that
// the process held. Whatever -benchtime says, it takes three rounds and reports the median speed and the largest memory.
func BenchmarkImports(b *testing.B) {
	var files importFiles
	for _, on := range []struct {
		name     string
		database func(testing.TB) string
	}{{"sqlite", sqliteDatabase}, {"postgres", postgresDatabase}} {
		results := map[string][]importResult{}
		for _, kind := range []string{"contacts", "consents"} {
			b.Run(on.name+"/"+kind, func(b *testing.B) {
				if results[kind] == nil {
					files.write(b)
					for range importRounds {
						target := on.database(b)
						for _, kind := range []string{"contacts", "consents"} {
							results[kind] = append(results[kind], files.imports(b, kind, target))
						}
					}
				}
				reportImports(b, results[kind])
			})
		}
	}
}

// importResult is what one import took.
type importResult struct {
	perSecond, cpu float64
	memory         float64 // MiB
}

func reportImports(b *testing.B, results []importResult) {
	var speeds, seconds, memory []float64
	for _, r := range results {
		speeds, seconds, memory = append(speeds, r.perSecond), append(seconds, r.cpu), append(memory, r.memory)
	}
	b.ReportMetric(median(speeds), "rows/s")
	b.ReportMetric(slices.Max(speeds), "best-rows/s")
	b.ReportMetric(median(seconds), "cpu-s")
	b.ReportMetric(slices.Max(memory), "peak-MiB")
	b.ReportMetric(0, "ns/op")
}

// importFiles are the program and what it imports, made once.
type importFiles struct{ program, contacts, consents string }

func (f *importFiles) write(b *testing.B) {
	b.Helper()
	if f.program != "" {
		return
	}
	dir, err := os.MkdirTemp("", "permesso-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = os.RemoveAll(dir)
		*f = importFiles{}
	})
	f.program = filepath.Join(dir, "permesso")
	build := exec.Command("go", "build", "-trimpath", "-o", f.program, "github.com/permesso/permesso/cmd/permesso")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("building the program: %v\n%s", err, out)
	}
	f.contacts, f.consents = filepath.Join(dir, "contacts.csv"), filepath.Join(dir, "consents.csv")
	writeRows(b, f.contacts, "phone,name,language,external_id,tags,points,coupon\n", func(w io.Writer, i int) {
		fmt.Fprintf(w, "%s,Giulia Rossi %d,it,c-%d,newsletter,%d,A%d\n", importedPhone(i), i, i, i%1000, i)
	})
	writeRows(b, f.consents, "phone,category,action,at,source,wording,evidence\n", func(w io.Writer, i int) {
		fmt.Fprintf(w, "%s,offers,granted,2026-%02d-%02dT%02d:%02d:00+01:00,web_form,\"Sì, voglio le offerte di Libreria Aurora su WhatsApp\",form-%d\n",
			importedPhone(i), i%6+1, i%28+1, i%24, i%60, i)
	})
}

func writeRows(b *testing.B, path, header string, row func(w io.Writer, i int)) {
	b.Helper()
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(file)
	_, _ = w.WriteString(header) // Flush returns the first error
	for i := range importRows {
		row(w, i)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
}

// importedPhone is an invented mobile, another for each i, in no order: nine of ten are Italian.
func importedPhone(i int) string {
	const many = 10_000_000
	tail := i * 7_654_321 % many // another for each i below many, since the factor and many share no divisor
	if i%10 == 9 {
		return [...]string{"+491511", "+3361", "+3461", "+44774", "+551198"}[i/10%5] + fmt.Sprintf("%07d", tail)
	}
	return "+393" + [...]string{"20", "28", "29", "33", "34", "35", "38", "39", "40", "42", "45", "47", "48", "49"}[i%14] + fmt.Sprintf("%07d", tail)
}

// imports runs the program on one of the files.
func (f *importFiles) imports(b *testing.B, kind, target string) importResult {
	b.Helper()
	verb, file := "contacts", f.contacts
	if kind == "consents" {
		verb, file = "consent", f.consents
	}
	cmd := exec.Command(f.program, verb, "import", file, "--json", "--config", importConfig(b, target))
	cmd.Env = append(os.Environ(), "TOKEN=x", "SECRET=x", "VERIFY=x")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	memory := 0.0
	for ended := false; !ended; {
		select {
		case err := <-done:
			if err != nil {
				b.Fatalf("importing: %v\n%s", err, errs.String())
			}
			ended = true
		case <-time.After(50 * time.Millisecond):
			memory = max(memory, peakMemory(cmd.Process.Pid))
		}
	}
	took := time.Since(began)
	result := struct{ Rows, Added int }{}
	if err := json.Unmarshal(out.Bytes(), &result); err != nil || result.Rows != importRows || result.Added != importRows {
		b.Fatalf("%d of %d rows were added, %v: %s", result.Added, result.Rows, err, out.String())
	}
	return importResult{
		perSecond: importRows / took.Seconds(), memory: memory,
		cpu: (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(),
	}
}

func importConfig(b *testing.B, target string) string {
	b.Helper()
	return configured(b, "http://127.0.0.1:1", "127.0.0.1:1", target).File
}

// peakMemory is the most that a process held so far, in MiB; 0 where Linux does not tell. What wait reports of a child's memory
// will not do: a child begins with the peak of its parent.
func peakMemory(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseFloat(string(fields[0]), 64)
	return kib / 1024
}
