package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// heard is one report about a message: an answer to our POST or a status webhook. Both go through the same lattice.
type heard struct {
	attempt *sender.AttemptID // nil when only the wamid is known
	wamid   string
	state   sender.State
	at      instant // by Meta's clock
	heardAt instant // by ours
	err     *sender.Error
	pricing *sender.Pricing
	status  *sender.Status // the webhook's own words, kept when no delivery is found
}

// deliveryRow is where a reported delivery stands.
type deliveryRow struct {
	RunID     string       `db:"run_id"`
	PersonID  []byte       `db:"person_id"`
	State     sender.State `db:"state"`
	WAMID     *string      `db:"wamid"`
	AttemptID []byte       `db:"attempt_id"`
	Attempts  int          `db:"attempts"`
}

type deliveryKey struct {
	run    string
	person policy.PersonID
}

// change is everything that a batch of reports does to one delivery.
type change struct {
	key                                     deliveryKey
	was, state                              sender.State
	wamid                                   string
	known                                   bool // its message id is on record
	erased                                  bool // its person was erased: no words and no message id are kept
	accepted, sent, delivered, read, failed instant
	heard                                   instant // when its first status came, by our clock
	err                                     *sender.Error
	pricing                                 *sender.Pricing
}

// applyHeard moves the deliveries that the reports are about; it returns the reports that match none, and the persons whom a report stopped.
// Another process may move a row between our reading and writing: then the whole transaction is undone and done again. To
// read and apply once more within it would take our own half of the writing for what stood there before, and forget its consequences.
func (s *Store) applyHeard(ctx context.Context, tx *sqlx.Tx, now instant, reports []heard) (unmatched []heard, stopped []policy.PersonID, err error) {
	changes, strangers, err := s.changesOf(ctx, tx, reports)
	if err != nil {
		return nil, nil, err
	}
	complete, err := s.writeChanges(ctx, tx, now, changes)
	if err != nil {
		return nil, nil, err
	}
	if !complete {
		return nil, nil, fmt.Errorf("applying %d reports: %w", len(reports), errOvertaken)
	}
	if err := s.respend(ctx, tx, changes); err != nil {
		return nil, nil, err
	}
	if stopped, err = s.consequences(ctx, tx, now, changes); err != nil {
		return nil, nil, err
	}
	return strangers, stopped, s.tripByStatus(ctx, tx, now, changes)
}

func (s *Store) changesOf(ctx context.Context, tx *sqlx.Tx, reports []heard) ([]*change, []heard, error) {
	byAttempt, byWAMID, err := s.findReported(ctx, tx, reports)
	if err != nil {
		return nil, nil, err
	}
	found := map[deliveryKey]*change{}
	var strangers []heard
	var changes []*change
	for _, h := range reports {
		row, ok := deliveryRow{}, false
		if h.attempt != nil {
			row, ok = byAttempt[*h.attempt]
		}
		if !ok && h.wamid != "" {
			row, ok = byWAMID[h.wamid]
		}
		if !ok {
			strangers = append(strangers, h)
			continue
		}
		key := deliveryKey{row.RunID, policy.PersonID(row.PersonID)}
		c := found[key]
		if c == nil {
			c = &change{key: key, was: row.State, state: row.State, known: row.WAMID != nil, erased: row.WAMID != nil && *row.WAMID == goneWAMID}
			found[key] = c
			changes = append(changes, c)
		}
		c.hear(h)
	}
	slices.SortFunc(changes, func(a, b *change) int {
		if order := strings.Compare(a.key.run, b.key.run); order != 0 {
			return order
		}
		return bytes.Compare(a.key.person[:], b.key.person[:])
	})
	return changes, strangers, nil
}

