package app

import (
	"fmt"

	"github.com/permesso/permesso/internal/statedir"
	"github.com/permesso/permesso/internal/store"
)

// sight is all that is known of a database and of the state_dir that it meets.
type sight struct {
	dir      string
	instance string // the database's
	file     statedir.Instance
	through  int64  // up to which change of stops the journal is
	damage   string // why the journal cannot be read, "" when it can
	db       store.Installation
	place    string // where the database is now, "" when nobody tells
}

// verdict is what follows: the zero Quarantine is that all is well.
type verdict struct {
	store.Quarantine
	enrol bool // the database is new to all: this state_dir becomes its first
	binds bool // it is about the database, and binds every process
	older bool // what state_dir has in its journal may be missing in the database
}

// judge decides whether this is the database that state_dir remembers, or a later state of it. Doubt means no.
func (s sight) judge() verdict {
	if s.file.Instance == "" {
		return verdict{Quarantine: store.Quarantine{Kind: newHere, Why: fmt.Sprintf("state_dir %s has no instance file any more: it was lost while the program ran", s.dir)}}
	}
	if s.file.Instance != s.instance {
		return verdict{Quarantine: store.Quarantine{Kind: otherDatabase, Why: fmt.Sprintf("state_dir %s belongs to installation %s, and the database is installation %s", s.dir, s.file.Instance, s.instance)}}
	}
	if s.damage != "" {
		return verdict{Quarantine: store.Quarantine{Kind: damaged, Why: s.damage}}
	}
	if s.behind() {
		why := "the database is older than what state_dir remembers of it: a backup was restored, or an older copy stands in its place"
		return s.inDatabase(store.Behind, why, true)
	}
	if q := s.db.Quarantine; q.Kind != "" {
		return verdict{Quarantine: q, binds: true, older: q.Kind != store.Moved}
	}
	switch {
	case !s.db.Known && s.db.Homes == 0:
		return verdict{enrol: true}
	case !s.db.Known:
		return verdict{Quarantine: store.Quarantine{Kind: newHere, Why: fmt.Sprintf(
			"the database works with another state_dir and does not know %s: this is a clone, or a second worker, or the folder was lost", s.dir)}}
	case s.db.Place != "" && s.place != "" && s.place != s.db.Place:
		return s.inDatabase(store.Moved, "the database is in another place than it was accepted in: it was restored, cloned or moved, or a standby took over", false)
	}
	return verdict{}
}

// behind reports whether state_dir has seen a later state of the database.
func (s sight) behind() bool {
	switch {
	case s.db.StopChanges < s.through:
		return true
	case s.db.Known:
		return s.db.Seq < s.file.Seq
	}
	return s.file.Seq > 0 // it was known, and is not any more
}

func (s sight) inDatabase(kind store.QuarantineKind, why string, older bool) verdict {
	q := s.db.Quarantine
	if q.Kind == "" {
		q = store.Quarantine{Kind: kind, Why: why}
	}
	if kind == store.Behind {
		q.Kind, q.Why = kind, why // what state_dir knows counts for more than what another found
	}
	return verdict{Quarantine: q, binds: true, older: older}
}
