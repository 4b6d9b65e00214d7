package policy

import "time"

// WindowEnd returns when the person's window of this run ends: the first window that ends after the fire time. It is zero when
// the campaign has none, and when it cannot be told.
func WindowEnd(rules Rules, facts Facts) time.Time {
	var c clock
	q := ask(&rules, &facts, &c)
	s := q.personWindow()
	if !s.known {
		return time.Time{}
	}
	return time.Unix(s.end, 0).UTC()
}
