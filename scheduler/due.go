package scheduler

import (
	"cmp"
	"fmt"
	"time"
)

// Grace is how late a start still counts as punctual. The loop looks every 15 s, so a slot is normally found within that.
const Grace = time.Minute

// DueOccurrence is a slot whose time has come, and what catch_up says of it.
type DueOccurrence struct {
	Occurrence
	Start  bool
	Missed string // why it does not start, one sentence; "" when it does
}

// Due judges every slot of the campaign in (since, now], in order of time. since is the campaign's durable mark: when
// it was first seen or last edited, or the last slot that was judged, so that a new or changed schedule never fires for the past.
// A slot at most Grace late always starts, save under once when a later one is due too. A missing mark is an error: without it the past cannot be told from what is due.
func Due(c Campaign, since, now time.Time) ([]DueOccurrence, error) {
	if c.Schedule == nil {
		return nil, nil
	}
	if since.IsZero() {
		return nil, fmt.Errorf("campaign %s: finding due slots: it is not known since when the campaign is scheduled", c.ID)
	}
	slots, err := c.Between(since, now.Add(time.Nanosecond))
	if err != nil {
		return nil, fmt.Errorf("finding due slots: %w", err)
	}
	due := make([]DueOccurrence, 0, len(slots))
	for i, slot := range slots {
		var later *Occurrence
		if i+1 < len(slots) {
			later = &slots[len(slots)-1]
		}
		missed := c.Schedule.missed(slot, later, now)
		due = append(due, DueOccurrence{Occurrence: slot, Start: missed == "", Missed: missed})
	}
	return due, nil
}

// missed says why a slot does not start, "" when it does. later is the latest other slot that is due, nil when there is none.
func (s Schedule) missed(slot Occurrence, later *Occurrence, now time.Time) string {
	late := now.Sub(slot.At)
	rule := cmp.Or(s.CatchUp, CatchUpSkip)
	if rule == CatchUpOnce && later != nil {
		return fmt.Sprintf("due at %s, replaced by the later slot of %s (catch_up: once)", stamp(slot.At), stamp(later.At))
	}
	allowed := Grace
	if rule == CatchUpOnce || rule == CatchUpAll {
		allowed = max(allowed, s.CatchUpWithin)
	}
	if late <= allowed {
		return ""
	}
	found := fmt.Sprintf("due at %s, found %s late", stamp(slot.At), late.Round(time.Second))
	if rule == CatchUpOnce || rule == CatchUpAll {
		return fmt.Sprintf("%s (catch_up: %s within %s)", found, rule, s.CatchUpWithin)
	}
	return found + " (catch_up: skip)"
}
