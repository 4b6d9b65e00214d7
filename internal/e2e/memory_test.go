package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A file may be of any size: an import reads it once, row by row, and remembers no more of a long one than of a short one.
func TestImportsTakeTheSameMemoryForAnyFile(t *testing.T) {
	t.Parallel()
	const few, many = 30_000, 90_000 // both more than a batch, which is filled once
	const most = 48                  // MiB more for the many: a row that is kept takes more than a kilobyte
	const bound = 150                // MiB, for a file of any size
	for _, kind := range []struct{ verb, head, row string }{
		{"contacts", "phone,name,language,coupon,tags", "+39347%07[1]d,Person %[1]d,it,c%[1]d,club;x"},
		{"consent", "phone,category,action,at,source,wording,evidence", "+39347%07[1]d,offers,granted,2026-10-01T10:00:00Z,web_form,Sì alle offerte di Libreria Aurora,form %[1]d"},
		{"suppress", "phone,reason,at,source", "+39347%07[1]d,asked %[1]d,2026-10-01T10:00:00Z,till"},
	} {
		h := newHouse(t, "sqlite:permesso.db", settings{})
		took := func(rows int) int64 {
			var text strings.Builder
			fmt.Fprintln(&text, kind.head)
			for i := range rows {
				fmt.Fprintf(&text, kind.row+"\n", i)
			}
			p := h.start(kind.verb, "import", h.write(kind.verb+".csv", text.String()), "--json")
			high := peak(p)
			if code := p.wait(3 * patience); code != 0 || !strings.Contains(p.out.String(), `"rejected":0`) {
				t.Fatalf("importing %s: exit %d: %s%s", kind.verb, code, p.out.String(), tail(p.err.String()))
			}
			return high
		}
		short, long := took(few), took(many)
		t.Logf("%s: %d MiB for %d rows, %d MiB for %d", kind.verb, short, few, long, many)
		if long > short+most || max(short, long) > bound {
			t.Errorf("%s: %d MiB for %d rows, and %d MiB for %d", kind.verb, short, few, long, many)
		}
	}
}

// peak is the most memory that a process has taken when it ends, in MiB. The kernel keeps the figure for the process as long as
// it lives; what it tells after that, ru_maxrss, has in it what the test's own process had when it began the other.
func peak(p *process) int64 {
	var most int64
	for give := time.Now().Add(3 * patience); p.running() && time.Now().Before(give); {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		if err == nil {
			for line := range strings.Lines(string(status)) {
				var kib int64
				if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
					most = max(most, kib>>10)
				}
			}
		}
		select {
		case <-p.over:
		case <-time.After(2 * time.Millisecond):
		}
	}
	return most
}
