package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// Summary is what happened in one run: `permesso report --json` (CONTRACT §4). States and reasons that nobody is in are absent.
type Summary struct {
	Run        string               `json:"run"`
	Campaign   string               `json:"campaign"`
	FireAt     Time                 `json:"fire_at"`
	StartedAt  Time                 `json:"started_at,omitzero"`  // when the first message passed the gate
	FinishedAt Time                 `json:"finished_at,omitzero"` // when no row waited any more
	States     map[sender.State]int `json:"states"`
	// Reasons are why people got no message, or not yet.
	Reasons map[policy.Reason]int `json:"reasons"`
	// Waits are the reasons of those among them who are queued and will still get it.
	Waits map[policy.Reason]int `json:"-"`
	// LostTo says of the people who got nothing for the reason frequency_cap which campaign had taken their last slot: how many
	// by campaign. It is read for reports alone; people whose slot nobody has any more, or never had, are in no campaign.
	LostTo map[string]int `json:"lost_to,omitempty"`
	// OptedOut counts the people who opted out after this run's message: those who got it (accepted, held, sent, delivered or
	// read) and whose own stop, or Meta's for them, still holds, came at or after the message left, and came before any
	// later message of ours to them. So one stop counts for one run.
	OptedOut int `json:"opted_out"`
	// Replied counts the people who answered this run's message.
	Replied int  `json:"replied"`
	Rate    Rate `json:"rate"`
	// Cost is nil when the run began without a price list, and when Unpriced messages have no price in it.
	Cost     *Cost `json:"cost,omitempty"`
	Unpriced int   `json:"unpriced,omitempty"`
	// DeletedAt is when the run's deliveries were deleted by their age; these numbers are of before. Zero while they are there.
	DeletedAt Time `json:"deleted_at,omitzero"`
}

// Rate is how fast messages left, in messages per second.
type Rate struct {
	// Mean is over the time from the first message to the last, at least a second, pauses included.
	Mean float64 `json:"mean"`
	// Max is how many left in the busiest second, of those that begin with a tenth of the clock's second.
	Max int `json:"max"`
}

// Total is how many people the run has a row for.
func (s Summary) Total() int { return Progress{States: s.States}.Total() }

// Progress is where the rows of a run stand at one moment.
type Progress struct {
	States map[sender.State]int
}

// Total is how many rows there are.
func (p Progress) Total() int {
	total := 0
	for _, n := range p.States {
		total += n
	}
	return total
}

// Waiting is how many rows the run still has to decide on: queued or sending. The run is over when it is 0.
func (p Progress) Waiting() int { return p.States[sender.Queued] + p.States[sender.Sending] }

// Messages is how many messages Meta took or may have taken: all from accepted on, and unknown.
func (p Progress) Messages() int {
	n := 0
	for _, state := range []sender.State{sender.Accepted, sender.Held, sender.Sent, sender.Delivered, sender.Read, sender.Unknown} {
		n += p.States[state]
	}
	return n
}

// Unreported is how many messages WhatsApp has not reported on.
func (s Summary) Unreported() int {
	return s.States[sender.Accepted] + s.States[sender.Held] + s.States[sender.Unknown]
}

// WriteText prints the summary for people: the run, then states, then reasons, aligned. Times are in zone.
func (s Summary) WriteText(w io.Writer, zone *time.Location) error {
	out := &firstError{w: w}
	head := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(head, "%s\t%s\n", name, value)
		}
	}
	row("Run", s.Run)
	row("Campaign", s.Campaign)
	row("Due", clock(s.FireAt, zone))
	row("Started", clock(s.StartedAt, zone))
	row("Finished", clock(s.FinishedAt, zone))
	row("Deleted", clock(s.DeletedAt, zone))
	out.keep(head.Flush())

	states := ordered(s.States, sender.States())
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	reasons := s.inWords()
	for _, r := range reasons {
		names = append(names, string(r.reason))
	}
	wide, digits := len("reason"), max(len("people"), len(strconv.Itoa(s.Total())))
	for _, name := range names {
		wide = max(wide, len(name))
	}
	fmt.Fprintf(out, "\n%-*s  %*s\n", wide, "STATE", digits, "PEOPLE")
	for _, state := range states {
		fmt.Fprintf(out, "%-*s  %*d\n", wide, state, digits, s.States[state])
	}
	fmt.Fprintf(out, "%-*s  %*d\n", wide, "total", digits, s.Total())
	if len(reasons) > 0 {
		fmt.Fprintf(out, "\n%-*s  %*s\n", wide, "REASON", digits, "PEOPLE")
	}
	for _, r := range reasons {
		fmt.Fprintf(out, "%-*s  %*d  %s\n", wide, r.reason, digits, r.people, r.says)
	}

	s.writeLost(out, digits)
	tail := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tail, "\nOpted out\t%d\nReplied\t%d\n", s.OptedOut, s.Replied)
	if s.Rate.Max > 0 {
		fmt.Fprintf(tail, "Rate\t%s per second, %d in the busiest second\n", decimals(s.Rate.Mean), s.Rate.Max)
	}
	if cost := s.costLine(); cost != "" {
		fmt.Fprintf(tail, "Cost\t%s\n", cost)
	}
	out.keep(tail.Flush())
	return out.err
}

// Lost is how many people got nothing for want of room in a cap.
func (s Summary) Lost() int { return s.Reasons[policy.FrequencyCap] - s.Waits[policy.FrequencyCap] }

// writeLost says to which campaigns the people of frequency_cap were lost, the most first.
func (s Summary) writeLost(out io.Writer, digits int) {
	if s.LostTo == nil {
		return
	}
	campaigns := slices.SortedFunc(maps.Keys(s.LostTo), func(a, b string) int {
		return cmp.Or(s.LostTo[b]-s.LostTo[a], strings.Compare(a, b))
	})
	const nobody = "nobody"
	wide, rest := len(nobody), s.Lost()
	for _, campaign := range campaigns {
		wide, rest = max(wide, len(campaign)), rest-s.LostTo[campaign]
	}
	fmt.Fprintf(out, "\n%-*s  %*s\n", wide, "LOST TO", digits, "PEOPLE")
	for _, campaign := range campaigns {
		fmt.Fprintf(out, "%-*s  %*d\n", wide, campaign, digits, s.LostTo[campaign])
	}
	if rest > 0 {
		fmt.Fprintf(out, "%-*s  %*d  a cap of 0, or a message that failed since\n", wide, nobody, digits, rest)
	}
}

// counted is a line about the people of one reason.
type counted struct {
	reason policy.Reason
	people int
	says   string
}

// inWords tells of each reason who got no message, and then who still waits for theirs.
func (s Summary) inWords() []counted {
	var list []counted
	for _, reason := range ordered(s.Reasons, Reasons()) {
		waiting := s.Waits[reason]
		if refused := s.Reasons[reason] - waiting; refused > 0 {
			list = append(list, counted{reason, refused, Sentence(reason)})
		}
		if waiting > 0 {
			list = append(list, counted{reason, waiting, Waiting(reason)})
		}
	}
	return list
}

func clock(t Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format("2006-01-02 15:04:05 -07:00")
}

// decimals writes a number with at most two decimals, and no zeros at their end.
func decimals(f float64) string {
	text := strconv.FormatFloat(f, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// firstError writes until the first error, which it keeps.
type firstError struct {
	w   io.Writer
	err error
}

func (f *firstError) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

// Write implements io.Writer.
func (f *firstError) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.w.Write(p)
	f.keep(err)
	return n, err
}
