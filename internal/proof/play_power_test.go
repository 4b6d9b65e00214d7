package proof

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playPower cuts the power again and again while a run sends and stops come in: all that was posted or acknowledged before must be
// on record after (F17). Of SQLite it takes images of what the disk may hold, and the run goes on; PostgreSQL's server is
// struck dead, in the long form permesso with it, and started again.
func playPower(t *testing.T, target string, seed uint64, soak length) {
	if strings.HasPrefix(target, "postgres") {
		playPowerServer(t, seed, soak)
		return
	}
	cuts, people := soak.of(20, 500), soak.of(900, 12000)
	r := newRig(t, "power", target, seed, settings{people: people, perSecond: 90})
	database := strings.TrimPrefix(target, "sqlite:")
	told := tellsSynced(filepath.Dir(database))
	p := r.serve(r.houses[0])
	r.detach("offer")
	r.must("the run is planned", eventually(patience, func() error { // a large one sends before: then an image has a part of its people
		planned, err := r.count("SELECT count(*) FROM runs WHERE planned_at IS NOT NULL")
		if err == nil && planned == 0 {
			err = errors.New("it is not")
		}
		return err
	}))
	r.untilPosted(5)
	said := r.stopNowAndThen(people / 8)
	var torn int64
	early, stopped, unsafe := 0, 0, 0
	for range cuts {
		r.pause(150 * time.Millisecond)
		if open, err := r.count("SELECT count(*) FROM deliveries WHERE state IN ('queued', 'sending')"); err == nil && open > 0 {
			early++
		}
		made, evidence := r.cutPower(p, database, told)
		torn += made.torn
		if made.torn > 0 {
			unsafe++
		}
		v := r.auditImage(evidence)
		stopped = max(stopped, v.stopsSeen)
		r.kills++
		if t.Failed() {
			break // each image would say the same again
		}
	}
	close(said.enough)
	<-said.over
	r.stops = stopped
	r.untilOver()
	r.powered("images of a run in the middle", early, soak.of(cuts/5, cuts*3/4))
	r.powered("stops that were acknowledged before an image", stopped, 1)
	r.powered("images with something that was not on the disk", unsafe, 1)
	t.Logf("power: %d images, %d of them in the middle of the run, %d with %d bytes that were not on the disk, the kernel says what is: %t", cuts, early, unsafe, torn, told)
	r.judge()
}

// saying is what goes on beside a scenario until it has heard enough.
type saying struct{ enough, over chan struct{} }

// stopNowAndThen lets people stop one after the other, at most so many.
func (r *rig) stopNowAndThen(most int) saying {
	s := saying{make(chan struct{}), make(chan struct{})}
	people := r.unreached(most)
	go func() {
		defer close(s.over)
		for _, phone := range people {
			select {
			case <-s.enough:
				return
			case <-time.After(120 * time.Millisecond):
			}
			r.say(Voice{Phone: WaID(phone)}.Writes(accountID, numberID, "STOP"), &Stop{phone, "all"})
		}
	}()
	return s
}

// imageVerdict is an audit of an image, and how many stops it had to keep.
type imageVerdict struct {
	Verdict
	stopsSeen int
}

// cutPower makes an image of the database at this instant, and gathers the evidence for it: whatever was posted or acknowledged
// until the process went on was so before it stood still.
func (r *rig) cutPower(p *process, database string, told bool) (image, Evidence) {
	r.t.Helper()
	into, err := os.MkdirTemp(r.dir, "image")
	r.must("making room for an image", err)
	if told && r.draw(4) > 0 {
		midSync(database + "-wal")
	}
	p.signal(syscall.SIGSTOP)
	made, err := cut(p, database, into, told, r.chance)
	var e Evidence
	if err == nil {
		e.Posts, err = lines[Post](r.ledgerFile())
	}
	if err == nil {
		e.Acks, err = lines[Ack](r.acksFile())
	}
	p.signal(syscall.SIGCONT)
	r.must("making an image", err)
	r.must("reading the image", e.readImage(r.t.Context(), made.path))
	r.must("removing the image", os.RemoveAll(into))
	return made, e
}

// auditImage holds the invariants against an image. Whoever was posted to has a row that passed the gate; each stop and each status
// that was acknowledged is there.
func (r *rig) auditImage(e Evidence) imageVerdict {
	r.t.Helper()
	v := imageVerdict{Verdict: e.Audit(Law{Audience: r.law.Audience, MaxUnknown: len(r.everybody)})}
	for _, ack := range e.Acks {
		if ack.Stop != nil {
			v.stopsSeen++
		}
	}
	gated := map[string]bool{}
	for _, row := range e.Rows {
		if row.Attempt != "" && row.State != "queued" {
			gated[row.Attempt] = true
		}
	}
	lost := 0
	for _, p := range e.Posts {
		if !gated[p.attempt()] {
			lost++
		}
	}
	if lost > 0 {
		r.t.Errorf("audit: %s: in image %d %d of %d POSTs are not on record: they would be sent again (seed %d)", OnRecord, r.kills+1, lost, len(e.Posts), r.seed)
	}
	for i, f := range v.Findings {
		if i == 8 {
			break
		}
		r.t.Errorf("audit: %s: in image %d: %s", f.Invariant, r.kills+1, f.Sentence)
	}
	return v
}

// playPowerServer strikes PostgreSQL's processes and permesso dead together, and starts both again.
func playPowerServer(t *testing.T, seed uint64, soak length) {
	c := newCluster(t)
	cuts, people := soak.of(2, 25), soak.of(900, 8000)
	r := newRig(t, "power", c.url, seed, settings{people: people, perSecond: 250})
	r.player.Hold()
	p := r.serve(r.houses[0])
	r.detach("offer")
	for range cuts {
		r.untilPosted(min(people*2/3, r.posted()+1+r.draw(people/(2*cuts))))
		stopping := r.unreached(20)
		said := make(chan struct{})
		go func() {
			defer close(said)
			r.stopsOf(stopping, 3*patience)
		}()
		r.pause(60 * time.Millisecond)
		c.annihilate()
		// One machine or two: whoever is killed with it leaves messages that nobody looks after for 45 seconds.
		both := bool(soak) && r.draw(2) == 0
		if both {
			p.kill()
		}
		r.kills++
		c.start()
		if both {
			p = r.serve(r.houses[0])
		}
		<-said
	}
	r.untilOver()
	r.powered("stops", r.stops, 20*cuts)
	r.law.MaxUnknown = 500 * r.kills
	early := r.law
	early.Told = false
	r.audit(early)
	r.judge()
}
