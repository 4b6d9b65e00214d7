package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/policy"
)

// Fire is an occurrence among those of other campaigns.
type Fire struct {
	Occurrence
	// Near are other campaigns that fire less than an hour away, the nearest first, each once; at most nearShown of them.
	Near []Neighbour
	// More is how many further campaigns do.
	More int
}

// Neighbour is another campaign that fires less than an hour from a fire.
type Neighbour struct {
	Campaign   string
	Away       time.Duration // from the fire to the neighbour's; negative when the neighbour is earlier
	SameNumber bool          // they share one number's messages per second
	Cap        *policy.Cap   // one that counts both, so that they compete for people; nil when none does
	GoesFirst  bool          // it reaches a person who has room for one only
}

const (
	nearby    = time.Hour
	nearShown = 3
)

// Calendar lists the occurrences of all campaigns after one instant and before another, both exclusive, in order of time
// and then of id, each with the campaigns that it collides with. It needs the configuration alone.
func Calendar(campaigns []Campaign, rules policy.Rules, after, before time.Time) ([]Fire, error) {
	plan := calendar{rules: rules, campaigns: map[string]Campaign{}}
	for _, c := range campaigns {
		own, err := c.Between(after, before)
		if err != nil {
			return nil, err
		}
		plan.campaigns[c.ID] = c
		for _, o := range own {
			plan.fires = append(plan.fires, Fire{Occurrence: o})
		}
	}
	slices.SortStableFunc(plan.fires, func(a, b Fire) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Campaign, b.Campaign))
	})
	plan.collide()
	return plan.fires, nil
}

type calendar struct {
	rules     policy.Rules
	campaigns map[string]Campaign
	fires     []Fire
}

// collide slides a window of an hour either way over the fires.
func (p calendar) collide() {
	here := map[string]int{} // fires in the window, by campaign
	low, high := 0, 0
	for i := range p.fires {
		at := p.fires[i].At
		for ; high < len(p.fires) && p.fires[high].At.Sub(at) < nearby; high++ {
			here[p.fires[high].Campaign]++
		}
		for ; at.Sub(p.fires[low].At) >= nearby; low++ {
			if id := p.fires[low].Campaign; here[id] == 1 {
				delete(here, id)
			} else {
				here[id]--
			}
		}
		others := len(here) - 1
		p.fires[i].Near = p.nearest(i, low, high, min(others, nearShown))
		p.fires[i].More = others - len(p.fires[i].Near)
	}
}

// nearest walks from a fire outwards until it has met n other campaigns, all of which are between low and high.
func (p calendar) nearest(i, low, high, n int) []Neighbour {
	if n == 0 {
		return nil
	}
	var near []Neighbour
	fire := &p.fires[i]
	for before, after := i-1, i+1; len(near) < n; {
		next := after
		if after >= high || before >= low && fire.At.Sub(p.fires[before].At) <= p.fires[after].At.Sub(fire.At) {
			next = before
			before--
		} else {
			after++
		}
		other := p.fires[next].Occurrence
		if other.Campaign == fire.Campaign || slices.ContainsFunc(near, func(m Neighbour) bool { return m.Campaign == other.Campaign }) {
			continue
		}
		near = append(near, p.neighbour(fire.Occurrence, other))
	}
	return near
}

func (p calendar) neighbour(fire, other Occurrence) Neighbour {
	mine, theirs := p.campaigns[fire.Campaign], p.campaigns[other.Campaign]
	n := Neighbour{Campaign: other.Campaign, Away: other.At.Sub(fire.At), SameNumber: mine.Number == theirs.Number}
	for i := range p.rules.Caps {
		if c := &p.rules.Caps[i]; c.Counts(p.send(mine)) && c.Counts(p.send(theirs)) && (n.Cap == nil || c.Max < n.Cap.Max) {
			n.Cap = c
		}
	}
	// Whoever fires earlier takes the slot; at one instant it is as when runs are planned together (byPriority).
	n.GoesFirst = cmp.Or(other.At.Compare(fire.At), mine.Priority-theirs.Priority, strings.Compare(theirs.ID, mine.ID)) < 0
	return n
}

func (p calendar) send(c Campaign) policy.Send {
	return policy.Send{Kind: p.rules.Categories[c.Category].Kind, Category: c.Category, Campaign: c.ID}
}

// Remarks says in words what is to be known of the fire: what the clocks do that day, and what it collides with.
func (f Fire) Remarks() []string {
	var remarks []string
	if note := f.NoteInWords(); note != "" {
		remarks = append(remarks, note)
	}
	for _, n := range f.Near {
		remarks = append(remarks, n.inWords(f.Campaign))
	}
	if f.More > 0 {
		remarks = append(remarks, fmt.Sprintf("collides with %d more", f.More))
	}
	return remarks
}

func (n Neighbour) inWords(mine string) string {
	text := "collides with " + n.Campaign
	switch {
	case n.Away == 0:
		text += " at the same moment"
	case n.Away < 0:
		text += fmt.Sprintf(", %s before", minutes(-n.Away))
	default:
		text += fmt.Sprintf(", %s later", minutes(n.Away))
	}
	if n.SameNumber {
		text += ", on the same number"
	}
	if n.Cap != nil {
		first := mine
		if n.GoesFirst {
			first = n.Campaign
		}
		text += fmt.Sprintf(", under one cap (%s): %s goes first", n.Cap, first)
	}
	return text
}

func minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}
