package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// ConsentsAt is what stood of each category at a moment, by what the person had done until then, as far as it was on record at
// another moment, recorded. With that one the same it is what a message that left then was judged by: what was recorded later, from a
// file or on paper, the gate could not know.
func (a *App) ConsentsAt(events []report.Consent, at, recorded time.Time) []report.ConsentStand {
	stands := map[string]policy.Consent{}
	for _, e := range events {
		if !e.At.After(at) && !e.RecordedAt.After(recorded) && e.Category != "" {
			stands[e.Category] = stands[e.Category].After(policy.Consent{Action: e.Action, At: e.At.Time, Source: e.Source, Event: e.Event})
		}
	}
	list := []report.ConsentStand{}
	for _, id := range slices.Sorted(maps.Keys(stands)) {
		c := stands[id]
		stand := report.ConsentStand{Category: id, State: c.Action, Given: c.Given(), At: report.Time{Time: c.At}, Source: c.Source, Event: c.Event}
		if age := a.config().Rules.Categories[id].ConsentExpiresAfter; c.Given() && age > 0 {
			stand.Until = report.Time{Time: c.At.Add(age)}
			if !at.Before(stand.Until.Time) {
				stand.State, stand.Given = policy.Expired, false
			}
		}
		list = append(list, stand)
	}
	return list
}

// ProveConsent puts together all that shows what a number's person consented to, and what was sent to them.
func (a *App) ProveConsent(ctx context.Context, number phone.Number, by string) (report.ConsentProof, error) {
	now := time.Now().UTC()
	proof := report.ConsentProof{
		Phone: string(number), Business: a.config().Business.Name, Installation: a.Store.Instance(), MadeAt: report.Time{Time: now}, MadeBy: by,
		Events: []report.ProvedConsent{}, Messages: []report.ProvedMessage{},
	}
	events, err := a.Store.Consents(ctx, number)
	if err != nil {
		return proof, err
	}
	proof.Stands = a.ConsentsAt(events, now, now)
	if proof.Events, err = a.proveEvents(ctx, events, &proof); err != nil {
		return proof, err
	}
	if proof.Suppressions, err = a.Store.StopsOf(ctx, number); err != nil {
		return proof, err
	}
	for _, stop := range proof.Suppressions {
		proof.UserID = stop.UserID
	}
	relied, err := a.Store.Relied(ctx, number)
	if err != nil {
		return proof, err
	}
	for line, err := range a.Store.Log(ctx, report.Filter{Phone: number}) {
		if err != nil {
			return proof, err
		}
		if line.SendingAt.IsZero() {
			continue // it never left
		}
		proof.Messages = append(proof.Messages, report.ProvedMessage{
			Campaign: line.Campaign, Run: line.Run, Category: line.Category, Template: line.Template, Language: line.Language, State: string(line.State),
			SendingAt: line.SendingAt, DeliveredAt: line.DeliveredAt, ReadAt: line.ReadAt, WAMID: line.WAMID, Test: line.Test, Event: relied[line.Run],
		})
	}
	slices.SortStableFunc(proof.Messages, func(a, b report.ProvedMessage) int { return a.SendingAt.Compare(b.SendingAt.Time) })
	return proof, nil
}

func (a *App) proveEvents(ctx context.Context, events []report.Consent, proof *report.ConsentProof) ([]report.ProvedConsent, error) {
	history, keys, err := a.ledgerHistory(ctx, "")
	if err != nil {
		return nil, err
	}
	if last := history.Last(); last.Line > 0 {
		proof.Checkpoint = report.ProofCheckpoint{Line: last.Line, At: report.Time{Time: last.At}, Text: history.LastLine()}
	}
	var places []policy.EventID
	for _, e := range events {
		if e.Event != 0 {
			places = append(places, e.Event)
		}
	}
	sound, err := a.Store.SoundEvents(ctx, places, history, keys)
	if err != nil {
		return nil, err
	}
	proved := make([]report.ProvedConsent, len(events))
	for i, e := range events {
		proved[i] = report.ProvedConsent{Consent: e, Intact: sound[e.Event]}
		if hash := sha256.Sum256([]byte(e.Wording)); e.WordingHash != "" && e.WordingHash != hex.EncodeToString(hash[:]) {
			proved[i].Intact = "no"
		}
		if line, at := history.Over(e.Event); e.Event != 0 && line > 0 {
			proved[i].Sealed = report.ProofCheckpoint{Line: line, At: report.Time{Time: at}}
		}
	}
	return proved, nil
}
