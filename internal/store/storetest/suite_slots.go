package storetest

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// testMarks keeps since when schedules were judged.
func testMarks(w *world) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	fridays, later := scheduler.Mark{Spec: "fridays", Since: now}, scheduler.Mark{Spec: "fridays", Since: now.Add(time.Hour)}
	saturdays := scheduler.Mark{Spec: "saturdays", Since: now.Add(2 * time.Hour)}
	stands := func(want scheduler.Mark) {
		w.Helper()
		if marks, err := w.store.Marks(w.ctx); err != nil || marks["weekend"] != want {
			w.Errorf("the mark is %v, %v; want %v", marks["weekend"], err, want)
		}
	}
	move := func(from, to scheduler.Mark, want bool) {
		w.Helper()
		if moved, err := w.store.MoveMark(w.ctx, "weekend", from, to); err != nil || moved != want {
			w.Errorf("MoveMark from %v to %v = %t, %v; want %t", from, to, moved, err, want)
		}
	}
	stands(scheduler.Mark{})
	move(fridays, later, false) // there is none yet
	move(scheduler.Mark{}, fridays, true)
	move(scheduler.Mark{}, saturdays, false) // somebody was first
	stands(fridays)
	move(fridays, later, true)
	move(fridays, saturdays, false) // it stands elsewhere by now
	move(saturdays, fridays, false)
	stands(later)
	move(later, saturdays, true)
	move(saturdays, fridays, true) // the clock went back
	stands(fridays)
	if moved, err := w.store.MoveMark(w.ctx, "another", scheduler.Mark{}, later); err != nil || !moved {
		w.Errorf("another campaign's mark: %t, %v", moved, err)
	}
	stands(fridays)

	var moving sync.WaitGroup
	var winners atomic.Int32
	for i := range 8 {
		moving.Go(func() {
			moved, err := w.store.MoveMark(w.ctx, "weekend", fridays, scheduler.Mark{Spec: "fridays", Since: now.Add(time.Duration(1+i) * time.Minute)})
			if err != nil {
				w.Error(err)
			}
			if moved {
				winners.Add(1)
			}
		})
	}
	moving.Wait()
	if n := winners.Load(); n != 1 {
		w.Errorf("%d of eight moved one mark", n)
	}
	if at, err := w.store.Now(w.ctx); err != nil || at.Before(now.Add(-time.Minute)) || at.After(now.Add(time.Hour)) {
		w.Errorf("the database's clock says %s, %v; it is %s", at, err, now)
	}
}

// testFormer reads where the earlier runs of a campaign's schedule stand.
func testFormer(w *world) {
	stands := func(occurrence, open string, ended bool) {
		w.Helper()
		former, err := w.store.Former(w.ctx, "nightly", occurrence)
		if err != nil || former.Open != open || former.Ended.IsZero() == ended {
			w.Errorf("before %s: %+v, %v; want %q open, another ended %t", occurrence, former, err, open, ended)
		}
	}
	create := func(campaign, occurrence string, change ...func(*scheduler.Run)) string {
		w.Helper()
		run, _, err := w.store.CreateRun(w.ctx, w.draft(campaign, "offers", append(change, func(r *scheduler.Run) { r.Occurrence = occurrence })...))
		w.must(err)
		return run.ID
	}
	stands("2026-11-20T18:00", "", false)
	create("another", "2026-11-19T18:00")
	create("nightly", "", func(r *scheduler.Run) { r.Manual = true })
	create("nightly", "", func(r *scheduler.Run) { r.Manual, r.Test = true, true })
	create("nightly", "2026-11-18T18:00", func(r *scheduler.Run) { r.State, r.Why = scheduler.Missed, "found 3h late" })
	stands("2026-11-20T18:00", "", false)
	first := create("nightly", "2026-11-19T18:00")
	stands("2026-11-20T18:00", first, false)
	stands("2026-11-19T18:00", "", false) // its own run
	w.must(w.store.MoveRun(w.ctx, first, scheduler.Paused, "lunch"))
	stands("2026-11-20T18:00", first, false)
	w.must(w.store.MoveRun(w.ctx, first, scheduler.RunCancelled, ""))
	stands("2026-11-20T18:00", "", true)
	second := create("nightly", "2026-11-20T18:00")
	stands("2026-11-21T18:00", second, true)
	w.must(w.store.MoveRun(w.ctx, second, scheduler.Done, ""))
	stands("2026-11-21T18:00", "", true)
}

// testQueued reads waiting rows page by page: each once, in order, whatever has moved in between.
func testQueued(w *world) {
	people := w.people(25)
	l := w.launch("pages", "offers", people)
	slices.SortFunc(people, func(a, b person) int { return bytes.Compare(a.id[:], b.id[:]) })
	flights := w.pass(l, people[:10])
	w.record(late, flights[5:]...) // due at one time
	for i := 4; i >= 0; i-- {      // then in the reverse order of their keys
		w.record(late, flights[i])
	}
	w.record(notSent, w.pass(l, people[10:11])...) // not due yet
	w.act(stop(people[12], policy.ScopeAll, time.Now()))
	var keys []person
	page := sender.Page{RunID: l.run.ID, Limit: 4}
	for {
		rows, err := w.store.Queued(w.ctx, page)
		w.must(err)
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			i := slices.IndexFunc(people, func(p person) bool { return p.id == row.PersonID })
			keys = append(keys, people[i])
			if row.To.Phone != people[i].phone || row.Reads != "it" || !row.DueAt.IsZero() || !row.Person.Known || row.Person.Country != "IT" || row.Person.SuppressionsRead {
				w.Fatalf("row %+v", row)
			}
			if name, ok := row.Fields.Field("name"); name != "Ada" || !ok {
				w.Fatalf("the row's name is %q", name)
			}
		}
		page.After = rows[len(rows)-1].PersonID
	}
	if want := slices.Concat(people[11:12], people[13:]); !slices.Equal(keys, want) {
		w.Errorf("%d rows were read, want %d in order", len(keys), len(want))
	}
	page = sender.Page{RunID: l.run.ID, Due: true, Limit: 3}
	var due []policy.PersonID
	for {
		rows, err := w.store.Queued(w.ctx, page)
		w.must(err)
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			due = append(due, row.PersonID)
			if row.DueAt.IsZero() || row.DueAt.Before(page.DueAfter) {
				w.Errorf("due at %s after %s", row.DueAt, page.DueAfter)
			}
		}
		last := rows[len(rows)-1]
		page.DueAfter, page.After = last.DueAt, last.PersonID
	}
	var want []policy.PersonID
	for _, i := range []int{5, 6, 7, 8, 9, 4, 3, 2, 1, 0} {
		want = append(want, people[i].id)
	}
	if !slices.Equal(due, want) {
		w.Errorf("%d rows are due, want the ten that were given back, those first that were given back first", len(due))
	}
}
