package ledger

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
)

// FindingKind is what a verification found.
type FindingKind string

// The kinds of findings.
const (
	EventEdited          FindingKind = "edited"                // an event does not say what it said when it was chained
	EventsSwapped        FindingKind = "swapped"               // two events stand in each other's place
	EventsMissing        FindingKind = "missing"               // events within a chain
	ChainTruncated       FindingKind = "truncated"             // events at the end of a chain
	ChainGone            FindingKind = "chain_gone"            // a chain is not in the database any more
	HeadEdited           FindingKind = "head_edited"           // the chain's head is not its last event
	EventUnchained       FindingKind = "unchained"             // an event that no chain has
	ChainReplaced        FindingKind = "replaced"              // an event is another than a checkpoint has in its place
	WordingEdited        FindingKind = "wording_edited"        // a text is not the one that was agreed to, or is gone
	ErasureUnrecorded    FindingKind = "erasure_unrecorded"    // a personal part is gone, and no erasure is on record
	KeyUnknown           FindingKind = "unknown_key"           // a chain was made with a key that is not here
	TableGone            FindingKind = "table_gone"            // a table of the ledger is not in the database
	CheckpointEdited     FindingKind = "checkpoint_edited"     // a line of the checkpoints
	CheckpointsShortened FindingKind = "checkpoints_shortened" // lines at the end of the checkpoints
	CheckpointsMissing   FindingKind = "checkpoints_missing"   // the file of checkpoints
	DatabaseOlder        FindingKind = "database_older"        // the whole database is older than a checkpoint: a backup was put back
)

// Finding is one thing that is not as it was recorded.
type Finding struct {
	Kind  FindingKind
	Chain uint32
	From  int64     // the first event that it is about; 0 when it is about none
	To    int64     // the last
	At    time.Time // of the checkpoint that tells; zero when none does
	Why   string    // one sentence, without a full stop

	erased *erasedRow // what an ErasureUnrecorded is about
}

// erasedRow is an event whose personal part is gone.
type erasedRow struct {
	person   policy.PersonID
	recorded int64
}

// Row is an event as it stands in the database.
type Row struct {
	Entry
	Link     Link
	Salt     []byte
	Sealed   []byte // what an erased personal part entered as; nil while it is there
	Evidence string
	IP       string
	Agent    string
}

// Chain checks one chain of a database, in segments that may be read at the same time.
type Chain struct {
	head     Head
	key      *Key // nil when it is unknown
	marks    []mark
	accepted int64
	erased   map[policy.PersonID]int64
	found    []Finding
}

// Chain begins the check of a chain. erased are the persons whose erasure is on record, with the time at which it was recorded.
func (h *History) Chain(head Head, keys map[KeyID]Key, erased map[policy.PersonID]int64) *Chain {
	c := &Chain{head: head, marks: slices.Clone(h.marks[head.Chain]), accepted: h.accepted, erased: erased}
	slices.SortStableFunc(c.marks, func(a, b mark) int { return cmp.Compare(a.seq, b.seq) })
	if key, ok := keys[head.Key]; ok {
		c.key = &key
		return c
	}
	c.find(KeyUnknown, 0, 0, fmt.Sprintf("chain %08x was made with key %s, which is not here: it is another state_dir's, or was lost. With that key in consent.key its events can be checked here", head.Chain, head.Key))
	return c
}

func (c *Chain) find(kind FindingKind, from, to int64, why string) {
	c.found = append(c.found, Finding{Kind: kind, Chain: c.head.Chain, From: from, To: to, Why: why})
}

// Segment begins the check of the events from one number to another. It is for one goroutine, and is shown the event before the first
// too, if there is one.
func (c *Chain) Segment(from, to int64) *Segment {
	g := &Segment{chain: c, from: from, to: to, seq: from - 1, known: from == 1, met: map[[32]byte]bool{}, more: map[FindingKind]int64{}}
	if c.key != nil {
		g.sealer = c.key.Sealer()
	}
	first, _ := slices.BinarySearchFunc(c.marks, from, func(m mark, seq int64) int { return cmp.Compare(m.seq, seq) })
	g.marks = c.marks[first:]
	return g
}

// Segment is a part of a chain that is checked event by event.
type Segment struct {
	chain    *Chain
	from, to int64
	sealer   *Sealer // nil when the key is unknown
	marks    []mark

	seq    int64
	link   Link
	known  bool // link is that of the event before; false after a gap
	events int64
	wrong  []wrongRow
	gaps   []span
	found  []Finding
	more   map[FindingKind]int64 // that were not kept
	forks  int64
	met    map[[32]byte]bool
}

// Span is from which number to which the segment goes.
func (g *Segment) Span() (from, to int64) { return g.from, g.to }

// span is a run of events that are not there.
type span struct{ from, to int64 }

