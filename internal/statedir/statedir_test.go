package statedir_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/statedir"
	"github.com/permesso/permesso/policy"
)

// ledger is a database of stops in which the n-th change is of the n-th stop.
type ledger struct {
	mu      sync.Mutex
	records []policy.StopRecord
	failing error
}

func (l *ledger) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.records = append(l.records, record(len(l.records)))
	}
}

func record(n int) policy.StopRecord {
	r := policy.StopRecord{
		Scope: policy.ScopeAll, Origin: policy.OriginOperator, Reason: fmt.Sprintf("complaint %d\n\"quoted\"", n), Source: "suppressions.csv",
		At: time.Date(2026, 11, 22, 5, 0, n, 1000, time.UTC),
	}
	copy(r.Hash[:], fmt.Sprintf("%016d", n))
	if n%3 == 0 {
		r.LiftedAt = r.At.Add(time.Microsecond)
	}
	return r
}

func (l *ledger) LastStopChange(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.records)), nil
}

func (l *ledger) StopChanges(_ context.Context, after, through int64) iter.Seq2[policy.StopRecord, error] {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := slices.Clone(l.records[max(after, 0):through])
	return func(yield func(policy.StopRecord, error) bool) {
		for i, r := range records {
			if l.failing != nil && i == len(records)/2 {
				yield(policy.StopRecord{}, l.failing)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func read(t *testing.T, j *statedir.Journal) []policy.StopRecord {
	t.Helper()
	var records []policy.StopRecord
	for r, err := range j.Records() {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func TestJournalFollowsTheDatabase(t *testing.T) {
	dir := statedir.At(filepath.Join(t.TempDir(), "state"))
	journal, db := dir.Journal("abc"), &ledger{}
	if through, err := journal.Through(); through >= 0 || err != nil {
		t.Errorf("a journal that is not there is whole up to %d, %v", through, err)
	}
	db.add(4)
	if n, err := journal.CatchUp(t.Context(), db, false); n != 4 || err != nil {
		t.Fatalf("CatchUp = %d, %v", n, err)
	}
	if n, err := journal.CatchUp(t.Context(), db, false); n != 0 || err != nil {
		t.Fatalf("CatchUp again = %d, %v", n, err)
	}
	db.add(300)
	if n, err := journal.CatchUp(t.Context(), db, false); n != 300 || err != nil {
		t.Fatalf("CatchUp = %d, %v", n, err)
	}
	if diff := cmp.Diff(db.records, read(t, journal)); diff != "" {
		t.Errorf("the journal (-database +journal):\n%s", diff)
	}
	if n, err := journal.CatchUp(t.Context(), db, true); n != 304 || err != nil {
		t.Errorf("CatchUp anew = %d, %v", n, err)
	}
	older := &ledger{records: db.records[:200]}
	if _, err := journal.CatchUp(t.Context(), older, false); !errors.Is(err, statedir.ErrAhead) {
		t.Errorf("of an older database: %v, want ErrAhead", err)
	}
	if _, err := dir.Journal("other").CatchUp(t.Context(), db, true); err == nil {
		t.Error("the journal of another installation was written")
	}
}

// Several processes append to one journal: no line is torn, none is missing.
func TestManyWriters(t *testing.T) {
	path, db := t.TempDir(), &ledger{}
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			journal := statedir.At(path).Journal("abc")
			for range 20 {
				db.add(1)
				if _, err := journal.CatchUp(t.Context(), db, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if diff := cmp.Diff(db.records, read(t, statedir.At(path).Journal("abc"))); diff != "" {
		t.Errorf("the journal (-database +journal):\n%s", diff)
	}
}

// Wherever a journal is cut off, and whatever a power cut leaves behind it, what was whole stays, and the next process brings the rest.
func TestTornTail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path, err := os.MkdirTemp("", "journal-")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(path) }()
		journal, db := statedir.At(path).Journal("abc"), &ledger{}
		for range rapid.IntRange(1, 4).Draw(t, "appends") {
			db.add(rapid.IntRange(0, 5).Draw(t, "stops"))
			if _, err := journal.CatchUp(context.Background(), db, false); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(path, "suppressions.journal")
		text, err := os.ReadFile(file)
		if err != nil && len(db.records) > 0 {
			t.Fatal(err)
		}
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		junk := rapid.SampledFrom([]string{"", "\x00\x00\x00", "\x00\n\x00\n", "0badc0de {}\n", "deadbeef"}).Draw(t, "junk")
		if err := os.WriteFile(file, append(slices.Clone(text[:cut]), junk...), 0o600); err != nil {
			t.Fatal(err)
		}
		db.add(1)
		if _, err := journal.CatchUp(context.Background(), db, false); err != nil {
			t.Fatal(err)
		}
		found := map[[16]byte]policy.StopRecord{}
		for r, err := range journal.Records() {
			if err != nil {
				t.Fatal(err)
			}
			found[r.Hash] = r
		}
		for _, r := range db.records {
			if diff := cmp.Diff(r, found[r.Hash]); diff != "" {
				t.Fatalf("a stop is not in the journal:\n%s", diff)
			}
		}
	})
}

// A line that is damaged in the middle stops everything: what stands there may be a stop.
func TestDamagedInTheMiddle(t *testing.T) {
	path, db := t.TempDir(), &ledger{}
	journal := statedir.At(path).Journal("abc")
	db.add(20)
	if _, err := journal.CatchUp(t.Context(), db, false); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "suppressions.journal")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines[5] = strings.Replace(lines[5], "operator", "0perator", 1)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range journal.Records() {
		last = err
	}
	if code, _ := errcode.Of(last); !errors.Is(last, statedir.ErrDamaged) || code != errcode.JournalDamaged || !strings.Contains(last.Error(), "line 6 ") {
		t.Errorf("a damaged line ends in %v", last)
	}
}

// What cannot be written whole is taken back, and written later.
func TestAppendThatFails(t *testing.T) {
	journal, db := statedir.At(t.TempDir()).Journal("abc"), &ledger{}
	db.add(3)
	if _, err := journal.CatchUp(t.Context(), db, false); err != nil {
		t.Fatal(err)
	}
	db.add(10_000)
	db.failing = errors.New("the database went away")
	if _, err := journal.CatchUp(t.Context(), db, false); !errors.Is(err, db.failing) {
		t.Errorf("CatchUp: %v", err)
	}
	if n := len(read(t, journal)); n != 3 {
		t.Errorf("%d stops are left, want 3", n)
	}
	db.failing = nil
	if n, err := journal.CatchUp(t.Context(), db, false); n != 10_000 || err != nil {
		t.Errorf("CatchUp = %d, %v", n, err)
	}
}

func TestInstanceFileNeverGoesBack(t *testing.T) {
	dir := statedir.At(filepath.Join(t.TempDir(), "a", "b"))
	if _, found, err := dir.Instance(); found || err != nil {
		t.Errorf("an instance file that is not there: %t, %v", found, err)
	}
	first, err := dir.Claim(t.Context(), "abc")
	if err != nil || first.Home == "" || first.Instance != "abc" || first.Seq != 0 {
		t.Fatalf("Claim = %+v, %v", first, err)
	}
	if again, err := dir.Claim(t.Context(), "other"); again != first || err != nil {
		t.Errorf("Claim by another installation = %+v, %v, want what is there", again, err)
	}
	judged := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	for _, seq := range []int64{5, 3, 9, 8} {
		next := first
		next.Seq, next.Judged = seq, judged.Add(time.Duration(seq)*time.Hour)
		if err := dir.Keep(t.Context(), next); err != nil {
			t.Fatal(err)
		}
	}
	if i, found, err := dir.Instance(); !found || err != nil || i.Seq != 9 || !i.Judged.Equal(judged.Add(9*time.Hour)) {
		t.Errorf("the file has %+v, %t, %v", i, found, err)
	}
	names, err := dir.SetAside(t.Context(), "abc")
	if err != nil || !slices.Equal(names, []string{"instance.json.of-abc"}) {
		t.Errorf("SetAside = %v, %v", names, err)
	}
	if fresh, err := dir.Claim(t.Context(), "other"); err != nil || fresh.Home == first.Home || fresh.Instance != "other" {
		t.Errorf("Claim after that = %+v, %v", fresh, err)
	}
}

// A file of the version before, which knew no homes, gets one.
func TestInstanceFileOfAnOlderVersion(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "instance.json"), []byte(`{"instance":"abc"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if i, err := statedir.At(path).Claim(t.Context(), "abc"); err != nil || i.Home == "" {
		t.Errorf("Claim = %+v, %v", i, err)
	}
	for _, text := range []string{"", "{", "{}", "null", `{"instance":7}`} {
		if err := os.WriteFile(filepath.Join(path, "instance.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := statedir.At(path).Instance(); err == nil {
			t.Errorf("the file %q was read", text)
		}
		if _, err := statedir.At(path).Claim(t.Context(), "abc"); err == nil {
			t.Errorf("the file %q was written over", text)
		}
	}
}

// Whatever stands in the file, reading it ends, and never invents a stop: what is read was written whole.
func FuzzJournal(f *testing.F) {
	path := f.TempDir()
	db := &ledger{}
	db.add(3)
	if _, err := statedir.At(path).Journal("abc").CatchUp(f.Context(), db, false); err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(path, "suppressions.journal"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte("\n\n\n"))
	f.Add([]byte(strings.Repeat("x", 100_000)))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := t.TempDir()
		if err := os.WriteFile(filepath.Join(path, "suppressions.journal"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		journal := statedir.At(path).Journal("abc")
		for r, err := range journal.Records() {
			if err == nil && (r.At.IsZero() || r.Scope == "" || r.Origin == "") {
				t.Errorf("read %+v", r)
			}
		}
		_, _ = journal.Through()
	})
}
