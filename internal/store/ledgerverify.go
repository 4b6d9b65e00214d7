package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"sync"

	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/policy"
)

// VerifyLedger checks every event of the consent ledger: that it says what it said when it was chained, that none is missing, and that
// every chain goes on from where the checkpoints of history saw it. It only reads, and others may append meanwhile. A table that is not
// there is a finding; any other failure of the database is an error.
func (s *Store) VerifyLedger(ctx context.Context, history *ledger.History, keys map[ledger.KeyID]ledger.Key) (ledger.Report, error) {
	var report ledger.Report
	report.Begin(history)
	err := s.verifyLedger(ctx, history, keys, &report)
	if TableGone(err) {
		report.Find(ledger.Finding{Kind: ledger.TableGone, At: history.Last().At, Why: fmt.Sprintf("a table of the ledger is gone from the database (%v)", err)})
		return report, nil
	}
	return report, err
}

func (s *Store) verifyLedger(ctx context.Context, history *ledger.History, keys map[ledger.KeyID]ledger.Key, report *ledger.Report) error {
	heads, err := s.LedgerHeads(ctx)
	if err != nil {
		return err
	}
	report.Find(history.Gone(heads)...)
	erased, err := s.ErasedPersons(ctx)
	if err != nil {
		return err
	}
	wordings, forks := map[[sha256.Size]byte]bool{}, int64(0)
	for _, head := range heads {
		checked, err := s.verifyChain(ctx, history.Chain(head, keys, erased), head)
		if err != nil {
			return err
		}
		report.Take(checked)
		forks += checked.Forks
		for hash := range checked.Wordings {
			wordings[hash] = true
		}
	}
	if forks > 0 {
		report.Note("%d checkpoints of before a backup was put back tell of events that were lost with the database of then", forks)
	}
	if erased, err = s.ErasedPersons(ctx); err != nil {
		return err
	}
	report.Reconsider(erased)
	if err := s.verifyOutside(ctx, heads, report); err != nil {
		return err
	}
	return s.verifyWordings(ctx, wordings, report)
}

// segmentEvents is how many events of a chain are read by one query and checked by one goroutine.
const segmentEvents = ledgerPage

// verifyChain reads segments of a chain side by side, as many as there are processors: reading takes most of the time.
func (s *Store) verifyChain(ctx context.Context, chain *ledger.Chain, head ledger.Head) (ledger.Checked, error) {
	var segments []*ledger.Segment
	for from := int64(1); from <= head.Seq; from += segmentEvents {
		segments = append(segments, chain.Segment(from, min(head.Seq, from+segmentEvents-1)))
	}
	if len(segments) == 0 {
		return ledger.Checked{}, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan *ledger.Segment)
	failures := make(chan error, len(segments))
	var workers sync.WaitGroup
	for range min(len(segments), max(2, runtime.GOMAXPROCS(0)), 4) {
		workers.Go(func() {
			for segment := range work {
				if err := s.verifySegment(ctx, segment, head.Chain); err != nil {
					failures <- err
					cancel()
				}
			}
		})
	}
	for _, segment := range segments {
		work <- segment
	}
	close(work)
	workers.Wait()
	close(failures)
	if err := <-failures; err != nil {
		return ledger.Checked{}, err
	}
	return chain.End(segments), nil
}

func (s *Store) verifySegment(ctx context.Context, segment *ledger.Segment, chain uint32) error {
	from, to := segment.Span()
	for row, err := range s.ChainedEvents(ctx, policy.NewEventID(chain, max(0, from-2)), policy.NewEventID(chain, to)) {
		if err != nil {
			return err
		}
		segment.See(row)
	}
	return nil
}

// verifyOutside looks for events that no chain has: behind the head of theirs, in a chain that is not known, or in none at all.
func (s *Store) verifyOutside(ctx context.Context, heads []ledger.Head, report *ledger.Report) error {
	known := map[uint32]ledger.Head{}
	for _, h := range heads {
		known[h.Chain] = h
	}
	for after := policy.EventID(0); ; {
		event, err := s.nextEvent(ctx, after)
		if err != nil {
			return err
		}
		if event == 0 {
			break
		}
		head, ok := known[event.Chain()]
		if ok && event.Seq() <= head.Seq {
			after = policy.NewEventID(head.Chain, head.Seq)
			continue
		}
		if ok, err = s.chained(ctx, event); err != nil {
			return err
		}
		if !ok {
			report.Find(ledger.Finding{Kind: ledger.EventUnchained, Chain: event.Chain(), From: event.Seq(), To: event.Seq(),
				Why: fmt.Sprintf("event %s, and whatever comes after it there, is not in chain %08x as its head has it", event, event.Chain())})
		}
		after = policy.NewEventID(event.Chain(), policy.EventsPerChain)
	}
	state, err := s.LedgerState(ctx, ledger.KeyID{})
	if err != nil {
		return err
	}
	switch {
	case state.Unchained > 0 && state.Awaited:
		report.Note("%d events of before there were chains wait to be chained: the next import, or `serve`, does it", state.Unchained)
	case state.Unchained > 0:
		report.Find(ledger.Finding{Kind: ledger.EventUnchained, Why: fmt.Sprintf("%d events are in no chain: something else than permesso wrote them", state.Unchained)})
	}
	return nil
}

// chained reports whether the event is in its chain by now: others append while the ledger is read.
func (s *Store) chained(ctx context.Context, event policy.EventID) (bool, error) {
	heads, err := s.LedgerHeads(ctx)
	for _, h := range heads {
		if h.Chain == event.Chain() && event.Seq() <= h.Seq {
			return true, err
		}
	}
	return false, err
}

// verifyWordings checks the texts that events name by their hash.
func (s *Store) verifyWordings(ctx context.Context, named map[[sha256.Size]byte]bool, report *ledger.Report) error {
	for w, err := range s.Wordings(ctx) {
		if err != nil {
			return err
		}
		if sha256.Sum256([]byte(w.Text)) != w.Hash {
			report.Find(ledger.Finding{Kind: ledger.WordingEdited, Why: fmt.Sprintf("the wording %x was edited: it is not the text that was agreed to", w.Hash[:8])})
		}
		delete(named, w.Hash)
	}
	for hash := range named {
		report.Find(ledger.Finding{Kind: ledger.WordingEdited, Why: fmt.Sprintf("the wording %x, which events name, is gone", hash[:8])})
	}
	return nil
}
