package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/store/storetest"
)

// secondOffer is another campaign to the same people.
var secondOffer = strings.Replace(weekendOffer, "id: weekend-offer", "id: second-offer", 1)

// A backup is made in the middle of a run, the run goes on to its end, a hundred people opt out, and the backup is put back: nothing
// is sent before somebody says what the database is, nobody gets a message twice, and nobody who opted out gets one (reliability F29).
func TestRestoredBackup(t *testing.T) {
	t.Parallel()
	const people, stopped = 500, 100
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 150, campaigns: weekendOffer + secondOffer})
		all := h.plainPeople(people)
		p := h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(people / 4)
		p.kill()
		putBack := backUp(t, target)

		p = h.serve()
		lost := 0
		for _, line := range h.ends(run) {
			if line.State == "unknown" {
				lost++
			}
		}
		var who []string
		for i := range stopped {
			who = append(who, plainPhone(i*people/stopped))
		}
		h.stop(8, who, func(_ int, phone string) []byte { return wroteText(phone, "STOP") })
		p.signal(syscall.SIGTERM)
		p.wait(patience)
		sent := h.meta.count()

		putBack()
		p = h.serve()
		h.ready("Quarantine")
		h.refused(5, []string{"quarantine", "--after-restore", "[quarantined]"}, "run", "second-offer")
		h.refused(5, []string{"quarantine", "--after-restore"}, "resume")
		h.refused(5, []string{"older"}, "resume", "--join")
		h.refused(5, []string{"quarantine"}, "runs", "resume", run)
		if list := h.must("runs", "list"); !strings.Contains(list, "Quarantine") {
			t.Errorf("runs list says nothing of the quarantine:\n%s", list)
		}
		if r := object[runLine](h, "runs", "show", run); r.State != "running" || r.States["queued"] == 0 {
			t.Fatalf("the copy's run is %s: %v; the test shows nothing", r.State, r.States)
		}
		if listed := len(objects[stopLine](t, h.must("suppress", "list", "--json"))); listed != stopped {
			t.Errorf("%d stops hold at once after the restore, want %d", listed, stopped)
		}
		late := plainPhone(people - 1)
		h.stop(1, []string{late}, func(_ int, phone string) []byte { return wroteText(phone, "STOP") })
		// Longer than a dead process's lease.
		h.silentAfter(time.Now(), 6*time.Second)
		p.kill()
		h.serve()
		h.ready("Quarantine")
		h.silentAfter(time.Now(), 2*time.Second)
		if n := h.meta.count(); n != sent {
			t.Fatalf("%d messages left a restored database", n-sent)
		}

		h.refused(2, []string{"--yes"}, "resume", "--after-restore")
		done := object[struct {
			Journal                                 bool
			Runs, Cancelled, Unknown, Stops, Missed int
		}](h, "resume", "--after-restore", "--yes")
		if !done.Journal || done.Runs != 1 || done.Cancelled == 0 {
			t.Errorf("after the restore: %+v", done)
		}
		if r := object[runLine](h, "runs", "show", run); r.State != "cancelled" || !strings.Contains(r.Why, "restored") {
			t.Errorf("the run that was open in the copy is %s: %s", r.State, r.Why)
		}
		h.eventually("serve sends again", func() error { return h.readySays("ok\n") })
		second := strings.TrimSpace(h.must("run", "second-offer", "--detach"))
		lines := h.ends(second)
		stops := map[string]bool{personOf(late): true}
		for _, phone := range who {
			stops[personOf(phone)] = true
		}
		for person, line := range lines {
			if stops[person] != (line.State == "skipped" && line.Reason == "suppressed") {
				t.Errorf("…%s stopped: %v, and is %s (%s)", person[len(person)-5:], stops[person], line.State, line.Reason)
			}
		}
		posts := h.meta.posts()
		first := takenOnce(t, posts[:sent])
		if missing := len(all) - len(first); missing > lost {
			t.Errorf("%d got nothing of the first run, and only %d were lost with a process", missing, lost)
		}
		for person := range takenOnce(t, posts[sent:]) {
			if stops[person] {
				t.Errorf("…%s opted out and got a message", person[len(person)-5:])
			}
		}
		t.Logf("%d sent before the restore, %d of the copy's people cancelled, %d after", sent, done.Cancelled, len(posts)-sent)
	})
}

