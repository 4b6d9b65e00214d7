package scheduler

import (
	"cmp"
	"fmt"
	"time"
)

// Grace is how late a start still counts as punctual, whatever catch_up says. The loop looks every 15 s, so a slot is
// normally found within that.
const Grace = time.Minute

// Due lists the campaign's slots in (since, now], in order of time. since is the campaign's durable mark: when it was
// first seen or last edited, or the last slot that was judged, so that a new or changed schedule never fires for the past.
// A missing mark is an error: without it the past cannot be told from what is due.
func Due(c Campaign, since, now time.Time) ([]Occurrence, error) {
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
	return slots, nil
}

// Former is where the earlier runs of a campaign's schedule stand; runs by hand and tests are none.
type Former struct {
	Open  string    // a run that is not over, "" when all are
	Ended time.Time // when the last one that is over ended; zero when none is
}

// Verdict is what becomes of a slot that is due: it waits for the former run to end, or it is missed, or, as the zero
// Verdict, it starts.
type Verdict struct {
	Waits  bool
	Missed string // why, one sentence
}

// Judge says what becomes of a due slot. latest is the latest slot of the campaign that is due, maybe this one.
//
// A slot at most Grace late starts, save under catch_up: once when a later one is due too. Under overlap: queue the time
// for which a slot only waited for the former run is no lateness: it keeps its place until that run ends or, by catch_up,
// until the next slot comes (skip, once), or until CatchUpWithin is over (once, all), and in any case until not_after.
func (c Campaign) Judge(slot, latest Occurrence, former Former, now time.Time) Verdict {
	queued := c.Schedule.Overlap == OverlapQueue && (former.Open != "" || former.Ended.After(slot.At))
	if missed := c.missed(slot, latest, former, queued, now); missed != "" {
		return Verdict{Missed: missed}
	}
	switch {
	case former.Open == "":
		return Verdict{}
	case queued:
		return Verdict{Waits: true}
	}
	return Verdict{Missed: fmt.Sprintf("its run %s was not over yet (overlap: skip)", former.Open)}
}

// missed says why a slot's time is over, "" when it is not.
func (c Campaign) missed(slot, latest Occurrence, former Former, queued bool, now time.Time) string {
	rule := cmp.Or(c.Schedule.CatchUp, CatchUpSkip)
	superseded := latest.At.After(slot.At)
	late, allowed := now.Sub(slot.At), Grace
	switch {
	case rule == CatchUpOnce && superseded:
		return fmt.Sprintf("due at %s, replaced by the later slot of %s (catch_up: once)", stamp(slot.At), stamp(latest.At))
	case queued && superseded && rule == CatchUpSkip:
		return fmt.Sprintf("due at %s, it still waited for the run before it when the slot of %s came (overlap: queue, catch_up: skip)", stamp(slot.At), stamp(latest.At))
	case queued && !c.NotAfter.IsZero() && now.After(c.NotAfter):
		return fmt.Sprintf("due at %s, it still waited for the run before it at not_after %s (overlap: queue)", stamp(slot.At), stamp(c.NotAfter.In(slot.At.Location())))
	case rule == CatchUpOnce || rule == CatchUpAll:
		allowed = max(Grace, c.Schedule.CatchUpWithin)
	case queued && former.Open != "":
		late = 0
	case queued:
		late = now.Sub(former.Ended)
	}
	if late <= allowed {
		return ""
	}
	if rule == CatchUpSkip {
		return fmt.Sprintf("due at %s, found %s late (catch_up: skip)", stamp(slot.At), now.Sub(slot.At).Round(time.Second))
	}
	if queued {
		return fmt.Sprintf("due at %s, it waited for the run before it until it was %s late (overlap: queue, catch_up: %s within %s)",
			stamp(slot.At), late.Round(time.Second), rule, c.Schedule.CatchUpWithin)
	}
	return fmt.Sprintf("due at %s, found %s late (catch_up: %s within %s)", stamp(slot.At), late.Round(time.Second), rule, c.Schedule.CatchUpWithin)
}