func (s *Store) findReported(ctx context.Context, tx *sqlx.Tx, reports []heard) (map[sender.AttemptID]deliveryRow, map[string]deliveryRow, error) {
	attempts, wamids := s.dialect.newBatch(), s.dialect.newBatch()
	for _, h := range reports {
		if h.attempt != nil {
			attempts.row().bytes(h.attempt[:])
		}
		if h.wamid != "" && (h.attempt == nil || h.status != nil) {
			wamids.row().str(h.wamid)
		}
	}
	byAttempt, byWAMID := make(map[sender.AttemptID]deliveryRow, attempts.rows), make(map[string]deliveryRow, wamids.rows)
	var rows []deliveryRow
	if attempts.rows > 0 {
		if err := s.queries.statusByAttempt.read(ctx, tx, &rows, &attempts); err != nil {
			return nil, nil, fmt.Errorf("finding deliveries by callback: %w", err)
		}
		for _, r := range rows {
			byAttempt[sender.AttemptID(r.AttemptID)] = r
		}
	}
	if wamids.rows > 0 && len(byAttempt) < len(reports) {
		rows = nil
		if err := s.queries.statusByWAMID.read(ctx, tx, &rows, &wamids); err != nil {
			return nil, nil, fmt.Errorf("finding deliveries by message id: %w", err)
		}
		for _, r := range rows {
			byWAMID[*r.WAMID] = r
		}
	}
	return byAttempt, byWAMID, nil
}

// hear folds one report into the change.
func (c *change) hear(h heard) {
	if c.state == sender.Queued && h.state != sender.Failed {
		// It was given back as surely unwritten, and yet Meta has it: believe Meta.
		c.state = sender.Sending
	}
	c.state = c.state.Heard(h.state)
	if h.wamid != "" && !c.erased {
		c.wamid = h.wamid
	}
	if h.state != sender.Failed || h.status != nil {
		// Only what was accepted is reported later; a refusal at once was not.
		c.accepted = earliest(c.accepted, h.heardAt)
	}
	if h.status != nil {
		c.heard = earliest(c.heard, h.heardAt)
	}
	switch h.state {
	case sender.Sent:
		c.sent = earliest(c.sent, h.at)
	case sender.Delivered:
		c.delivered = earliest(c.delivered, h.at)
	case sender.Read:
		c.read = earliest(c.read, h.at)
	case sender.Failed:
		c.failed = earliest(c.failed, h.at)
		c.err = h.err
		if c.erased && h.err != nil {
			bare := *h.err
			bare.Title, bare.Details = "", ""
			c.err = &bare
		}
	}
	if h.pricing != nil {
		c.pricing = h.pricing
	}
}

func earliest(a, b instant) instant {
	if a == 0 || b < a {
		return b
	}
	return a
}

// writeChanges writes the changes where the rows still stand as they were read; complete is false when one does not.
func (s *Store) writeChanges(ctx context.Context, tx *sqlx.Tx, now instant, changes []*change) (complete bool, err error) {
	if len(changes) == 0 {
		return true, nil
	}
	b, messages := s.dialect.newBatch(), s.dialect.newBatch()
	for _, c := range changes {
		b.row().str(c.key.run).bytes(c.key.person[:]).str(string(c.was)).str(string(c.state)).strOrNull(c.wamid)
		c.addStatus(&b)
		if c.wamid != "" && !c.known {
			messages.row().str(c.wamid).str(c.key.run).bytes(c.key.person[:])
		}
	}
	if err := s.addMessages(ctx, tx, &messages); err != nil {
		return false, err
	}
	done, err := s.queries.applyStatus.exec(ctx, tx, &b, now)
	if err != nil {
		return false, fmt.Errorf("updating deliveries: %w", err)
	}
	written, err := done.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("updating deliveries: %w", err)
	}
	return int(written) == len(changes), nil
}

// addMessages notes which deliveries messages belong to.
func (s *Store) addMessages(ctx context.Context, tx *sqlx.Tx, messages *batch) error {
	if messages.rows == 0 {
		return nil
	}
	if _, err := s.queries.addMessages.exec(ctx, tx, messages); err != nil {
		return fmt.Errorf("noting message ids: %w", err)
	}
	return nil
}

func (c *change) addStatus(b *batch) {
	b.when(c.accepted).when(c.sent).when(c.delivered).when(c.read).when(c.failed)
	if c.err != nil {
		b.num(int64(c.err.Code)).str(c.err.Title).str(c.err.Details)
	} else {
		b.null().null().null()
	}
	if c.pricing == nil {
		b.null().null().null().when(c.heard)
		return
	}
	switch billable := c.pricing.Billable; {
	case billable == nil:
		b.null()
	case *billable:
		b.num(1)
	default:
		b.num(0)
	}
	b.strOrNull(c.pricing.Category).strOrNull(c.pricing.Model).when(c.heard)
}

// cooldown is how long Meta asks to leave a person alone after 131049 (Meta, "Per-user marketing template message limits", read 2026-09-11).
const cooldown = 24 * time.Hour

