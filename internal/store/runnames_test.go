package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/scheduler"
)

func TestRunNames(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		var ids []string
		for i, campaign := range []string{"older", "newer", "newest"} {
			run, _, err := s.CreateRun(t.Context(), scheduler.Run{CampaignID: campaign, State: scheduler.Paused, FireAt: time.Date(2026, 11, 20+i, 17, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, run.ID)
		}
		// Somebody else is at work; what they have not committed is not there yet.
		busy, err := storetest.SQL(t, target).BeginTxx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = busy.Rollback() }()
		if _, err := busy.ExecContext(t.Context(), "UPDATE runs SET state = 'done'"); err != nil {
			t.Fatal(err)
		}
		names, err := store.RunNames(t.Context(), target, 2)
		if err != nil {
			t.Fatal(err)
		}
		want := []store.RunName{{ID: ids[2], Campaign: "newest", State: scheduler.Paused}, {ID: ids[1], Campaign: "newer", State: scheduler.Paused}}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRunNamesOnlyLook(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "p ?#.db")
	if _, err := store.RunNames(t.Context(), "sqlite:"+path, 9); err == nil {
		t.Error("a database that is not there has runs")
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("looking made %v, %v", entries, err)
	}
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if names, err := store.RunNames(t.Context(), "sqlite:"+path, 9); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("looking left %v, %v", entries, err)
	}
	for _, wrong := range []string{"sqlite:" + folder, "postgres://u:geheim@127.0.0.1:1/p?sslmode=disable"} {
		if _, err := store.RunNames(t.Context(), wrong, 9); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
