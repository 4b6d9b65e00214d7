package app

import (
	"context"
	"time"

	"github.com/permesso/permesso/sender"
)

// heedful is a ledger that lets nobody through the gate while there are stops that could not be stored.
type heedful struct {
	sender.Ledger
	owes func() bool
}

// Gate waits until every stop that this process heard is stored, and then judges.
func (h heedful) Gate(ctx context.Context, run sender.Run, rows []sender.GateRow) ([]sender.GateAnswer, time.Time, error) {
	const look = 20 * time.Millisecond
	for h.owes() && sender.Sleep(ctx, look) {
	}
	return h.Ledger.Gate(ctx, run, rows)
}

// owes reports whether this process heard stops that it could not store yet.
func (a *App) owes() bool {
	r := a.ears.Load()
	return r != nil && r.Owes()
}