// consequences are what a failure means beyond its own delivery, once, when the delivery first becomes failed. Several messages of
// one person may fail together, and persons are written in key order, as the gate locks them.
func (s *Store) consequences(ctx context.Context, tx *sqlx.Tx, now instant, changes []*change) (stopped []policy.PersonID, err error) {
	cool, strikes := map[policy.PersonID]instant{}, map[policy.PersonID]int64{}
	var stops []*change
	for _, c := range changes {
		person := c.key.person
		if c.err != nil && c.err.Reaction == sender.Suppress {
			stopped = append(stopped, person)
		}
		if c.err == nil || c.state != sender.Failed || c.was == sender.Failed {
			continue
		}
		switch c.err.Reaction {
		case sender.Cooldown:
			cool[person] = max(cool[person], at(max(now, c.failed).time().Add(cooldown)))
		case sender.Undeliverable:
			strikes[person]++
		case sender.Suppress:
			stops = append(stops, c)
		}
	}
	if err := s.stopForMeta(ctx, tx, now, stops); err != nil {
		return nil, err
	}
	if err := writePersons(ctx, tx, s.queries.cooldown, s.dialect.newBatch(), cool); err != nil {
		return nil, fmt.Errorf("noting Meta's cooldown: %w", err)
	}
	if err := writePersons(ctx, tx, s.queries.strike, s.dialect.newBatch(), strikes); err != nil {
		return nil, fmt.Errorf("counting undeliverable messages: %w", err)
	}
	return stopped, nil
}

// stopForMeta writes the stops that failures told us of.
func (s *Store) stopForMeta(ctx context.Context, tx *sqlx.Tx, now instant, stops []*change) error {
	people := make([]policy.PersonID, len(stops))
	for i, c := range stops {
		people[i] = c.key.person
	}
	if err := s.lockPersons(ctx, tx, now, distinct(people)); err != nil {
		return err
	}
	for _, c := range stops {
		act := policy.Act{Kind: policy.ActStop, Scope: policy.ScopeKind(policy.Marketing), Origin: policy.OriginMeta1050, At: cmp.Or(c.failed, now).time(), MessageID: c.wamid}
		if err := s.suppressPersons(ctx, tx, now, act, []policy.PersonID{c.key.person}, nil); err != nil {
			return err
		}
	}
	return nil
}

// writePersons runs a statement with one number for each person, in key order.
func writePersons[N ~int64](ctx context.Context, tx *sqlx.Tx, write statement, b batch, numbers map[policy.PersonID]N) error {
	if len(numbers) == 0 {
		return nil
	}
	for _, person := range slices.SortedFunc(maps.Keys(numbers), comparePersons) {
		b.row().bytes(person[:]).num(int64(numbers[person]))
	}
	_, err := write.exec(ctx, tx, &b)
	return err
}

// parseCallback reads the attempt out of our callback text; ok is false for texts that are not of this instance.
func (s *Store) parseCallback(text string) (sender.AttemptID, bool) {
	var id sender.AttemptID
	rest, ok := strings.CutPrefix(text, "1:"+s.instance+":")
	if !ok || len(rest) != 2*len(id) {
		return id, false
	}
	if _, err := hex.Decode(id[:], []byte(rest)); err != nil {
		return id, false
	}
	return id, true
}

func (s *Store) heardStatus(status sender.Status, now instant) heard {
	h := heard{heardAt: now, wamid: status.WAMID, state: status.State, at: at(status.At), err: status.Err, pricing: status.Pricing, status: &status}
	if id, ok := s.parseCallback(status.Callback); ok {
		h.attempt = &id
	}
	return h
}

// keepEarly stores statuses whose message is not known yet.
func (s *Store) keepEarly(ctx context.Context, tx *sqlx.Tx, now instant, strangers []heard) error {
	b := s.dialect.newBatch()
	for _, h := range strangers {
		if h.status == nil || h.wamid == "" {
			continue
		}
		text, err := json.Marshal(early{Status: *h.status})
		if err != nil {
			return fmt.Errorf("keeping an early status: %w", err)
		}
		b.row().str(h.wamid).str(string(h.state)).num(int64(h.at)).str(string(text))
	}
	if b.rows == 0 {
		return nil
	}
	if _, err := s.queries.keepEarly.exec(ctx, tx, &b, now); err != nil {
		return fmt.Errorf("keeping early statuses: %w", err)
	}
	return nil
}

