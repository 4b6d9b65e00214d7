package simulation

import (
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// bug is a deliberate fault in one of the seams. The zero bug is none.
type bug struct {
	name      string
	record    func([]sender.Outcome) []sender.Outcome
	answers   func([]sender.GateAnswer)
	bodies    func([]sender.Inbox) []sender.Inbox
	queued    func(w *world, run string, rows []sender.Row) []sender.Row
	create    func(*scheduler.Run) bool // false: it is not made at all
	impatient bool                      // a stop is acknowledged while its person's message is on the way
	dawdles   bool                      // a message may begin whenever it likes
}
