package proof

import (
	"context"
	"fmt"
	"io"
	"net/http"
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

// playDisk fills the disk of the database in the middle of a run, while stops come in, and makes space again: nothing is sent that
// is not on record, nothing acknowledged that was not stored, /readyz says what is wrong, and all goes on by itself (F16).
func playDisk(t *testing.T, target string, seed uint64, soak length) {
	people := soak.of(900, 6000)
	disk := newSmallDisk(t, 64<<20)
	own, grown := "sqlite:"+disk.path+"/permesso.db", disk.path+"/permesso.db-wal"
	r := newRig(t, "disk", own, seed, settings{people: people, perSecond: soak.of(200, 80)})
	p := r.serve(r.houses[0])
	r.detach("offer")
	r.untilPosted(20)
	r.must("filling the disk", disk.fill(p, grown))
	r.must("/readyz says that the disk is full", eventually(patience, func() error {
		status, text := r.readiness()
		if status != http.StatusServiceUnavailable || !strings.Contains(text, disk.path+"/permesso.db") || !strings.Contains(text, "bytes are free") {
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
	refused := r.player.Refused()[http.StatusServiceUnavailable]
	before := r.posted()
	r.must("making space", disk.clear(p))
	began := time.Now()
	r.must("/readyz is content again", eventually(patience, func() error { return answers("http://" + r.houses[0].metrics + "/readyz") }))
	recovered := time.Since(began)
	<-said
	r.untilOver()
	r.powered("bodies that were refused while the disk was full", refused, 1)
	r.powered("messages after there was space again", r.posted()-before, 1)
	for status := range r.player.Refused() {
		if status != http.StatusServiceUnavailable {
			t.Errorf("%s, seed %d: a body was refused with %d", r.name, r.seed, status)
		}
	}
	// What was on its way when the disk filled could not be recorded: 200 a second for a second, and two batches.
	r.law.MaxUnknown = 300
	early := r.law
	early.Told = false
	r.audit(early)
	r.law.MaxUnknown = 0
	t.Logf("disk, %s: full for %s, %d bodies refused, ready %s after", disk.way(), full, refused, recovered.Round(time.Millisecond))
	r.judge()
}
