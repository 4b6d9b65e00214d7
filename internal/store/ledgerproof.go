package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// SoundEvents looks at some events, each with the one before it in its chain, and tells which are as they were recorded: "yes", "no", or
// "" where the key is not among keys. history tells what the checkpoints have in their place.
func (s *Store) SoundEvents(ctx context.Context, events []policy.EventID, history *ledger.History, keys map[ledger.KeyID]ledger.Key) (map[policy.EventID]string, error) {
	heads, err := s.LedgerHeads(ctx)
	if err != nil {
		return nil, err
	}
	erased, err := s.ErasedPersons(ctx)
	if err != nil {
		return nil, err
	}
	chains := map[uint32]*ledger.Chain{}
	for _, h := range heads {
		chains[h.Chain] = history.Chain(h, keys, erased)
	}
	sound := map[policy.EventID]string{}
	for _, event := range events {
		chain, known := chains[event.Chain()]
		if !known {
			sound[event] = "no"
			continue
		}
		segment := chain.Segment(event.Seq(), event.Seq())
		if err := s.verifySegment(ctx, segment, event.Chain()); err != nil {
			return nil, err
		}
		switch fits, known := segment.Sound(); {
		case !known:
			sound[event] = ""
		case fits:
			sound[event] = "yes"
		default:
			sound[event] = "no"
		}
	}
	return sound, nil
}

// Relied tells on which consent the messages that were sent to a number's person relied, by run.
func (s *Store) Relied(ctx context.Context, number phone.Number) (map[string]policy.EventID, error) {
	people, err := s.Find(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("reading what messages relied on: %w", err)
	}
	relied := map[string]policy.EventID{}
	for _, person := range people {
		var rows []struct {
			Run   string         `db:"run_id"`
			Event policy.EventID `db:"consent_event"`
		}
		if err := s.read.SelectContext(ctx, &rows, "SELECT run_id, consent_event FROM deliveries WHERE person_id = $1 AND sending_at IS NOT NULL AND consent_event IS NOT NULL", person[:]); err != nil {
			return nil, fmt.Errorf("reading what messages relied on: %w", err)
		}
		for _, r := range rows {
			relied[r.Run] = r.Event
		}
	}
	return relied, nil
}

// StopsOf are the stops of a number's person, those too that were taken back, the oldest first.
func (s *Store) StopsOf(ctx context.Context, number phone.Number) ([]report.Suppression, error) {
	people, err := s.Find(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("reading stops: %w", err)
	}
	rows, err := s.stopsOf(ctx, s.read, people)
	if err != nil {
		return nil, err
	}
	names, err := s.namesOf(ctx, people)
	if err != nil {
		return nil, err
	}
	stops := []report.Suppression{}
	for _, r := range onePerStop(rows, func(stopRow) bool { return true }) {
		name := names[policy.PersonID(r.PersonID)]
		stops = append(stops, r.report(name.phone, name.userID))
	}
	slices.SortStableFunc(stops, func(a, b report.Suppression) int { return a.At.Compare(b.At.Time) })
	return stops, nil
}