// wrongRow is an event that does not have the link that it should.
type wrongRow struct {
	row  Row
	prev Link
}

// keptRows is how many wrong events are kept, to find out whether two were swapped.
const keptRows = 64

// See checks the next event in the order of their numbers. The row is not kept, nor are its parts.
func (g *Segment) See(r *Row) {
	seq := r.Event.Seq()
	if seq < g.from {
		g.link, g.known = r.Link, true
		return
	}
	if seq > g.seq+1 {
		g.gaps = append(g.gaps, span{g.seq + 1, seq - 1})
		g.known = false
	}
	g.check(r)
	for len(g.marks) > 0 && g.marks[0].seq <= seq {
		if m := g.marks[0]; m.seq == seq && m.link != r.Link {
			g.replaced(m, r.Event)
		}
		g.marks = g.marks[1:]
	}
	if len(r.Wording) == 32 {
		if hash := [32]byte(r.Wording); !g.met[hash] {
			g.met[hash] = true
		}
	}
	g.seq, g.link, g.known = seq, r.Link, true
	g.events++
}

// keptFindings of a segment are told one by one; of a ledger that was made anew every event is one.
const keptFindings = 100

func (g *Segment) find(kind FindingKind, seq int64, at time.Time, why string) {
	if len(g.found) == keptFindings {
		g.more[kind]++
		return
	}
	g.found = append(g.found, Finding{Kind: kind, Chain: g.chain.head.Chain, From: seq, To: seq, At: at, Why: why})
}

func (g *Segment) replaced(m mark, event policy.EventID) {
	if m.line < g.chain.accepted {
		g.forks++ // the chain went on from a backup, and this checkpoint is of what was lost with it
		return
	}
	g.find(ChainReplaced, m.seq, m.at, fmt.Sprintf("event %s is not the one that the checkpoint of %s (line %d) has", event, moment(m.at), m.line))
}

// check compares the event with its link.
func (g *Segment) check(r *Row) {
	g.unseal(r)
	if g.sealer == nil || !g.known || g.sealer.Link(g.link, &r.Entry) == r.Link {
		return
	}
	if len(g.wrong) == keptRows {
		g.edited(r.Event)
		return
	}
	kept := wrongRow{*r, g.link}
	kept.row.Wording, kept.row.Personal = bytes.Clone(r.Wording), bytes.Clone(r.Personal)
	g.wrong = append(g.wrong, kept)
}

// unseal finds out as what the event's personal part entered the chain.
func (g *Segment) unseal(r *Row) {
	personal, seq := Personal{r.Evidence, r.IP, r.Agent}, r.Event.Seq()
	switch {
	case r.Sealed != nil:
		r.Personal = r.Sealed
		if when, recorded := g.chain.erased[r.Person]; !recorded || when < r.RecordedAt || r.Salt != nil {
			g.unrecorded(r)
		}
		if !personal.Empty() {
			g.find(EventEdited, seq, time.Time{}, fmt.Sprintf("event %s has a personal part again after it was erased", r.Event))
		}
	case r.Salt != nil && g.sealer != nil:
		sealed := g.sealer.Personal(r.Salt, personal)
		r.Personal = sealed[:]
	case r.Salt == nil && !personal.Empty():
		g.find(EventEdited, seq, time.Time{}, fmt.Sprintf("event %s has a personal part that it did not have when it was recorded", r.Event))
	}
}

func (g *Segment) unrecorded(r *Row) {
	kept := len(g.found)
	g.find(ErasureUnrecorded, r.Event.Seq(), time.Time{}, fmt.Sprintf("the personal part of event %s is gone, and no erasure of the person is on record", r.Event))
	if len(g.found) > kept && r.Salt == nil {
		g.found[kept].erased = &erasedRow{r.Person, r.RecordedAt}
	}
}

// Sound reports whether every event of the segment was there and fits its link; known is false when the key is not here.
func (g *Segment) Sound() (sound, known bool) {
	sound = g.seq == g.to && len(g.wrong) == 0 && len(g.gaps) == 0 && len(g.found) == 0
	return sound, !sound || g.sealer != nil
}

func (g *Segment) edited(event policy.EventID) {
	g.find(EventEdited, event.Seq(), time.Time{}, sayEdited(event))
}

func sayEdited(event policy.EventID) string {
	return fmt.Sprintf("event %s was edited: it does not fit its link to those before", event)
}

// Checked is what came of a chain.
type Checked struct {
	Events   int64
	Forks    int64 // checkpoints that tell of events that were lost with a database that was put back
	Wordings map[[32]byte]bool
	Findings []Finding
	More     map[FindingKind]int64 // findings beyond those
}