// applyEarly applies the stops and statuses that waited for these message ids.
func (s *Store) applyEarly(ctx context.Context, tx *sqlx.Tx, now instant, wamids *batch) error {
	if wamids.rows == 0 {
		return nil
	}
	var waiting bool
	if err := tx.GetContext(ctx, &waiting, "SELECT EXISTS (SELECT 1 FROM early_statuses)"); err != nil {
		return fmt.Errorf("reading early statuses: %w", err)
	}
	if !waiting {
		return nil
	}
	var texts []string
	if err := s.queries.earlyFor.read(ctx, tx, &texts, wamids); err != nil {
		return fmt.Errorf("reading early statuses: %w", err)
	}
	if len(texts) == 0 {
		return nil
	}
	var acts []policy.Act
	var reports []heard
	for _, text := range texts {
		var e early
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return fmt.Errorf("reading an early status: %w", err)
		}
		if e.Act != nil {
			acts = append(acts, *e.Act)
			continue
		}
		reports = append(reports, s.heardStatus(e.Status, now))
	}
	if _, err := s.applyActs(ctx, tx, now, acts); err != nil {
		return err
	}
	if _, _, err := s.applyHeard(ctx, tx, now, reports); err != nil {
		return err
	}
	if _, err := s.queries.dropEarly.exec(ctx, tx, wamids); err != nil {
		return fmt.Errorf("clearing early statuses: %w", err)
	}
	return nil
}

// How long what came early is looked at. Whoever records a message applies what waits for it; only two writes that passed each
// other leave something behind, and they did so in the same moments.
const (
	// earlyFresh is what is looked at each time; all of it is looked at first, and then as often as this: every process may have
	// ended in those moments.
	earlyFresh = time.Hour
	// earlyKept outlasts the 30 days for which Meta holds messages to people who are offline: what is older belongs to messages
	// of others who use the number.
	earlyKept = 40 * 24 * time.Hour
	earlyPage = 500
)

// ReplayEarly applies early stops and statuses whose message has become known since; the two writes may have passed each other.
// It lets go of what is older than earlyKept.
func (s *Store) ReplayEarly(ctx context.Context) error {
	now, err := s.dialect.now(ctx, s.read)
	if err != nil {
		return fmt.Errorf("reading early statuses: %w", err)
	}
	if err := s.forgetEarly(ctx, now-instant(earlyKept.Microseconds())); err != nil {
		return err
	}
	fresh, after := now-instant(earlyFresh.Microseconds()), instant(0)
	all := instant(s.earlyAll.Load()) <= fresh
	if !all {
		after = fresh
	}
	for {
		applied, err := s.replayEarly(ctx, after)
		if err != nil {
			return err
		}
		if applied < earlyPage {
			break
		}
	}
	if all {
		s.earlyAll.Store(int64(now))
	}
	return nil
}

// replayEarly applies a page of what was received after an instant and returns how many messages it was about.
func (s *Store) replayEarly(ctx context.Context, after instant) (applied int, err error) {
	var wamids []string
	if err := s.read.SelectContext(ctx, &wamids, `SELECT DISTINCT e2.wamid FROM early_statuses e2 JOIN messages m ON m.wamid = e2.wamid WHERE e2.received_at > $1 LIMIT $2`,
		after, earlyPage); err != nil {
		return 0, fmt.Errorf("reading early statuses: %w", err)
	}
	if len(wamids) == 0 {
		return 0, nil
	}
	b := s.dialect.newBatch()
	for _, w := range wamids {
		b.row().str(w)
	}
	return len(wamids), s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		return s.applyEarly(ctx, tx, now, &b)
	})
}

func (s *Store) forgetEarly(ctx context.Context, before instant) error {
	var old bool
	if err := s.read.GetContext(ctx, &old, "SELECT EXISTS (SELECT 1 FROM early_statuses WHERE received_at < $1)", before); err != nil {
		return fmt.Errorf("looking for early statuses that nothing came for: %w", err)
	}
	if !old {
		return nil
	}
	if _, err := s.write.ExecContext(ctx, "DELETE FROM early_statuses WHERE received_at < $1", before); err != nil {
		return fmt.Errorf("forgetting early statuses: %w", err)
	}
	return nil
}
