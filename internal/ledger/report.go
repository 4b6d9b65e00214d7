package ledger

import (
	"fmt"
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
)

// Report is what a verification of the whole ledger found.
type Report struct {
	Events      int64
	Chains      int
	Checkpoints int64     // lines
	Newest      time.Time // of the checkpoints; zero when there is none
	Findings    []Finding
	More        map[FindingKind]int64 // findings beyond those, by kind
	Notes       []string              // what is as it should be, and should be known
}

// Whole reports whether nothing was found.
func (r *Report) Whole() bool { return len(r.Findings) == 0 }

// Find adds a finding.
func (r *Report) Find(f ...Finding) { r.Findings = append(r.Findings, f...) }

// Note adds a note.
func (r *Report) Note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Take adds what came of a chain.
func (r *Report) Take(c Checked) {
	r.Events += c.Events
	r.Chains++
	r.Find(c.Findings...)
	for kind, n := range c.More {
		if r.More == nil {
			r.More = map[FindingKind]int64{}
		}
		r.More[kind] += n
	}
}

// Reconsider drops what an erasure explains that was recorded while the ledger was read.
func (r *Report) Reconsider(erased map[policy.PersonID]int64) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		if f.erased == nil {
			return false
		}
		when, recorded := erased[f.erased.person]
		return recorded && when >= f.erased.recorded
	})
}

// TakeOlder makes one finding of all that the database lacks of what checkpoints tell: it is known to be an older copy of itself,
// and of such a copy nothing was taken.
func (r *Report) TakeOlder(last Checkpoint) {
	lost, kept := int64(0), r.Findings[:0]
	for _, f := range r.Findings {
		if !f.At.IsZero() && (f.Kind == ChainTruncated || f.Kind == ChainGone) {
			lost += f.To - f.From + 1
			continue
		}
		kept = append(kept, f)
	}
	r.Findings = kept
	if lost > 0 {
		r.Find(Finding{Kind: DatabaseOlder, At: last.At, Why: fmt.Sprintf("the database is older than the checkpoint of %s: a backup was put back, and %d events of then are not in it", moment(last.At), lost)})
	}
}

// Begin takes over what the checkpoints alone tell.
func (r *Report) Begin(h *History) {
	r.Checkpoints, r.Newest = h.lines, h.last.At
	r.Find(h.found...)
	if h.lost > 0 {
		r.Note("%d events of earlier checkpoints were lost when a backup was put back, which was accepted in line %d of the checkpoints", h.lost, h.accepted)
	}
}
