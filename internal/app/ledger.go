package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/internal/statedir"
	"github.com/permesso/permesso/internal/store"
)

// checkpointEvery is how often a service that appends to the consent ledger notes outside the database where it stands.
const checkpointEvery = time.Minute

// ErrLedgerBehind says that the ledger is not what the last checkpoint saw, with more added to it.
var ErrLedgerBehind = errcode.With(errors.New("the consent ledger is not as the last checkpoint saw it: run `permesso consent verify`"), errcode.LedgerBroken)

// sealLedger has the store chain consents with the key in state_dir, which is made when the first is appended.
func (a *App) sealLedger() { a.Store.SealWith(a.home.dir.LedgerKey) }

// KeepLedger has a verb that appended to the consent ledger leave a checkpoint.
func (a *App) KeepLedger(ctx context.Context) {
	if a.Store.Appended() == a.home.appended.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := a.Checkpoint(ctx); err != nil {
		a.Log.Error("the consents are recorded, and no checkpoint of them was written in state_dir", "error", err)
	}
}

// Checkpoint notes in state_dir where the consent ledger stands, as far as it is committed, unless it was noted before. What was
// recorded before there were chains is chained first. It is ErrLedgerBehind, and nothing is noted, when the ledger has less than
// the last checkpoint saw, or something else: a checkpoint must not make that good.
func (a *App) Checkpoint(ctx context.Context) error {
	appended := a.Store.Appended()
	if _, err := a.Store.ChainOld(ctx); err != nil {
		return err
	}
	key, err := a.home.dir.LedgerKey(ctx)
	if err != nil {
		return err
	}
	known, err := a.Store.LedgerState(ctx, key.ID)
	if err != nil {
		return err
	}
	line, err := a.home.dir.Checkpoint(ctx, key, func(last *ledger.Checkpoint) (*ledger.Checkpoint, error) {
		if last == nil && known.Lines > 0 {
			return nil, fmt.Errorf("%w: the file of checkpoints is gone", ErrLedgerBehind)
		}
		return a.nextCheckpoint(ctx, last)
	})
	if err != nil {
		return err
	}
	a.home.appended.Store(appended)
	if line == known.Lines {
		return nil
	}
	return a.Store.NoteCheckpoint(ctx, key.ID, line, time.Now())
}

// nextCheckpoint is what follows a checkpoint, nil when nothing was appended since. The heads are read after the last line was, so that
// they can only be later.
func (a *App) nextCheckpoint(ctx context.Context, last *ledger.Checkpoint) (*ledger.Checkpoint, error) {
	heads, err := a.Store.LedgerHeads(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case last == nil && len(heads) == 0:
		return nil, nil
	case last == nil:
	case last.Instance != a.Store.Instance():
		return nil, fmt.Errorf("%w: it is of another installation, %s", ErrLedgerBehind, last.Instance)
	case !last.Follows(heads):
		return nil, ErrLedgerBehind
	case last.Same(heads):
		return nil, nil
	}
	return &ledger.Checkpoint{At: time.Now().UTC().Truncate(time.Microsecond), Instance: a.Store.Instance(), Heads: heads}, nil
}

// tendLedger writes a checkpoint when one is due. It says once what keeps it from that.
func (a *App) tendLedger(ctx context.Context) {
	h := a.home
	if a.Store.Appended() == h.appended.Load() && !h.checkpointAt.IsZero() || time.Since(h.checkpointAt) < checkpointEvery {
		return
	}
	h.checkpointAt = time.Now()
	err := a.Checkpoint(ctx)
	if err != nil && ctx.Err() == nil && !h.unchecked {
		a.Log.Error("no checkpoint of the consent ledger can be written; consents are recorded, and it is tried again every minute", "error", err)
	}
	h.unchecked = err != nil
}

// AcceptLedger takes the ledger as it stands for what is left of it: the next checkpoint says so, with who accepted it and why, and what
// earlier ones have beyond it is no finding any more. Whatever is wrong within the database stays a finding.
func (a *App) AcceptLedger(ctx context.Context, why string) error {
	key, err := a.home.dir.LedgerKey(ctx)
	if err != nil {
		return err
	}
	history, keys, err := a.ledgerHistory(ctx, "")
	if err != nil {
		return err
	}
	heads, err := a.Store.LedgerHeads(ctx)
	if err != nil {
		return err
	}
	if history.Lines() == 0 && len(heads) == 0 {
		return nil
	}
	if !history.Sound(keys) {
		if _, err := a.home.dir.SetCheckpointsAside(ctx); err != nil {
			return err
		}
	}
	if err := a.Store.ForgetCheckpoints(ctx, key.ID); err != nil {
		return err
	}
	line, err := a.home.dir.Checkpoint(ctx, key, func(*ledger.Checkpoint) (*ledger.Checkpoint, error) {
		heads, err := a.Store.LedgerHeads(ctx)
		return &ledger.Checkpoint{At: time.Now().UTC().Truncate(time.Microsecond), Instance: a.Store.Instance(), Heads: heads, Accepted: why}, err
	})
	if err != nil {
		return err
	}
	return a.Store.NoteCheckpoint(ctx, key.ID, line, time.Now())
}

// ledgerHistory reads a file of checkpoints, "" for that of state_dir, and the keys that are there.
func (a *App) ledgerHistory(ctx context.Context, file string) (*ledger.History, map[ledger.KeyID]ledger.Key, error) {
	list, _, err := a.home.dir.LedgerKeys()
	if err != nil {
		return nil, nil, err
	}
	keys := map[ledger.KeyID]ledger.Key{}
	for _, key := range list {
		keys[key.ID] = key
	}
	known := int64(0)
	if file == "" {
		file = a.home.dir.CheckpointsPath()
		if len(list) > 0 {
			state, err := a.Store.LedgerState(ctx, list[0].ID)
			if err != nil && !store.TableGone(err) {
				return nil, nil, err
			}
			known = state.Lines
		}
	}
	history := ledger.NewHistory(a.Store.Instance())
	if err := statedir.ReadCheckpoints(file, history.Read); err != nil {
		return nil, nil, err
	}
	history.End(known, keys)
	return history, keys, nil
}

// VerifyLedger checks the whole consent ledger against the keys of state_dir and the checkpoints of a file, "" for those of state_dir.
// It changes nothing.
func (a *App) VerifyLedger(ctx context.Context, file string) (ledger.Report, error) {
	history, keys, err := a.ledgerHistory(ctx, file)
	if err != nil {
		return ledger.Report{}, err
	}
	report, err := a.Store.VerifyLedger(ctx, history, keys)
	if err != nil {
		return report, err
	}
	if q, err := a.LookOnly(ctx); err == nil && q != nil && q.Kind == store.Behind {
		report.TakeOlder(history.Last())
	}
	return report, nil
}
