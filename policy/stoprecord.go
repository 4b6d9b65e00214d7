package policy

import "time"

// StopRecord is a suppression as it is kept outside the database: by the keyed hash of its identifier, and without a number.
// At and LiftedAt only ever grow, as they do in Suppression; both are whole microseconds.
type StopRecord struct {
	Hash     [16]byte
	Scope    Scope
	Origin   Origin
	Reason   string // the operator's words, "" for none
	Source   string // the file or the operator; "" for a message of the person's, whose id would tell their number
	At       time.Time
	LiftedAt time.Time // zero when never lifted
}

// Join is what two records of one stop say together.
func (r StopRecord) Join(other StopRecord) StopRecord {
	later := r
	if other.At.After(r.At) {
		later = other
	}
	if other.LiftedAt.After(later.LiftedAt) {
		later.LiftedAt = other.LiftedAt
	}
	if r.LiftedAt.After(later.LiftedAt) {
		later.LiftedAt = r.LiftedAt
	}
	return later
}

// Active reports whether the stop holds.
func (r StopRecord) Active() bool { return Suppression{At: r.At, LiftedAt: r.LiftedAt}.Active() }
