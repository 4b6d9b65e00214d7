package config

import (
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/scheduler"
)

// readSchedule returns the schedule with its defaults, also when parts of it are wrong.
func (l *loader) readSchedule(o object) *scheduler.Schedule {
	s := &scheduler.Schedule{
		Zone:          l.cfg.Business.Timezone,
		CatchUp:       scheduler.CatchUpOnce,
		CatchUpWithin: defaultCatchUpWithin,
		Overlap:       scheduler.OverlapSkip,
	}
	before := len(l.problems)
	if v, found := o.get("timezone"); found {
		s.Zone, _ = v.zone()
	}
	if v, found := o.get("cron"); found {
		s.Cron, _ = v.text(`a cron expression such as "0 18 * * FRI"`)
	}
	if v, found := o.get("at"); found {
		s.At, _ = v.instant(s.Zone)
	}
	if v, found := o.get("catch_up"); found {
		word, _ := v.oneOf(catchUpWords...)
		s.CatchUp = scheduler.CatchUp(word)
	}
	if v, found := o.get("catch_up_within"); found {
		s.CatchUpWithin, _ = v.duration()
	}
	if v, found := o.get("overlap"); found {
		word, _ := v.oneOf(overlapWords...)
		s.Overlap = scheduler.Overlap(word)
	}
	if v, found := o.get("starts_at"); found {
		s.StartsAt, _ = v.instant(s.Zone)
	}
	if v, found := o.get("ends_at"); found {
		s.EndsAt, _ = v.instant(s.Zone)
	}
	if len(l.problems) == before && !o.misspelt["cron"] && !o.misspelt["at"] {
		o.checkSchedule(*s)
	}
	return s
}

// checkSchedule places what the scheduler says of the schedule as a whole at the keys that it says it of.
func (o object) checkSchedule(s scheduler.Schedule) {
	place := func(field string) value {
		if v, found := o.get(field); found {
			return v
		}
		return o.value
	}
	if s.Zone == "" {
		s.Zone = "UTC" // the business's zone is wrong or missing, which has been said
	}
	if location, known := o.l.zoneOf(s.Zone); known {
		// The messages name these times, and people read them on the clocks of the schedule.
		s.At, s.StartsAt, s.EndsAt = s.At.In(location), s.StartsAt.In(location), s.EndsAt.In(location)
	}
	for _, problem := range s.Validate() {
		place(problem.Field).fail(o.scheduleCode(problem.Field), "%s: %s", problem.Field, problem.Message)
	}
	for _, remark := range s.Remarks() {
		place(remark.Field).warn(errcode.CronEitherDay, "%s: %s", remark.Field, remark.Message)
	}
}

// scheduleCode names the kind of what the scheduler says about a field.
func (o object) scheduleCode(field string) errcode.Code {
	switch {
	case field == "cron" && o.has("cron"):
		return errcode.InvalidCron
	case field == "ends_at", field == "at" && !o.has("cron"):
		return errcode.ScheduleNeverFires
	}
	return errcode.InvalidSchedule
}
