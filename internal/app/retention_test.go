package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/sender"
)

const retained = `version: 1
business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}
graph: {account_id: "500600700800", access_token: "${S}", app_secret: "${S}", verify_token: "${S}"}
numbers: [{id: "111222333444", messages_per_second: 80}]
categories: {offers: {kind: marketing}}
retention: {webhooks: 7d}
`

// openRetained opens an installation in a folder.
func openRetained(t *testing.T, folder string) *App {
	t.Helper()
	path := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(path, []byte(retained), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, func(string) (string, bool) { return "secret-of-tests", true })
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestServeDeletesWhatIsOld lets days pass: what is a week old goes within the next hours, and by one process at a time.
func TestServeDeletesWhatIsOld(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := openRetained(t, folder)
		if _, err := a.Store.Store(t.Context(), []sender.Inbox{{Body: []byte(`{"field":"new"}`), BodyHash: [32]byte{1}}}); err != nil {
			t.Fatal(err)
		}
		kept := func() int {
			all, err := a.Store.Forgettable(t.Context(), store.Ages{Webhooks: time.Microsecond})
			if err != nil {
				t.Fatal(err)
			}
			return all.Webhooks
		}
		working := func() bool {
			for _, p := range a.workers([]Role{RoleScheduler}) {
				if p.name == "retention" {
					return true
				}
			}
			return false
		}
		if !working() {
			t.Error("serve has nobody who deletes")
		}
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan error)
		go func() { over <- a.forgetting(ctx) }()
		time.Sleep(7*24*time.Hour - time.Second)
		if n := kept(); n != 1 {
			t.Errorf("%d bodies are kept for less than a week, want 1", n)
		}
		// Another process is at it: this one leaves it alone.
		if held, _, err := a.Store.Hold(t.Context(), retentionLease, "another", 3*time.Hour); err != nil || !held {
			t.Fatalf("held %t, %v", held, err)
		}
		time.Sleep(2 * time.Hour)
		if n := kept(); n != 1 {
			t.Errorf("%d bodies are left while another process deletes, want 1", n)
		}
		time.Sleep(4 * time.Hour)
		if n := kept(); n != 0 {
			t.Errorf("%d bodies are kept for longer than a week", n)
		}
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
		entries, err := a.Store.Audited(t.Context(), 0)
		if err != nil || len(entries) != 1 || entries[0].Actor != "serve" || entries[0].Details != "0 deliveries of 0 runs, 1 webhooks, 0 review texts" {
			t.Errorf("the audit log has %+v, %v", entries, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}
