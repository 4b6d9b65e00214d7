package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// traces are the texts by which persons are found where no key leads: in the bodies of webhooks, in what came before its message, and
// inside Meta's message ids, which are base64 with the digits of the number in it.
type traces struct {
	digits []string // of every form of their numbers, without the plus
	ids    []string // user ids
	names  []string
}

func (e eraser) traces(ctx context.Context, who policy.Identity) (traces, error) {
	numbers, ids, names, err := e.namesStored(ctx, who)
	if err != nil {
		return traces{}, err
	}
	var t traces
	for _, number := range numbers {
		if number == "" {
			continue
		}
		t.digits = append(t.digits, strings.TrimPrefix(string(number), "+"))
		for _, form := range number.Variants() {
			t.digits = append(t.digits, strings.TrimPrefix(string(form), "+"))
		}
	}
	t.ids, t.names = ids, names
	for _, words := range []*[]string{&t.digits, &t.ids, &t.names} {
		slices.Sort(*words)
		*words = slices.DeleteFunc(slices.Compact(*words), func(word string) bool { return word == "" })
	}
	return t, nil
}

// scrub takes the persons' numbers, user ids and names out of an operator's words.
func (t traces) scrub(text string) string {
	for _, words := range [][]string{t.digits, t.ids, t.names} {
		for _, word := range words {
			text = strings.ReplaceAll(text, word, "(erased)")
		}
	}
	return text
}

var wamidText = regexp.MustCompile(`wamid\.([A-Za-z0-9+/_-]+)`)

// in reports whether a text has one of the persons' numbers or user ids in it, also within a message id.
func (t traces) in(text string) bool {
	holds := func(word string) bool { return strings.Contains(text, word) }
	if slices.ContainsFunc(t.digits, holds) || slices.ContainsFunc(t.ids, holds) {
		return true
	}
	for _, id := range wamidText.FindAllStringSubmatch(text, -1) {
		plain := decoded(id[1])
		if slices.ContainsFunc(t.digits, func(digits string) bool { return strings.Contains(plain, digits) }) {
			return true
		}
	}
	return false
}

// decoded is what stands in the base64 of a message id; what is no base64 at its end is left out.
func decoded(id string) string {
	id = strings.NewReplacer("-", "+", "_", "/").Replace(id)
	raw, err := base64.RawStdEncoding.DecodeString(id)
	if err != nil {
		raw, _ = base64.RawStdEncoding.DecodeString(id[:len(id)/4*4]) // what it could read is what can be looked at
	}
	return string(raw)
}

// traceRows bounds how many texts are looked at at once: a body may have megabytes.
const traceRows = 20

// dropTraces deletes the bodies of webhooks, the reports of unknown messages and what came early that name the persons, and empties
// what operators noted with their numbers or about them.
func (e eraser) dropTraces(ctx context.Context, t traces) error {
	if err := e.dropBodies(ctx, t); err != nil {
		return err
	}
	if err := e.dropEarly(ctx, t); err != nil {
		return err
	}
	if err := e.dropOrphans(ctx, t); err != nil {
		return err
	}
	if err := e.dropSamples(ctx, t); err != nil {
		return err
	}
	for _, person := range e.people {
		if _, err := e.tx.ExecContext(ctx, "UPDATE audit_log SET details = '' WHERE subject = $1 AND action <> 'contacts.erase' AND details <> ''", person.String()); err != nil {
			return fmt.Errorf("erasing what operators noted: %w", err)
		}
	}
	for _, word := range append(slices.Clone(t.digits), t.ids...) {
		if _, err := e.tx.ExecContext(ctx, "UPDATE audit_log SET details = '' WHERE details LIKE $1", "%"+word+"%"); err != nil {
			return fmt.Errorf("erasing what operators noted: %w", err)
		}
	}
	return nil
}

