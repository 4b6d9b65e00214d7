package app

import (
	"testing"

	"github.com/permesso/permesso/internal/statedir"
	"github.com/permesso/permesso/internal/store"
)

// Every way in which a database and a state_dir can meet, and what follows.
func TestJudge(t *testing.T) {
	const instance = "abc"
	file := func(seq int64) statedir.Instance { return statedir.Instance{Instance: instance, Home: "h", Seq: seq} }
	flagged := store.Quarantine{Kind: store.Orphans, Why: "reports"}
	for _, tt := range []struct {
		name  string
		s     sight
		kind  store.QuarantineKind
		enrol bool
		binds bool
		older bool
	}{
		{"both are new", sight{file: file(0), through: -1}, "", true, false, false},
		{"the database is new, the folder is not", sight{file: statedir.Instance{Instance: "old", Home: "h", Seq: 4}, through: 9}, otherDatabase, false, false, false},
		{"the folder was lost under way", sight{through: -1, db: store.Installation{Homes: 1}}, newHere, false, false, false},
		{"as it was left", sight{file: file(4), through: 2, db: store.Installation{Homes: 1, Known: true, Seq: 4, StopChanges: 2}}, "", false, false, false},
		{"the file was not written any more", sight{file: file(4), through: 2, db: store.Installation{Homes: 1, Known: true, Seq: 5, StopChanges: 7}}, "", false, false, false},
		{"an older copy", sight{file: file(4), through: 2, db: store.Installation{Homes: 1, Known: true, Seq: 3, StopChanges: 2}}, store.Behind, false, true, true},
		{"a copy with fewer stops", sight{file: file(4), through: 3, db: store.Installation{Homes: 1, Known: true, Seq: 4, StopChanges: 2}}, store.Behind, false, true, true},
		{"a copy from before there were homes", sight{file: file(4), through: -1, db: store.Installation{}}, store.Behind, false, true, true},
		{"a copy from before this home joined", sight{file: file(4), through: -1, db: store.Installation{Homes: 1}}, store.Behind, false, true, true},
		{"an older copy that is flagged otherwise", sight{file: file(4), through: 2, db: store.Installation{Homes: 1, Known: true, Seq: 3, Quarantine: flagged}}, store.Behind, false, true, true},
		{"a clone, a second worker, or a lost folder", sight{file: file(0), through: -1, db: store.Installation{Homes: 1}}, newHere, false, false, false},
		{"flagged by another", sight{file: file(4), through: 2, db: store.Installation{Homes: 2, Known: true, Seq: 4, StopChanges: 2, Quarantine: flagged}}, store.Orphans, false, true, true},
		{"elsewhere", sight{file: file(4), through: 2, place: "b", db: store.Installation{Homes: 1, Known: true, Seq: 4, StopChanges: 2, Place: "a"}}, store.Moved, false, true, false},
		{"elsewhere and older", sight{file: file(4), through: 2, place: "b", db: store.Installation{Homes: 1, Known: true, Seq: 1, StopChanges: 2, Place: "a"}}, store.Behind, false, true, true},
		{"nobody tells where", sight{file: file(4), through: 2, place: "", db: store.Installation{Homes: 1, Known: true, Seq: 4, StopChanges: 2, Place: "a"}}, "", false, false, false},
		{"nobody told where", sight{file: file(4), through: 2, place: "b", db: store.Installation{Homes: 1, Known: true, Seq: 4, StopChanges: 2}}, "", false, false, false},
		{"a damaged journal", sight{file: file(4), through: 0, damage: "line 6", db: store.Installation{Homes: 1, Known: true, Seq: 4, StopChanges: 2}}, damaged, false, false, false},
	} {
		tt.s.instance = instance
		v := tt.s.judge()
		if v.Kind != tt.kind || v.enrol != tt.enrol || v.binds != tt.binds || v.older != tt.older || (v.Why == "") != (tt.kind == "") {
			t.Errorf("%s: %+v, want kind %q, enrol %t, binds %t, older %t", tt.name, v, tt.kind, tt.enrol, tt.binds, tt.older)
		}
		if v.Kind != "" && waysOut(v.Kind) == "" {
			t.Errorf("%s: no way out is named", tt.name)
		}
	}
}
