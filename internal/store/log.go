package store

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

const lineColumns = `d.run_id, d.person_id, d.state, d.reason, d.queued_at, d.due_at, d.language, d.attempts, d.sending_at, d.accepted_at, d.sent_at,
	d.delivered_at, d.read_at, d.failed_at, d.replied_at, d.changed_at, d.wamid, d.error_code, d.error_title, d.error_details, d.billable,
	d.price_category, d.price_model, COALESCE(c.user_id, '') AS user_id,
	COALESCE(c.phone, (SELECT MIN(i.value) FROM identifiers i WHERE i.person_id = d.person_id AND i.kind = 'phone'), '') AS phone`

// changedAt is when a row last changed: a row that was never moved has only the time at which it was written.
const changedAt = "COALESCE(d.changed_at, d.queued_at)"

type lineRow struct {
	RunID         string         `db:"run_id"`
	PersonID      []byte         `db:"person_id"`
	State         sender.State   `db:"state"`
	Reason        sql.NullString `db:"reason"`
	QueuedAt      instant        `db:"queued_at"`
	DueAt         sql.NullInt64  `db:"due_at"`
	Language      sql.NullString `db:"language"`
	Attempts      int            `db:"attempts"`
	SendingAt     sql.NullInt64  `db:"sending_at"`
	AcceptedAt    sql.NullInt64  `db:"accepted_at"`
	SentAt        sql.NullInt64  `db:"sent_at"`
	DeliveredAt   sql.NullInt64  `db:"delivered_at"`
	ReadAt        sql.NullInt64  `db:"read_at"`
	FailedAt      sql.NullInt64  `db:"failed_at"`
	RepliedAt     sql.NullInt64  `db:"replied_at"`
	ChangedAt     sql.NullInt64  `db:"changed_at"`
	WAMID         sql.NullString `db:"wamid"`
	ErrorCode     sql.NullInt64  `db:"error_code"`
	ErrorTitle    sql.NullString `db:"error_title"`
	ErrorDetails  sql.NullString `db:"error_details"`
	Billable      sql.NullInt64  `db:"billable"`
	PriceCategory sql.NullString `db:"price_category"`
	PriceModel    sql.NullString `db:"price_model"`
	Phone         string         `db:"phone"`
	UserID        string         `db:"user_id"`
}

// line joins a row with its run.
func (r lineRow) line(run scheduler.Run) report.Line {
	when := func(n sql.NullInt64) report.Time { return report.Time{Time: whenever(n)} }
	line := report.Line{
		Run: run.ID, Campaign: run.CampaignID, Phone: r.Phone, UserID: r.UserID, Template: run.Frozen.Campaign.Message.Template, Language: r.Language.String,
		Category: run.Category, State: r.State, Reason: policy.Reason(r.Reason.String), Attempts: r.Attempts, WAMID: r.WAMID.String, Test: run.Test,
		DueAt: when(r.DueAt), QueuedAt: reached(r.QueuedAt), SendingAt: when(r.SendingAt), AcceptedAt: when(r.AcceptedAt), SentAt: when(r.SentAt),
		DeliveredAt: when(r.DeliveredAt), ReadAt: when(r.ReadAt), FailedAt: when(r.FailedAt), RepliedAt: when(r.RepliedAt),
		At:        report.Cursor{FireAt: run.FireAt, Run: run.ID, Person: policy.PersonID(r.PersonID)},
		ChangedAt: when(r.ChangedAt),
	}
	if !r.ChangedAt.Valid {
		line.ChangedAt = line.QueuedAt
	}
	// The error of an attempt before the one that Meta took is over.
	if r.ErrorCode.Valid && !slices.Contains(taken, r.State) {
		line.Error = &report.Error{Code: int(r.ErrorCode.Int64), Title: r.ErrorTitle.String, Details: r.ErrorDetails.String}
	}
	if r.Billable.Valid || r.PriceCategory.Valid || r.PriceModel.Valid {
		line.Pricing = &report.Pricing{Category: r.PriceCategory.String, Model: r.PriceModel.String}
		if r.Billable.Valid {
			billable := r.Billable.Int64 == 1
			line.Pricing.Billable = &billable
		}
	}
	return line
}

// taken are the states of a message that Meta has.
var taken = []sender.State{sender.Accepted, sender.Held, sender.Sent, sender.Delivered, sender.Read}