func (e eraser) dropBodies(ctx context.Context, t traces) error {
	for after := []byte{}; ; {
		var rows []struct {
			Hash []byte `db:"body_hash"`
			Body string `db:"body"`
		}
		if err := e.tx.SelectContext(ctx, &rows, "SELECT body_hash, body FROM webhooks WHERE body_hash > $1 ORDER BY body_hash LIMIT $2", after, traceRows); err != nil {
			return fmt.Errorf("reading the bodies of webhooks: %w", err)
		}
		for _, r := range rows {
			if !t.in(r.Body) {
				continue
			}
			if _, err := e.tx.ExecContext(ctx, "DELETE FROM webhooks WHERE body_hash = $1", r.Hash); err != nil {
				return fmt.Errorf("deleting the body of a webhook: %w", err)
			}
			e.counts.Webhooks++
		}
		if len(rows) < traceRows {
			return nil
		}
		after = rows[len(rows)-1].Hash
	}
}

func (e eraser) dropEarly(ctx context.Context, t traces) error {
	var rows []struct {
		WAMID  string `db:"wamid"`
		State  string `db:"state"`
		At     int64  `db:"at"`
		Status string `db:"status"`
	}
	if err := e.tx.SelectContext(ctx, &rows, "SELECT wamid, state, at, status FROM early_statuses"); err != nil {
		return fmt.Errorf("reading what came early: %w", err)
	}
	for _, r := range rows {
		if !t.in(r.WAMID) && !t.in(r.State) && !t.in(r.Status) {
			continue
		}
		if _, err := e.tx.ExecContext(ctx, "DELETE FROM early_statuses WHERE wamid = $1 AND state = $2 AND at = $3", r.WAMID, r.State, r.At); err != nil {
			return fmt.Errorf("deleting what came early: %w", err)
		}
	}
	return nil
}

// dropOrphans empties the message ids of reports that nothing is on record for: that there was such a report is what counts.
func (e eraser) dropOrphans(ctx context.Context, t traces) error {
	var rows []struct {
		Attempt []byte `db:"attempt_id"`
		WAMID   string `db:"wamid"`
	}
	if err := e.tx.SelectContext(ctx, &rows, "SELECT attempt_id, wamid FROM orphans"); err != nil {
		return fmt.Errorf("reading reports of unknown messages: %w", err)
	}
	for _, r := range rows {
		if !t.in(r.WAMID) {
			continue
		}
		if _, err := e.tx.ExecContext(ctx, "UPDATE orphans SET wamid = '' WHERE attempt_id = $1", r.Attempt); err != nil {
			return fmt.Errorf("erasing the id of an unknown message: %w", err)
		}
	}
	return nil
}

// dropSamples takes the persons out of the first recipients that plans show. A plan keeps its hash: nobody else gets the run for that.
func (e eraser) dropSamples(ctx context.Context, t traces) error {
	for _, digits := range t.digits {
		var rows []struct {
			Run  string `db:"run_id"`
			Plan string `db:"plan"`
		}
		if err := e.tx.SelectContext(ctx, &rows, "SELECT run_id, plan FROM runs WHERE plan LIKE $1", "%"+digits+"%"); err != nil {
			return fmt.Errorf("reading plans: %w", err)
		}
		for _, r := range rows {
			var plan scheduler.Plan
			if err := json.Unmarshal([]byte(r.Plan), &plan); err != nil {
				return fmt.Errorf("reading the plan of run %s: %w", r.Run, err)
			}
			plan.Sample = slices.DeleteFunc(plan.Sample, func(s scheduler.PlanSample) bool { return t.in(s.Phone) || t.in(s.Text) })
			text, err := json.Marshal(plan)
			if err != nil {
				return fmt.Errorf("writing the plan of run %s: %w", r.Run, err)
			}
			if _, err := e.tx.ExecContext(ctx, "UPDATE runs SET plan = $2 WHERE run_id = $1", r.Run, string(text)); err != nil {
				return fmt.Errorf("writing the plan of run %s: %w", r.Run, err)
			}
		}
	}
	return nil
}