// A snapshot of all, state_dir too, is as good as the original until WhatsApp reports on a message that it does not know. (On
// PostgreSQL the database's number is another one, and nobody waits for that.)
func TestSnapshotOfAllIsNoticedByReports(t *testing.T) {
	t.Parallel()
	const people = 60
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 100})
		h.meta.with(func(f *faults) { f.statuses = everyStatus })
		h.meta.hooks.hold()
		h.plainPeople(people)
		release := h.meta.stallsAfter(people / 3)
		p := h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(people / 3)
		h.must("runs", "pause", run)
		release()
		p.signal(syscall.SIGTERM)
		p.wait(patience)
		putBack, kept := backUp(t, target), filepath.Join(t.TempDir(), "state")
		if err := os.CopyFS(kept, os.DirFS(h.path(".permesso"))); err != nil {
			t.Fatal(err)
		}
		h.must("runs", "resume", run)
		sent := h.meta.count()
		if sent != people {
			t.Fatalf("%d messages were sent, want %d", sent, people)
		}

		putBack()
		if err := os.RemoveAll(h.path(".permesso")); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(h.path(".permesso"), os.DirFS(kept)); err != nil {
			t.Fatal(err)
		}
		h.serve()
		h.meta.hooks.release()
		h.ready("Quarantine")
		h.eventually("everything is told", h.meta.hooks.told)
		h.refused(5, []string{"quarantine"}, "runs", "resume", run)
		h.must("resume", "--after-restore", "--yes")
		h.eventually("serve may send again", func() error { return h.readySays("ok\n") })
		if n := h.meta.count(); n != sent {
			t.Errorf("%d messages left a second time", n-sent)
		}
	})
}

// A copy of the database with a state_dir of its own sends nothing, though a run is open in it, until it is joined; the original goes on.
func TestCloneNeverSends(t *testing.T) {
	t.Parallel()
	const people = 200
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 100, campaigns: weekendOffer + secondOffer})
		all := h.plainPeople(people)
		release := h.meta.stallsAfter(people / 4)
		p := h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(people / 4)
		h.must("runs", "pause", run)
		release()
		p.signal(syscall.SIGTERM)
		p.wait(patience)
		sent := h.meta.count()

		clone := *h
		clone.dir, clone.webhook, clone.console, clone.metrics = t.TempDir(), freeAddress(t), freeAddress(t), freeAddress(t)
		clone.database = beside(t, target)
		copyDatabase(t, target, clone.database)
		clone.configure()
		clone.serve()
		clone.ready("Quarantine")
		clone.refused(5, []string{"quarantine", "--join", "--after-restore"}, "run", "second-offer")
		clone.refused(5, []string{"quarantine", "--join"}, "runs", "resume", run)
		clone.refused(5, []string{"quarantine", "--join"}, "resume")
		h.silentAfter(time.Now(), 3*time.Second)
		if n := h.meta.count(); n != sent {
			t.Fatalf("%d messages left a clone", n-sent)
		}

		// The original is untouched by all of that.
		h.must("runs", "resume", run)
		h.everyone(all)
		sent = h.meta.count()
		if out := clone.must("resume", "--join"); !strings.Contains(out, "accepted") {
			t.Errorf("resume --join says %q", out)
		}
		clone.eventually("the joined clone may send", func() error { return clone.readySays("ok\n") })
		second := strings.TrimSpace(clone.must("run", "second-offer", "--detach"))
		clone.ends(second)
		if n := h.meta.count() - sent; n != people {
			t.Errorf("the joined clone sent %d, want %d", n, people)
		}
	})
}

// A second worker from a folder of its own needs nobody's word while the first one is at work: what another process works with is
// no clone.
func TestASecondWorkerJoinsTheFirst(t *testing.T) {
	t.Parallel()
	const people = 60
	storetest.Postgres(t, func(t *testing.T, target string) {
		h := newHouse(t, target, settings{perSecond: 100, campaigns: weekendOffer})
		all := h.plainPeople(people)
		first := h.serve()
		h.eventually("the first may send", func() error { return h.readySays("ok\n") })
		second := *h
		second.dir, second.webhook, second.console, second.metrics = t.TempDir(), freeAddress(t), freeAddress(t), freeAddress(t)
		second.configure()
		other := second.serve()
		second.eventually("the second may send", func() error { return second.readySays("ok\n") })
		first.kill()
		second.ends(strings.TrimSpace(second.must("run", "weekend-offer", "--detach")))
		second.everyone(all)
		other.signal(syscall.SIGTERM)
		other.wait(patience)

		// Nobody is at work any more where the third looks.
		third := *h
		third.dir, third.webhook, third.console, third.metrics = t.TempDir(), freeAddress(t), freeAddress(t), freeAddress(t)
		third.database = beside(t, target)
		copyDatabase(t, target, third.database)
		third.configure()
		third.refused(5, []string{"quarantine", "--join"}, "run", "weekend-offer")
	})
}

