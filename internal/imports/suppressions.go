package imports

import (
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

var suppressionColumns = columns{
	file:     "suppressions",
	required: []string{"phone", "at"},
	optional: []string{"reason", "source", "scope"},
}

type suppressionChecker struct {
	region     string
	categories map[string]policy.Category
	now        time.Time

	phone, reason, at, source, scope int
}

func checkSuppressions(h header, o Options) checker[scheduler.SuppressionRecord] {
	return suppressionChecker{
		region:     o.Region,
		categories: o.Categories,
		now:        o.Now,
		phone:      h.place("phone"),
		reason:     h.place("reason"),
		at:         h.place("at"),
		source:     h.place("source"),
		scope:      h.place("scope"),
	}.check
}

func (c suppressionChecker) check(line int, cells []string) (scheduler.SuppressionRecord, note, *Rejection) {
	none := scheduler.SuppressionRecord{}
	number, doubts, rejection := readStoppedPhone(cell(cells, c.phone), c.region)
	if rejection != nil {
		return none, 0, rejection
	}
	at, rejection := readTime(cell(cells, c.at), c.now)
	if rejection != nil {
		return none, 0, rejection
	}
	scope, rejection := readScope(cell(cells, c.scope), c.categories)
	if rejection != nil {
		return none, 0, rejection
	}
	return scheduler.SuppressionRecord{
		Line:   line,
		Phone:  number,
		Scope:  scope,
		Reason: cell(cells, c.reason),
		At:     at,
		Source: cell(cells, c.source),
	}, doubts, nil
}
