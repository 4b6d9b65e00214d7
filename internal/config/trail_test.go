package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/config"
)

// Whatever a configuration is read from is watched: the file, those it includes, those that may yet be included, and its secrets.
func TestTrail(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "config.yaml")
	at := func(name string) string { return filepath.Join(folder, name) }
	whole := strings.Replace(head, "${WHATSAPP_ACCESS_TOKEN}", "${file:token}", 1) + tail + "include: [more/*.yaml]\n"
	list := strings.ReplaceAll(strings.TrimPrefix(tail, "campaigns:\n"), "weekend-offer", "friday")
	write(t, path, whole)
	write(t, at("token"), "one\n")
	write(t, at("more/a.yaml"), list)
	step := func(what string, valid bool, change func()) {
		t.Helper()
		_, before, _ := config.Trace(path, secrets)
		if before.Changed() {
			t.Errorf("%s: it has changed before", what)
		}
		change()
		if !before.Changed() {
			t.Errorf("%s: the change is not seen", what)
		}
		cfg, after, err := config.Read(path, secrets)
		if after.Changed() || (err == nil) != valid || (cfg != nil) != valid {
			t.Errorf("%s: %v; want it to be valid: %t", what, err, valid)
		}
	}
	step("a comment", true, func() { write(t, path, "# hello\n"+whole) })
	step("the same length, in the same moment", true, func() {
		stat, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, "# hallo\n"+whole)
		if err := os.Chtimes(path, stat.ModTime(), stat.ModTime()); err != nil {
			t.Fatal(err)
		}
	})
	step("another file in its place", true, func() {
		write(t, at("config.new"), whole)
		if err := os.Rename(at("config.new"), path); err != nil {
			t.Fatal(err)
		}
	})
	step("an included file", true, func() { write(t, at("more/a.yaml"), list+"    priority: 3\n") })
	step("a new file", true, func() { write(t, at("more/b.yaml"), strings.Replace(list, "friday", "monday", 1)) })
	step("a secret", true, func() { write(t, at("token"), "two\n") })
	step("a mistake", false, func() { write(t, path, "nonsense: 1\n"+whole) })
	step("another mistake", false, func() { write(t, path, "nonsence: 1\n"+whole) })
	step("no file", false, func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	})
	step("back again", true, func() { write(t, path, whole) })
	step("a file less", true, func() {
		if err := os.Remove(at("more/b.yaml")); err != nil {
			t.Fatal(err)
		}
	})
	step("a secret that is gone", false, func() {
		if err := os.Remove(at("token")); err != nil {
			t.Fatal(err)
		}
	})
	if !(config.Trail{}).Changed() {
		t.Error("nothing was read, and nothing changed since")
	}
}

// A file that is being written is read when that is over; one that never ends to be written is refused.
func TestReadWaitsForTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	synctest.Test(t, func(t *testing.T) { // a writer that a busy machine holds up looks like one that is done
		write(t, path, head)
		var writing sync.WaitGroup
		stop := make(chan struct{})
		keepWriting := func(pieces ...string) {
			writing.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(60 * time.Millisecond):
					}
					if i < len(pieces) {
						write(t, path, pieces[i])
					} else if len(pieces) == 0 {
						write(t, path, head+tail+"#"+strings.Repeat("x", i))
					} else {
						return
					}
				}
			})
		}
		keepWriting(head+"#1", head+"#2", head+tail)
		cfg, _, err := config.Read(path, secrets)
		writing.Wait()
		if err != nil || len(cfg.Campaigns) != 1 {
			t.Errorf("read in the middle: %v", err)
		}
		keepWriting()
		_, _, err = config.Read(path, secrets)
		close(stop)
		writing.Wait()
		if err == nil || !strings.Contains(err.Error(), "does not stop changing") {
			t.Errorf("a file without end: %v", err)
		}
	})
}
