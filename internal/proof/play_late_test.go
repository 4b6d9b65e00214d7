package proof

import (
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// lateBy is how late the last reports come: Meta keeps trying to deliver for 30 days (graph-api §4.6).
const lateBy = 29 * 24 * time.Hour

// playLate lets all that Meta has to say of a run come 29 days after it ended, to a program that was started anew since: it counts,
// nothing of it is an error, and the run stays over (F6).
func playLate(t *testing.T, target string, seed uint64, soak length) {
	r := newRig(t, "late", target, seed, settings{people: soak.of(150, 3000), special: endings})
	r.player.Hold()
	p := r.serve(r.houses[0])
	r.meta.Set(Faults{DropAnswer: 0.03, Delay: 10 * time.Millisecond})
	r.detach("offer")
	r.untilOver()
	p.stop()
	lost := r.meta.Counts().Dropped
	r.age(lateBy)
	before := r.runsAsTheyAre()
	p = r.serve(r.houses[0])
	r.law.MaxUnknown = lost + 4
	early := r.law
	early.Told = false
	r.audit(early)
	r.player.Release()
	r.untilTold()
	if after := r.runsAsTheyAre(); after != before {
		t.Errorf("late, seed %d: the run was %s and is %s", seed, before, after)
	}
	for line := range strings.Lines(p.err.String()) {
		// The proxy cuts reads of the templates too, which is no matter of reports.
		if strings.Contains(line, `"level":"ERROR"`) && !strings.Contains(line, "templates cannot be synced") {
			t.Errorf("late, seed %d: reports that came late are errors: %s", seed, line)
		}
	}
	late, err := r.count(fmt.Sprintf("SELECT count(*) FROM deliveries WHERE sent_at - sending_at >= %d OR failed_at - sending_at >= %[1]d", (lateBy - time.Minute).Microseconds())) // Meta's times are whole seconds
	r.must("counting", err)
	r.powered("messages that were reported so late", late, len(r.everybody)/2)
	r.law.MaxUnknown = 1
	r.judge()
}

// age makes all that is on record of runs, and the consents that they went by, so much older.
func (r *rig) age(by time.Duration) {
	r.t.Helper()
	driver, source := "postgres", r.database
	if path, local := strings.CutPrefix(r.database, "sqlite:"); local {
		driver, source = "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, source)
	r.must("opening the database", err)
	defer func() { _ = db.Close() }()
	for table, columns := range map[string]string{
		"runs":       "fire_at planned_at created_at started_at finished_at",
		"deliveries": "queued_at due_at sending_at accepted_at failed_at changed_at",
		"consents":   "recorded_at",
	} {
		var sets []string
		for column := range strings.FieldsSeq(columns) {
			sets = append(sets, fmt.Sprintf("%s = %[1]s - %d", column, by.Microseconds()))
		}
		_, err := db.Exec("UPDATE " + table + " SET " + strings.Join(sets, ", "))
		r.must("ageing "+table, err)
	}
}

// runsAsTheyAre is the state of all runs and when they ended, as one text.
func (r *rig) runsAsTheyAre() string {
	r.t.Helper()
	rows, err := r.db.Query("SELECT run_id, state, COALESCE(finished_at, 0) FROM runs ORDER BY run_id")
	r.must("reading the runs", err)
	defer func() { _ = rows.Close() }()
	var text strings.Builder
	for rows.Next() {
		var run, state string
		var finished int64
		r.must("reading a run", rows.Scan(&run, &state, &finished))
		fmt.Fprintf(&text, "%s %s since %d; ", run, state, finished)
	}
	r.must("reading the runs", rows.Err())
	return text.String()
}