// End puts the segments of the whole chain together, in their order.
func (c *Chain) End(segments []*Segment) Checked {
	done := Checked{Wordings: map[[32]byte]bool{}, More: map[FindingKind]int64{}}
	var wrong []wrongRow
	var gaps []span
	for _, g := range segments {
		done.Events, done.Forks = done.Events+g.events, done.Forks+g.forks
		c.found, wrong, gaps = append(c.found, g.found...), append(wrong, g.wrong...), append(gaps, g.gaps...)
		if g.seq < g.to {
			gaps = append(gaps, span{g.seq + 1, g.to})
		}
		for kind, n := range g.more {
			done.More[kind] += n
		}
		for hash := range g.met {
			done.Wordings[hash] = true
		}
	}
	c.judgeWrong(wrong)
	c.judgeGaps(gaps)
	last := segments[len(segments)-1]
	if last.seq == c.head.Seq && last.known && last.link != c.head.Link {
		c.find(HeadEdited, last.seq, last.seq, fmt.Sprintf("the head of chain %08x is not the link of its last event, %d", c.head.Chain, last.seq))
	}
	if n := len(c.marks); n > 0 && c.marks[n-1].seq > c.head.Seq {
		m := c.marks[n-1]
		c.found = append(c.found, Finding{Kind: ChainTruncated, Chain: c.head.Chain, From: c.head.Seq + 1, To: m.seq, At: m.at,
			Why: fmt.Sprintf("chain %08x ends with event %d, and had %d at the checkpoint of %s (line %d)", c.head.Chain, c.head.Seq, m.seq, moment(m.at), m.line)})
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int { return cmp.Compare(a.From, b.From) })
	done.Findings = c.found
	return done
}

// judgeGaps says what is missing; gaps of segments that lie side by side are one.
func (c *Chain) judgeGaps(gaps []span) {
	for i := 0; i < len(gaps); {
		gap := gaps[i]
		for i++; i < len(gaps) && gaps[i].from == gap.to+1; i++ {
			gap.to = gaps[i].to
		}
		switch {
		case gap.from == 1 && gap.to == c.head.Seq:
			c.find(ChainTruncated, 1, gap.to, fmt.Sprintf("chain %08x is empty, and has had %d events", c.head.Chain, gap.to))
		case gap.to == c.head.Seq:
			c.find(ChainTruncated, gap.from, gap.to, c.spanned("missing at the end of the chain", gap))
		default:
			c.find(EventsMissing, gap.from, gap.to, c.spanned("missing", gap))
		}
	}
}

// judgeWrong tells events that were swapped from those that were edited. Two rows may have changed what they say, and kept their
// numbers and links; or they may have changed numbers, and then whoever comes after one of them misses its link.
func (c *Chain) judgeWrong(wrong []wrongRow) {
	if len(wrong) == 0 {
		return
	}
	sealer, explained := c.key.Sealer(), make([]bool, len(wrong))
	for i := range wrong {
		for j := i + 1; j < min(len(wrong), 4*keptRows) && !explained[i]; j++ {
			a, b := &wrong[i], &wrong[j]
			if explained[j] || !swapped(sealer, a, b) {
				continue
			}
			explained[i], explained[j] = true, true
			c.find(EventsSwapped, a.row.Event.Seq(), b.row.Event.Seq(), fmt.Sprintf("events %s and %s stand in each other's place", a.row.Event, b.row.Event))
			excuse(sealer, wrong, explained, a, b)
		}
	}
	for i, w := range wrong {
		if !explained[i] {
			c.find(EventEdited, w.row.Event.Seq(), w.row.Event.Seq(), sayEdited(w.row.Event))
		}
	}
}

// swapped reports whether b's content fits a's place, with the link that either of them has.
func swapped(sealer *Sealer, a, b *wrongRow) bool {
	moved := b.row.Entry
	moved.Event = a.row.Event
	link := sealer.Link(a.prev, &moved)
	return link == a.row.Link || link == b.row.Link
}

// excuse explains the events after swapped ones by the links that stood before them.
func excuse(sealer *Sealer, wrong []wrongRow, explained []bool, a, b *wrongRow) {
	for i := range wrong {
		w := &wrong[i]
		for _, pair := range [2][2]*wrongRow{{a, b}, {b, a}} {
			if w.row.Event == pair[0].row.Event+1 && sealer.Link(pair[1].row.Link, &w.row.Entry) == w.row.Link {
				explained[i] = true
			}
		}
	}
}

func (c *Chain) spanned(what string, gap span) string {
	if gap.from == gap.to {
		return fmt.Sprintf("event %s is %s", policy.NewEventID(c.head.Chain, gap.from), what)
	}
	return fmt.Sprintf("events %s to %d, %d of them, are %s", policy.NewEventID(c.head.Chain, gap.from), gap.to, gap.to-gap.from+1, what)
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
