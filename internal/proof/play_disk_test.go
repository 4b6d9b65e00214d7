package proof

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// stopsOf sends everybody's STOP at once, as Meta does again and again until it is taken, and returns when each was taken.
// All share the player's slots; whoever is not taken within the span fails the scenario.
func (r *rig) stopsOf(people []string, within time.Duration) (taken []time.Time) {
	r.stops += len(people)
	taken = make([]time.Time, len(people))
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var at sync.WaitGroup
	for i, phone := range people {
		at.Go(func() {
			var err error
			if taken[i], err = r.player.Say(ctx, Voice{Phone: WaID(phone)}.Writes(accountID, numberID, "STOP"), &Stop{phone, "all"}); err != nil {
				r.t.Errorf("%s, seed %d: %v", r.name, r.seed, err)
			}
		})
	}
	at.Wait()
	return taken
}

// readiness is what /readyz of the first house says: its status and its sentence.
func (r *rig) readiness() (int, string) {
	client := &http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + r.houses[0].metrics + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, strings.TrimSpace(string(text))
}

// writes has permesso store, or refuse, a webhook of which it keeps the body, with much in it that no compression shortens.
func (r *rig) writes() {
	random := make([]byte, 32<<10)
	for i := range random {
		random[i] = byte(r.chance.Uint32())
	}
	body := wrap(accountID, numberID, "account_review_update", map[string]any{"decision": "APPROVED", "padding": hex.EncodeToString(random)})
	request, err := http.NewRequest(http.MethodPost, "http://"+r.houses[0].webhook+"/webhook", bytes.NewReader(body))
	r.must("writing a request", err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Hub-Signature-256", signed(appSecret, body))
	if answer, err := (&http.Client{Timeout: patience}).Do(request); err == nil { // whatever the answer is
		_ = answer.Body.Close()
	}
}

// filling is how the disk of a database is filled: what keeps it, whose files may not grow where no disk can be mounted, and what
// /readyz has to say.
type filling struct {
	disk      *smallDisk
	database  string
	processes func(serve *process) []int
	most      func() (int64, error) // to which files may grow
	sentence  []string
	revive    func()
}

// newFilling makes a small disk with an empty database.
func newFilling(t *testing.T, target string, mayMount bool) filling {
	t.Helper()
	if !strings.HasPrefix(target, "postgres") {
		disk := newSmallDisk(t, 64<<20, mayMount)
		path := disk.path + "/permesso.db"
		return filling{
			disk: disk, database: "sqlite:" + path, sentence: []string{path, "bytes are free"}, revive: func() {},
			processes: func(serve *process) []int { return []int{serve.cmd.Process.Pid} },
			most: func() (int64, error) {
				at, err := os.Stat(path + "-wal")
				if err != nil {
					return 0, err
				}
				return at.Size(), nil
			},
		}
	}
	disk := newSmallDisk(t, 128<<20, true) // the server is another user's, whose files only a mount can bound
	// The server keeps no log files for later, which would be room of its own on a full disk.
	c := newClusterIn(t, disk.path, "wal_recycle=off", "min_wal_size=2MB", "max_wal_size=2MB")
	return filling{
		disk: disk, database: c.url, sentence: []string{"the database cannot be written"}, revive: c.revive,
		processes: func(*process) []int { return c.processes() },
		most:      func() (int64, error) { return pageBytes, nil },
	}
}

// playDisk fills the disk of the database in the middle of a run, while stops come in, and makes space again: nothing is sent that
// is not on record, nothing acknowledged that was not stored, /readyz says what is wrong, and all goes on by itself (F16). A server
// of PostgreSQL that gives up for want of space is started again.
func playDisk(t *testing.T, target string, seed uint64, soak length) {
	people := soak.of(600, 6000)
	f := newFilling(t, target, seed%4 != 3)
	r := newRig(t, "disk", f.database, seed, settings{people: people, perSecond: soak.of(60, 80)})
	p := r.serve(r.houses[0])
	r.detach("offer")
	r.untilPosted(20)
	most, err := f.most()
	r.must("looking at the disk", err)
	r.must("filling the disk", f.disk.fill(f.processes(p), most))
	r.must("/readyz says that the disk is full", eventually(patience, func() error {
		r.writes() // a server finds room for a little in files that it has
		status, text := r.readiness()
		if status != http.StatusServiceUnavailable || slices.ContainsFunc(f.sentence, func(s string) bool { return !strings.Contains(text, s) }) {
			return fmt.Errorf("/readyz: %d %q", status, text)
		}
		return nil
	}))
	stopping := r.unreached(soak.of(60, 500))
	said := make(chan struct{})
	full := time.Duration(soak.of(6, 60)) * time.Second
	go func() {
		defer close(said)
		r.stopsOf(stopping, full+2*patience)
	}()
	time.Sleep(full)
	if !p.running() {
		t.Fatalf("serve ended with the disk full: %s", p.err.String())
	}
	_, text := r.readiness()
	pids := f.processes(p)
	refused := r.player.Refused()[http.StatusServiceUnavailable]
	before := r.posted()
	r.must("making space", f.disk.clear(pids))
	f.revive()
	began := time.Now()
	r.must("/readyz is content again", eventually(patience, func() error { return answers("http://" + r.houses[0].metrics + "/readyz") }))
	recovered := time.Since(began)
	<-said
	r.untilOver()
	r.powered("bodies that were refused while the disk was full", refused, 1)
	r.powered("messages after there was space again", r.posted()-before, 1)
	for status := range r.player.Refused() {
		if status != http.StatusServiceUnavailable {
			t.Errorf("disk, seed %d: a body was refused with %d", seed, status)
		}
	}
	// What was on its way when the disk filled could not be recorded: 150 a second for a second, and two batches.
	r.law.MaxUnknown = 300
	early := r.law
	early.Told = false
	r.audit(early)
	r.law.MaxUnknown = 0
	t.Logf("disk, %s: full for %s, %d bodies refused, ready %s after; /readyz said %q", f.disk.way(), full, refused, recovered.Round(time.Millisecond), text)
	r.judge()
}
