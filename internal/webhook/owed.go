package webhook

import (
	"context"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

const (
	// maxOwed and maxOwedBytes bound the stops that are remembered while the database is away.
	maxOwed      = 4096
	maxOwedBytes = 8 << 20
	// payEvery is how often they are tried while nothing else comes.
	payEvery = 250 * time.Millisecond
)

// debt holds the bodies with stops that Meta was asked to send again because they could not be stored. They are Meta's word already:
// they are stored as soon as the database can be written, and until then nobody in this process should send. Meta's repetition
// changes nothing then.
type debt struct {
	mu     sync.Mutex
	bodies map[[32]byte]*pending
	bytes  int64
}

// add remembers those of the bodies that may stop somebody; begun is true for the first.
func (d *debt) add(failed []*pending) (begun bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.bodies)
	for _, p := range failed {
		if _, known := d.bodies[p.box.BodyHash]; known || !p.stops || len(d.bodies) >= maxOwed || d.bytes+p.size > maxOwedBytes {
			continue
		}
		if d.bodies == nil {
			d.bodies = map[[32]byte]*pending{}
		}
		d.bodies[p.box.BodyHash] = p
		d.bytes += p.size
	}
	return before == 0 && len(d.bodies) > 0
}

// drop forgets bodies that were stored, or never will be.
func (d *debt) drop(done []*pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range done {
		if _, known := d.bodies[p.box.BodyHash]; known {
			delete(d.bodies, p.box.BodyHash)
			d.bytes -= p.size
		}
	}
}

func (d *debt) all() []*pending {
	d.mu.Lock()
	defer d.mu.Unlock()
	bodies := make([]*pending, 0, len(d.bodies))
	for _, p := range d.bodies {
		bodies = append(bodies, p)
	}
	return bodies
}

// Owes reports whether there are stops that could not be stored yet. Whoever sends in this process waits for them: when a database
// comes back, those who asked to be left alone meanwhile are heard first.
func (r *Receiver) Owes() bool {
	r.owed.mu.Lock()
	defer r.owed.mu.Unlock()
	return len(r.owed.bodies) > 0
}

// owe remembers the stops among bodies that failed.
func (r *Receiver) owe(failed []*pending) {
	if r.owed.add(failed) {
		r.log.Error("a stop could not be stored: no message of this process begins until it is")
	}
}

// pay stores what is owed. What fails although the database can be written is given up, so that one body cannot keep everybody from
// sending; Meta was told that it is not stored, and sends it again.
func (r *Receiver) pay(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	for batch := range slices.Chunk(r.owed.all(), maxBatch) {
		if _, err := r.try(ctx, batch); err == nil {
			r.owed.drop(batch)
			continue
		}
		for _, p := range batch {
			_, err := r.try(ctx, []*pending{p})
			if err != nil && r.options.Writable != nil && r.options.Writable(ctx) != nil {
				return
			}
			if err != nil {
				r.log.Error("a stop cannot be stored although the database can be written; Meta is asked to send it again",
					"body_sha256", hex.EncodeToString(p.box.BodyHash[:]), "error", err)
			}
			r.owed.drop([]*pending{p})
		}
	}
	if !r.Owes() {
		r.log.Info("the stops that could not be stored are stored now")
	}
}
