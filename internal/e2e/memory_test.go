package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// A file may be of any size: an import reads it once, row by row, and remembers no more of a long one than of a short one.
func TestImportsTakeTheSameMemoryForAnyFile(t *testing.T) {
	t.Parallel()
	const few, many = 5_000, 60_000
	const most = 48 // MiB more for the many: a row that is kept takes more than a kilobyte
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
			if code := p.wait(3 * patience); code != 0 || !strings.Contains(p.out.String(), `"rejected":0`) {
				t.Fatalf("importing %s: exit %d: %s%s", kind.verb, code, p.out.String(), tail(p.err.String()))
			}
			return p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
		}
		short, long := took(few), took(many)
		t.Logf("%s: %d MiB for %d rows, %d MiB for %d", kind.verb, short, few, long, many)
		if long > short+most {
			t.Errorf("%s: %d MiB for %d rows, and %d MiB for %d", kind.verb, short, few, long, many)
		}
	}
}
