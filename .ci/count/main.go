// Command count reads `go test -json` on standard input and prints what a person wants of it: a line per package, the
// output of what failed, the reason of what was skipped, how many tests ran on each database, and as the last line the
// totals in the form "N passed, N failed, N skipped". It exits 1 when anything failed, when no package reported, or when
// the store was tested and one of the databases saw no test.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	failed, err := run(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
	if failed {
		os.Exit(1)
	}
}

// run reads events until the end of in. It reports whether the tests as a whole failed; the error is one of reading.
func run(in io.Reader, out io.Writer) (failed bool, err error) {
	w := bufio.NewWriter(out)
	defer func() {
		if flushErr := w.Flush(); err == nil {
			err = flushErr
		}
	}()

	t := tally{out: w, packages: map[string]*packageRun{}}
	lines := bufio.NewReader(in)
	for {
		line, readErr := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				// The go command's own words, not a test's.
				fmt.Fprintf(w, "%s", line)
			} else {
				t.add(e)
			}
			// A package may take minutes: what is known is shown.
			if err := w.Flush(); err != nil {
				return false, fmt.Errorf("writing: %w", err)
			}
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return false, fmt.Errorf("reading test events: %w", readErr)
		}
	}
	return t.finish(), nil
}
