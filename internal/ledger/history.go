package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
)

// History is what a file of checkpoints says, line by line: where the chains stood when.
type History struct {
	instance string
	lines    int64
	last     Checkpoint
	lastLine []byte
	accepted int64 // the last line that accepted the ledger as it stood; 0 for none
	marks    map[uint32][]mark
	lost     int64 // events that went with what was accepted
	found    []Finding
}

// mark is where a chain stood in a line.
type mark struct {
	seq  int64
	link Link
	line int64
	at   time.Time
}

// NewHistory is that of an installation, before its first line.
func NewHistory(instance string) *History {
	return &History{instance: instance, marks: map[uint32][]mark{}}
}

// Read takes the next line, without its end.
func (h *History) Read(line []byte) {
	h.lines++
	c, err := ParseLine(line)
	switch {
	case err != nil:
		h.find(fmt.Sprintf("line %d of the checkpoints cannot be read", h.lines))
		return
	case c.Instance != h.instance:
		h.find(fmt.Sprintf("line %d of the checkpoints is of another installation, %s", h.lines, c.Instance))
		return
	case c.Before != HashLine(h.lastLine) || c.Line != h.last.Line+1:
		h.find(fmt.Sprintf("line %d of the checkpoints does not follow the line before it: that one was edited, or lines are missing between them", h.lines))
	}
	h.lastLine, h.last = append(h.lastLine[:0:0], line...), c
	if c.Accepted != "" {
		h.accept(c)
	}
	for _, head := range c.Heads {
		marks := h.marks[head.Chain]
		if n := len(marks); n == 0 || marks[n-1].seq != head.Seq || marks[n-1].link != head.Link {
			h.marks[head.Chain] = append(marks, mark{head.Seq, head.Link, c.Line, c.At})
		}
	}
}

// accept drops what was lost with a database that was put back.
func (h *History) accept(c Checkpoint) {
	h.accepted = c.Line
	heads := make(map[uint32]int64, len(c.Heads))
	for _, head := range c.Heads {
		heads[head.Chain] = head.Seq
	}
	for chain, marks := range h.marks {
		if longest := slices.MaxFunc(marks, func(a, b mark) int { return cmp.Compare(a.seq, b.seq) }); longest.seq > heads[chain] {
			h.lost += longest.seq - heads[chain]
		}
		kept := slices.DeleteFunc(marks, func(m mark) bool { return m.seq > heads[chain] })
		if h.marks[chain] = kept; len(kept) == 0 {
			delete(h.marks, chain)
		}
	}
}

func (h *History) find(why string) {
	h.found = append(h.found, Finding{Kind: CheckpointEdited, Why: why})
}

// End is called after the last line. known is how many lines the database knows of, keys those that may have signed.
func (h *History) End(known int64, keys map[KeyID]Key) {
	switch {
	case h.lines == 0 && known > 0:
		h.found = append(h.found, Finding{Kind: CheckpointsMissing, Why: fmt.Sprintf("the file of checkpoints is gone, and the database knows of %d lines in it", known)})
		return
	case h.lines == 0:
		return
	case h.last.Line < known:
		h.found = append(h.found, Finding{Kind: CheckpointsShortened, At: h.last.At, Why: fmt.Sprintf("the file of checkpoints ends with line %d, and the database knows of %d", h.last.Line, known)})
	}
	if h.lastLine == nil {
		return
	}
	// Each line has the hash of the one before, so that the last signature is about all of them.
	if _, ours := keys[h.last.Key()]; !ours {
		h.find(fmt.Sprintf("the last checkpoint is signed by key %s, which is none of this state_dir's", h.last.Key()))
	} else if !Signed(h.lastLine, h.last) {
		h.find(fmt.Sprintf("the signature of line %d of the checkpoints, the last, is wrong", h.last.Line))
	}
}

// Over is the first checkpoint that was written after an event, its line and time; 0 when there is none.
func (h *History) Over(event policy.EventID) (line int64, at time.Time) {
	for _, m := range h.marks[event.Chain()] {
		if m.seq >= event.Seq() && (line == 0 || m.line < line) {
			line, at = m.line, m.at
		}
	}
	return line, at
}

// LastLine is the last line that could be read, as it stands in the file.
func (h *History) LastLine() string { return string(h.lastLine) }

// Sound reports whether every line could be read, follows the one before, and the last is signed by one of the keys.
func (h *History) Sound(keys map[KeyID]Key) bool {
	_, ours := keys[h.last.Key()]
	return len(h.found) == 0 && (h.lines == 0 || ours)
}

// Last is the last line that could be read.
func (h *History) Last() Checkpoint { return h.last }

// Lines is how many lines there are.
func (h *History) Lines() int64 { return h.lines }

// Gone are the chains that a checkpoint has and the database has not.
func (h *History) Gone(heads []Head) (gone []Finding) {
	for chain, marks := range h.marks {
		if slices.ContainsFunc(heads, func(head Head) bool { return head.Chain == chain }) {
			continue
		}
		m := slices.MaxFunc(marks, func(a, b mark) int { return cmp.Compare(a.seq, b.seq) })
		if m.seq == 0 {
			continue
		}
		gone = append(gone, Finding{Kind: ChainGone, Chain: chain, From: 1, To: m.seq, At: m.at,
			Why: fmt.Sprintf("chain %08x is gone from the database, and had %d events at the checkpoint of %s (line %d)", chain, m.seq, moment(m.at), m.line)})
	}
	slices.SortFunc(gone, func(a, b Finding) int { return cmp.Compare(a.Chain, b.Chain) })
	return gone
}
