package sandbox

import (
	"fmt"
	"sync"
	"time"
)

// portfolio is the messaging limit that all numbers share: unique people in
// any 24 hours who are sent a template (graph-api.md §3). Who is refused does
// not count. Meta also leaves out whoever wrote in the last 24 hours; here
// everybody counts.
type portfolio struct {
	limit int // 0 = none

	mu    sync.Mutex
	last  map[string]time.Time // when each person was last sent something
	order []reached            // the oldest first
}

type reached struct {
	person string
	at     time.Time
}

// tier is the limit as GET shows it.
func (p *portfolio) tier() string {
	if p.limit == 0 {
		return "TIER_UNLIMITED"
	}
	return fmt.Sprintf("TIER_%d", p.limit)
}

// admit reports whether one more message may go to the person now.
func (p *portfolio) admit(person string, now time.Time) bool {
	if p.limit == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.order) > 0 && now.Sub(p.order[0].at) >= 24*time.Hour {
		if first := p.order[0]; p.last[first.person].Equal(first.at) {
			delete(p.last, first.person)
		}
		p.order = p.order[1:]
	}
	if _, had := p.last[person]; !had && len(p.last) >= p.limit {
		return false
	}
	p.last[person] = now
	p.order = append(p.order, reached{person, now})
	return true
}