// A stop is answered and holds while the journal cannot be written, which is said; a process that is killed then leaves it to the next to catch up.
func TestJournalThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.plainPeople(20)
		journal := filepath.Join(h.path(".permesso"), "suppressions.journal")
		stops := func() int {
			text, err := os.ReadFile(journal)
			if err != nil {
				return 0
			}
			if bytes.Contains(text, []byte(plainPhone(0)[4:])) {
				t.Error("the journal has a phone number in it")
			}
			return bytes.Count(text, []byte(`"hash"`))
		}
		stop := func(i int) {
			h.stop(1, []string{plainPhone(i)}, func(_ int, phone string) []byte { return wroteText(phone, "STOP") })
		}
		p := h.serve()
		stop(0)
		if n := stops(); n != 1 {
			t.Errorf("%d stops are in the journal when the webhook is answered, want 1", n)
		}
		aside := journal + ".aside"
		for _, move := range [][2]string{{journal, aside}} {
			if err := os.Rename(move[0], move[1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(journal, 0o700); err != nil { // as good as a full disk: nothing can be written there
			t.Fatal(err)
		}
		stop(1)
		if err := h.readySays("journal"); err != nil {
			t.Errorf("a journal that cannot be written: %v", err)
		}
		if listed := len(objects[stopLine](t, h.must("suppress", "list", "--json"))); listed != 2 {
			t.Errorf("%d stops hold, want 2", listed)
		}
		p.kill()
		if err := os.Remove(journal); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(aside)
		if err != nil {
			t.Fatal(err)
		}
		// And its tail is torn.
		if err := os.WriteFile(journal, append(text, "0badc0de {\"hash\":\"00"...), 0o600); err != nil {
			t.Fatal(err)
		}
		h.serve()
		h.eventually("the journal has both", func() error {
			if n := stops(); n != 2 {
				return fmt.Errorf("it has %d", n)
			}
			return h.readySays("ok\n")
		})
		h.must("suppress", "add", plainPhone(2))
		if n := stops(); n != 3 {
			t.Errorf("%d stops are in the journal after suppress add, want 3", n)
		}
		h.must("suppress", "remove", plainPhone(2), "--reason", "a mistake")
		if n := stops(); n != 4 {
			t.Errorf("%d lines of stops are in the journal after suppress remove, want 4", n)
		}
	})
}

// A database that is wholly another's is refused too, and nothing of either journal is mixed.
func TestStateDirOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.plainPeople(5)
		h.must("run", "weekend-offer")
		h.database = storetest.Beside(t, target)
		h.configure()
		h.plainPeople(5)
		sent := h.meta.count()
		h.refused(5, []string{"quarantine", "belongs to installation"}, "run", "weekend-offer")
		if n := h.meta.count(); n != sent {
			t.Errorf("%d messages left", n-sent)
		}
		if out := h.must("resume", "--join"); !strings.Contains(out, "kept there as instance.json.of-") {
			t.Errorf("resume --join says %q", out)
		}
		h.must("run", "weekend-offer")
		if n := h.meta.count() - sent; n != 5 {
			t.Errorf("%d messages left after the join, want 5", n)
		}
	})
}

// ready waits until /readyz answers 200 and says a word.
func (h *house) ready(word string) {
	h.t.Helper()
	h.eventually("readyz says "+word, func() error { return h.readySays(word) })
}

// readySays asks /readyz; "ok\n" wants that nothing else is said.
func (h *house) readySays(word string) error {
	answer, err := http.Get("http://" + h.metrics + "/readyz")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || !strings.Contains(string(text), word) || word == "ok\n" && string(text) != word {
		return fmt.Errorf("readyz: %s %q", answer.Status, text)
	}
	return nil
}

// backUp copies a database at rest and returns what puts the copy back in its place.
func backUp(t *testing.T, target string) (putBack func()) {
	t.Helper()
	backup := beside(t, target)
	copyDatabase(t, target, backup)
	return func() { copyDatabase(t, backup, target) }
}

// copyDatabase makes a database that nobody uses what another is.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	if path, ok := strings.CutPrefix(from, "sqlite:"); ok {
		db := storetest.SQL(t, from)
		made := filepath.Join(t.TempDir(), "copy.db")
		_, err := db.Exec("VACUUM INTO ?", made)
		if err != nil {
			t.Fatalf("copying %s: %v", path, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		place := strings.TrimPrefix(to, "sqlite:")
		for _, name := range []string{place, place + "-wal", place + "-shm"} {
			if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		if err := os.Rename(made, place); err != nil {
			t.Fatal(err)
		}
		return
	}
	admin := adminOf(t)
	defer func() { _ = admin.Close() }()
	if _, err := admin.Exec("DROP DATABASE IF EXISTS " + nameOf(t, to) + " WITH (FORCE)"); err != nil {
		t.Fatal(err)
	}
	// The connections of a process that was killed take a moment to be noticed.
	within(t, patience, "the database can be copied", func() error {
		_, err := admin.Exec("CREATE DATABASE " + nameOf(t, to) + " TEMPLATE " + nameOf(t, from))
		return err
	})
}

// beside names a database next to target that is not there yet, and is gone when the test is over. Unlike storetest.Beside it
// leaves no connection to target, which could not be copied then.
func beside(t *testing.T, target string) string {
	t.Helper()
	if strings.HasPrefix(target, "sqlite:") {
		return "sqlite:" + filepath.Join(t.TempDir(), "beside.db")
	}
	address, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	address.Path += "_beside"
	t.Cleanup(func() {
		admin := adminOf(t)
		defer func() { _ = admin.Close() }()
		if _, err := admin.Exec("DROP DATABASE IF EXISTS " + nameOf(t, address.String()) + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return address.String()
}

func adminOf(t *testing.T) *sqlx.DB {
	t.Helper()
	admin, err := sqlx.Connect("postgres", os.Getenv("PERMESSO_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	return admin
}

func nameOf(t *testing.T, target string) string {
	t.Helper()
	address, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(address.Path, "/")
}
