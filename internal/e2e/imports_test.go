package e2e

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/permesso/permesso/internal/store/storetest"
)

// importListed is a line of `contacts imports --json`.
type importListed struct {
	ID, Kind   string
	Added      int
	FinishedAt string `json:"finished_at"`
	UndoneAt   string `json:"undone_at"`
}

// An import that is cut off, by Ctrl-C or as by power loss, has an id under which all that it committed is taken back.
func TestAnImportThatIsCutOffCanBeUndone(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.plainPeople(40)
		before := h.must("contacts", "export")
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
			path := h.path(fmt.Sprintf("contacts.%d.csv", signal))
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			p := h.start("contacts", "import", path)
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			// The file goes on for ever; only its first batch is complete.
			const batch = 20_000
			w := bufio.NewWriter(file)
			fmt.Fprintln(w, "phone,name,points")
			for i := range batch + 3000 {
				fmt.Fprintf(w, "+39348%07d,Person %d,%d\n", i, i, i%100)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			var noted importListed
			h.eventually("the first batch is stored", func() error {
				list := objects[importListed](t, h.must("contacts", "imports", "--json", "--limit", "1"))
				if len(list) == 0 || list[0].Added != batch || list[0].UndoneAt != "" {
					return fmt.Errorf("imports: %+v", list)
				}
				noted = list[0]
				return nil
			})
			p.signal(signal)
			code := p.wait(patience)
			_ = file.Close() // nobody reads it any more
			if signal == syscall.SIGINT && (code != 4 || !strings.Contains(p.err.String(), "contacts import --undo "+noted.ID)) {
				t.Errorf("Ctrl-C: exit %d, says %s", code, tail(p.err.String()))
			}
			if noted.FinishedAt != "" || noted.Kind != "contacts" {
				t.Errorf("the import that is cut off is listed as %+v", noted)
			}
			undone := object[struct{ Removed, Remembered, Restored, Kept int }](h, "contacts", "import", "--undo", noted.ID)
			if undone.Removed != batch || undone.Remembered+undone.Restored+undone.Kept != 0 {
				t.Errorf("undoing it did %+v", undone)
			}
			if after := h.must("contacts", "export"); after != before {
				t.Errorf("the undo left %d lines of contacts, want the %d there were", strings.Count(after, "\n"), strings.Count(before, "\n"))
			}
		}
	})
}
