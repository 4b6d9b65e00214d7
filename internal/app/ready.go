package app

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/store"
)

// spaceNeeded is how many bytes must be free beside a SQLite file: with less, one commit of webhooks may not fit any more.
const spaceNeeded = 1 << 20

// refusedFor is how long webhooks that could not be stored make the service unready: no longer, since who looks at /readyz may send
// no more of them, of which one would have to be stored.
const refusedFor = 10 * time.Second

// ready answers /readyz: 200 when the database can be written, else 503 and one sentence that says what is wrong.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	err := a.Store.Ping(ctx)
	why := unready(a.Config.Database, err)
	if why == "" && a.refuses(time.Now()) {
		why = "the database cannot be written: the last webhooks could not be stored, the log says why"
	}
	if why == "" {
		// Also in quarantine it is ready for what it must do: take webhooks, and the stops in them.
		text := "ok\n"
		if warning := a.warning(); warning != "" {
			text += warning + "\n"
		}
		_, _ = w.Write([]byte(text))
		return
	}
	if err != nil {
		a.Log.Error("not ready: "+why, "error", err)
	}
	http.Error(w, why, http.StatusServiceUnavailable)
}

// refuses reports whether this process could store nothing of the webhooks that came just now. A database may have room for the
// little that is written to ask it, and none for them.
func (a *App) refuses(now time.Time) bool {
	r := a.ears.Load()
	return r != nil && r.Failures() >= failedInARow && now.Sub(r.FailedAt()) < refusedFor
}

// unready says why the database cannot be worked with, "" when it can; err is what came of writing to it.
func unready(database string, err error) string {
	code, _ := store.ErrorCode(err)
	path, local := strings.CutPrefix(database, "sqlite:")
	if !local {
		switch {
		case err == nil:
			return ""
		case code == errcode.DatabaseFull:
			return "the database cannot be written: the disk of the PostgreSQL server is full; make space there, and the service goes on by itself"
		}
		return "the database cannot be written"
	}
	var disk syscall.Statfs_t
	if failed := syscall.Statfs(filepath.Dir(path), &disk); failed != nil {
		return fmt.Sprintf("the folder of the database %s cannot be looked at: %v", path, failed)
	}
	free := uint64(disk.Bavail) * uint64(disk.Bsize)
	switch {
	case err == nil && free >= spaceNeeded:
		return ""
	case err == nil || code == errcode.DatabaseFull:
		return fmt.Sprintf("the disk of the database %s is full, %d bytes are free: make space there, and the service goes on by itself", path, free)
	}
	return fmt.Sprintf("the database %s cannot be written; %d bytes are free on its disk", path, free)
}
