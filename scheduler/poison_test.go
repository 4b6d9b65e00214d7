package scheduler_test

import (
	"context"
	"errors"
	"testing"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// twisted is a crowd some of whom are read wrongly.
type twisted struct {
	crowd
	twist func(subject *scheduler.Subject)
	whom  map[policy.PersonID]bool
}

func (c twisted) Range(ctx context.Context, after policy.PersonID, limit int, want scheduler.Want) (scheduler.Stretch, error) {
	stretch, err := c.crowd.Range(ctx, after, limit, want)
	for i := range stretch.Subjects {
		if c.whom[stretch.Subjects[i].Contact.PersonID] {
			c.twist(&stretch.Subjects[i])
		}
	}
	return stretch, err
}

// A person over whom the planning panics, or who cannot be read, is refused; everybody else is planned.
func TestAPoisonedPersonIsRefusedAlone(t *testing.T) {
	for name, twist := range map[string]func(*scheduler.Subject){
		"a panic":          func(s *scheduler.Subject) { s.In = nil },
		"an unread person": func(s *scheduler.Subject) { s.Contact.Unreadable = errors.New("its attributes are no texts") },
	} {
		t.Run(name, func(t *testing.T) {
			people := twisted{everybody(40), twist, map[policy.PersonID]bool{somebody(3).Contact.PersonID: true, somebody(39).Contact.PersonID: true}}
			var written paper
			plans, err := scheduler.MakePlans(t.Context(), people, &written, []*scheduler.Draft{planned(t, "a")}, planTime)
			if err != nil {
				t.Fatal(err)
			}
			plan := plans[0]
			if plan.Matched != 40 || plan.Allowed+plan.Deferred != 38 || plan.Denied[policy.MissingParameter] != 2 {
				t.Errorf("matched %d, allowed %d, deferred %d, denied %v; want 38 of 40 and 2 refused", plan.Matched, plan.Allowed, plan.Deferred, plan.Denied)
			}
			rows := written.rows["run-a"]
			if len(rows) != 40 {
				t.Errorf("%d rows for 40 people", len(rows))
			}
			for id := range people.whom {
				if d := rows[id]; d.Verdict != policy.Deny || d.Reason != policy.MissingParameter {
					t.Errorf("the row of one who cannot be planned: %+v", d)
				}
			}
		})
	}
}
