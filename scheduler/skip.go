package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/permesso/permesso/internal/errcode"
)

// errMarkMoved says that another process judges slots that are to be skipped.
var errMarkMoved = errcode.With(errors.New("another process judged the slots meanwhile: try again"), errcode.DatabaseBusy)

// Skip records the slots up to a time that have no run as missed, and has every schedule begin after it. A time that is after now,
// for the clock went back, counts too: of a schedule that is new, or was edited, its slots from now on. It returns how many slots
// it judged; runs that there are stay as they are.
func (s *Scheduler) Skip(ctx context.Context, now, until time.Time, why string) (skipped int, err error) {
	marks, err := s.Slots.Marks(ctx)
	if err != nil {
		return 0, err
	}
	for _, c := range s.Campaigns() {
		if c.Schedule == nil {
			continue
		}
		n, err := s.skip(ctx, c, marks[c.ID], now, until, why)
		if skipped += n; err != nil {
			return skipped, fmt.Errorf("campaign %s: %w", c.ID, err)
		}
	}
	return skipped, nil
}

func (s *Scheduler) skip(ctx context.Context, c Campaign, mark Mark, now, until time.Time, why string) (skipped int, err error) {
	spec := c.Schedule.spec()
	if mark != (Mark{}) {
		then := c
		if mark.Spec != spec {
			former, err := parseSpec(mark.Spec)
			if err != nil {
				return 0, err
			}
			then.Schedule = &former
		}
		if mark, skipped, err = s.skipSlots(ctx, then, c, mark, until, why); err != nil {
			return skipped, err
		}
	}
	if mark.Spec != spec {
		begin := now
		if until.Before(now) {
			begin = until
		}
		if mark, err = s.moveMark(ctx, c.ID, mark, Mark{spec, begin}); err != nil {
			return skipped, err
		}
		var more int
		mark, more, err = s.skipSlots(ctx, c, c, mark, until, why)
		if skipped += more; err != nil {
			return skipped, err
		}
	}
	if mark.Since.Before(until) {
		_, err = s.moveMark(ctx, c.ID, mark, Mark{spec, until})
	}
	return skipped, err
}

// skipSlots records the slots of a schedule between the mark and a time, under the campaign as it is now.
func (s *Scheduler) skipSlots(ctx context.Context, then, c Campaign, mark Mark, until time.Time, why string) (_ Mark, skipped int, err error) {
	if !mark.Since.Before(until) {
		return mark, 0, nil
	}
	due, err := Due(then, mark.Since, until)
	if err != nil {
		return mark, 0, err
	}
	for _, slot := range due {
		var moved bool
		if mark, moved, err = s.settle(ctx, c, mark, slot, why); err != nil {
			return mark, skipped, err
		}
		if !moved {
			return mark, skipped, errMarkMoved
		}
		skipped++
	}
	return mark, skipped, nil
}

func (s *Scheduler) moveMark(ctx context.Context, campaign string, from, to Mark) (Mark, error) {
	if from == to {
		return to, nil
	}
	moved, err := s.Slots.MoveMark(ctx, campaign, from, to)
	if err == nil && !moved {
		err = errMarkMoved
	}
	return to, err
}
