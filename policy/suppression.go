package policy

import "time"

// Origin says who asked for a suppression; each origin of one scope is a row of its own, and lifting one never lifts another.
type Origin string

// The origins of a suppression.
const (
	OriginKeyword  Origin = "keyword"     // the person wrote a stop word
	OriginButton   Origin = "button"      // the person tapped the stop button
	OriginPage     Origin = "page"        // the person's own page
	OriginMetaStop Origin = "meta_stop"   // user_preferences: stop
	OriginMeta1050 Origin = "meta_131050" // Meta answered 131050
	OriginOperator Origin = "operator"    // permesso suppress add
	OriginImport   Origin = "import"      // permesso suppress import
)

// LiftedByPerson reports whether a START from the person lifts suppressions of this origin.
func (o Origin) LiftedByPerson() bool {
	return o == OriginKeyword || o == OriginButton || o == OriginPage
}

// LiftedByMeta reports whether Meta's own resume lifts suppressions of this origin.
func (o Origin) LiftedByMeta() bool { return o == OriginMetaStop || o == OriginMeta1050 }

// LiftedByOperator reports whether `suppress remove` may lift suppressions of this origin.
func (o Origin) LiftedByOperator() bool { return o == OriginOperator || o == OriginImport }

// Suppression is one standing stop against one identifier. At and LiftedAt only ever grow, so that the same
// acts applied in any order and number give the same row.
type Suppression struct {
	Scope    Scope
	Origin   Origin
	Source   string // where it came from: the inbound message id, the file, the operator's words
	At       time.Time
	LiftedAt time.Time // zero when never lifted
}

// Active reports whether the stop holds. Of a stop and a lift at the same time the stop wins.
func (s Suppression) Active() bool { return s.LiftedAt.IsZero() || !s.LiftedAt.After(s.At) }