// Log lists deliveries, one line per run and person, in the order of report.Cursor: the runs by fire time, the people of a
// run in key order. It reads page by page along the primary key, so that its memory does not grow with the log, and ends at
// the first error. A line that changes while the log is read is shown once, as it was or as it is.
func (s *Store) Log(ctx context.Context, filter report.Filter) iter.Seq2[report.Line, error] {
	return s.lines(ctx, logScope{Filter: filter})
}

// tailRecent is how long after its end a run is still followed: for what the last webhooks say.
const tailRecent = 6 * time.Hour

// Tail lists the lines that changed after since, until and with until, of runs that are open or ended in the last six hours:
// for `log -f`, which goes on from VisibleUntil to VisibleUntil. It reads every row of those runs: ask it every second or two, not more.
func (s *Store) Tail(ctx context.Context, filter report.Filter, since, until time.Time) iter.Seq2[report.Line, error] {
	filter.Since = since.Add(time.Microsecond)
	return s.lines(ctx, logScope{Filter: filter, until: at(until), live: true})
}

// commitLag is longer than any transaction that moves deliveries takes from reading the clock to its commit.
const commitLag = 2 * time.Second

// VisibleUntil is a moment of the database's clock, just past, before which every change of a delivery can be read by now.
func (s *Store) VisibleUntil(ctx context.Context) (time.Time, error) {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the clock: %w", err)
	}
	return now.time().Add(-commitLag), nil
}

// logScope is what to list: a filter, and for a tail up to when and that only live runs matter.
type logScope struct {
	report.Filter
	until instant
	live  bool
}

func (s *Store) lines(ctx context.Context, scope logScope) iter.Seq2[report.Line, error] {
	return func(yield func(report.Line, error) bool) {
		pages := s.runByRun(ctx, scope)
		if scope.Phone != "" {
			pages = s.ofOnePerson(ctx, scope)
		}
		shown := 0
		for lines, err := range pages {
			if err != nil {
				yield(report.Line{}, fmt.Errorf("reading the log: %w", err))
				return
			}
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
				if shown++; shown == scope.Limit {
					return
				}
			}
		}
	}
}

// runByRun yields the log in pages: every run that may hold lines, and along its people.
func (s *Store) runByRun(ctx context.Context, scope logScope) iter.Seq2[[]report.Line, error] {
	return func(yield func([]report.Line, error) bool) {
		place := scope.After
		for first := true; ; first = false {
			runs, err := s.runsOfLog(ctx, scope, place, first)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(runs) == 0 {
				return
			}
			for _, run := range runs {
				after := policy.PersonID{}
				if run.ID == scope.After.Run {
					after = scope.After.Person
				}
				for page, err := range s.linesOfRun(ctx, scope, run, after) {
					if !yield(page, err) || err != nil {
						return
					}
				}
			}
			last := runs[len(runs)-1]
			place = report.Cursor{FireAt: last.FireAt, Run: last.ID}
		}
	}
}

// where is a condition that grows, with its arguments.
type where struct {
	text string
	args []any
}

func (w *where) and(condition string, arg any) {
	w.args = append(w.args, arg)
	if w.text != "" {
		w.text += " AND "
	}
	w.text += condition + " $" + strconv.Itoa(len(w.args))
}

// runsOfLog returns the next runs that may hold lines, from a place on: itself with inclusive, else those after it.
func (s *Store) runsOfLog(ctx context.Context, scope logScope, place report.Cursor, inclusive bool) ([]scheduler.Run, error) {
	const runsPerPage = 100
	w := where{text: "WHERE (fire_at, run_id) > ($1, $2)", args: []any{at(place.FireAt), place.Run}}
	if inclusive {
		w.text = "WHERE (fire_at, run_id) >= ($1, $2)"
	}
	if scope.Campaign != "" {
		w.and("campaign_id =", scope.Campaign)
	}
	if scope.Run != "" {
		w.and("run_id =", scope.Run)
	}
	if scope.live {
		w.and("COALESCE(finished_at, 9223372036854775807) >", at(scope.Since.Add(-tailRecent)))
	}
	return s.selectRuns(ctx, w.text+" ORDER BY fire_at, run_id LIMIT "+strconv.Itoa(runsPerPage), w.args...)
}

// narrow adds what the filter says of single deliveries.
func (w *where) narrow(scope logScope) {
	if scope.State != "" {
		w.and("d.state =", string(scope.State))
	}
	if scope.Reason != "" {
		w.and("d.reason =", string(scope.Reason))
	}
	if !scope.Since.IsZero() {
		w.and(changedAt+" >=", at(scope.Since))
	}
	if scope.until != 0 {
		w.and(changedAt+" <=", scope.until)
	}
}

func (s *Store) linesOfRun(ctx context.Context, scope logScope, run scheduler.Run, after policy.PersonID) iter.Seq2[[]report.Line, error] {
	return func(yield func([]report.Line, error) bool) {
		// Written as a range of the key, which PostgreSQL reads in order also when it has no statistics of this run yet.
		w := where{text: "(d.run_id, d.person_id) > ($1, $2) AND d.run_id <= $1", args: []any{run.ID, nil}}
		w.narrow(scope)
		limit := pageRows
		if scope.Limit > 0 {
			limit = min(limit, scope.Limit)
		}
		query := "SELECT " + lineColumns + " FROM deliveries d LEFT JOIN contacts c ON c.person_id = d.person_id WHERE " + w.text +
			" ORDER BY d.run_id, d.person_id LIMIT " + strconv.Itoa(limit)
		for {
			var rows []lineRow
			w.args[1] = after[:]
			if err := s.read.SelectContext(ctx, &rows, query, w.args...); err != nil {
				yield(nil, err)
				return
			}
			lines := make([]report.Line, len(rows))
			for i, r := range rows {
				lines[i] = r.line(run)
			}
			if len(lines) > 0 && !yield(lines, nil) {
				return
			}
			if len(rows) < limit {
				return
			}
			after = policy.PersonID(rows[len(rows)-1].PersonID)
		}
	}
}

// ofOnePerson yields one person's lines: a look-up by key in each run.
func (s *Store) ofOnePerson(ctx context.Context, scope logScope) iter.Seq2[[]report.Line, error] {
	return func(yield func([]report.Line, error) bool) {
		people, err := s.Find(ctx, scope.Phone)
		if err != nil {
			yield(nil, err)
			return
		}
		if len(people) == 0 {
			return
		}
		place := scope.After
		for {
			page, err := s.personPage(ctx, scope, people[0], place)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(page) == 0 || !yield(page, nil) {
				return
			}
			place = page[len(page)-1].At
		}
	}
}

func (s *Store) personPage(ctx context.Context, scope logScope, person policy.PersonID, after report.Cursor) ([]report.Line, error) {
	// The join is written in the order in which it is to run: SQLite keeps to it, PostgreSQL finds it itself.
	w := where{text: "d.run_id = r.run_id AND d.person_id = $1 AND (r.fire_at, r.run_id, d.person_id) > ($2, $3, $4)", args: []any{person[:], at(after.FireAt), after.Run, after.Person[:]}}
	if scope.Campaign != "" {
		w.and("r.campaign_id =", scope.Campaign)
	}
	if scope.Run != "" {
		w.and("r.run_id =", scope.Run)
	}
	if scope.live {
		w.and("COALESCE(r.finished_at, 9223372036854775807) >", at(scope.Since.Add(-tailRecent)))
	}
	w.narrow(scope)
	var rows []lineRow
	if err := s.read.SelectContext(ctx, &rows, "SELECT "+lineColumns+` FROM runs r CROSS JOIN deliveries d LEFT JOIN contacts c ON c.person_id = d.person_id
		WHERE `+w.text+" ORDER BY r.fire_at, r.run_id LIMIT "+strconv.Itoa(pageRows), w.args...); err != nil {
		return nil, err
	}
	ids := s.dialect.newBatch()
	for _, r := range rows {
		ids.row().str(r.RunID)
	}
	runs, err := s.selectRuns(ctx, "WHERE run_id IN (SELECT x.run_id FROM "+s.dialect.batch(1, textOf("run_id"))+")", ids.only(isText))
	if err != nil {
		return nil, err
	}
	byID := make(map[string]scheduler.Run, len(runs))
	for _, run := range runs {
		byID[run.ID] = run
	}
	lines := make([]report.Line, 0, len(rows))
	for _, r := range rows {
		lines = append(lines, r.line(byID[r.RunID]))
	}
	return lines, nil
}
