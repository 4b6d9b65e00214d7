package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// price is what a marketing message to Italy costs here.
const price = policy.Micros(50_000)

// priced gives a run a price list, and with an amount a budget.
func priced(amount policy.Micros) func(*scheduler.Run) {
	return func(r *scheduler.Run) {
		r.Frozen.Rules.Rates = policy.NewRates("EUR", []policy.Rate{
			{Countries: []string{"IT"}, Kind: policy.Marketing, Price: price}, {Countries: []string{"IT"}, Kind: policy.Utility, Price: price / 5},
		})
		if amount >= 0 {
			r.Frozen.Campaign.Budget = &policy.Money{Currency: "EUR", Amount: amount}
		}
	}
}

// unlimited is no budget.
const unlimited = policy.Micros(-1)

// spentOf is the list price of a run's rows that left and did not come back, by the log alone.
func (w *world) spentOf(run string) policy.Micros {
	w.Helper()
	sum := policy.Micros(0)
	for _, line := range w.lines(run) {
		switch line.State {
		case sender.Queued, sender.Skipped, sender.Expired, sender.Cancelled:
		default:
			sum += price
		}
	}
	return sum
}

func testBudget(w *world) {
	people := w.people(9)
	l := w.launch("budget", "offers", people[:6], priced(3*price+price-1))
	w.gate(l, people[:2])
	w.gate(l, people[2:5]) // one of them has room
	w.want(l.run.ID, sender.Sending, "", people[:3]...)
	w.want(l.run.ID, sender.Skipped, policy.Budget, people[3:5]...)
	w.gate(l, people[5:6])
	w.want(l.run.ID, sender.Skipped, policy.Budget, people[5])

	for _, amount := range []policy.Micros{0, price - 1} {
		l = w.launch("budget", "offers", people[:1], priced(amount), occurrence(people[int(amount%7)+1]))
		w.gate(l, people[:1])
		w.want(l.run.ID, sender.Skipped, policy.Budget, people[0])
	}
	// No price while there is a budget is no; without a budget it leaves, and the cost of the run is not known.
	abroad := func(r *scheduler.Run) {
		r.Frozen.Rules.Rates = policy.NewRates("EUR", []policy.Rate{{Countries: []string{"FR"}, Kind: policy.Marketing}})
	}
	l = w.launch("abroad", "offers", people[6:7], priced(100*price), abroad)
	w.gate(l, people[6:7])
	w.want(l.run.ID, sender.Skipped, policy.Budget, people[6])
	l = w.launch("abroad", "offers", people[6:7], abroad, occurrence(people[6]))
	w.pass(l, people[6:7])
	if summary, err := w.store.Summary(w.ctx, l.run.ID); err != nil || summary.Cost != nil || summary.Unpriced != 1 {
		w.Errorf("of a message without a price: %+v, %d, %v", summary.Cost, summary.Unpriced, err)
	}
	// A test run is outside budgets.
	l = w.launch("tested", "offers", people[7:8], priced(0), func(r *scheduler.Run) { r.Test = true })
	w.pass(l, people[7:8])
}

// testBudgetComesBack brings messages back unsent, once and twice, late and against Meta's word.
func testBudgetComesBack(w *world) {
	people := w.people(6)
	l := w.launch("back", "offers", people, priced(2*price))
	first := w.pass(l, people[:2])
	w.record(notSent, first[0])
	w.record(notSent, first[0]) // told twice, it gives its price back once
	w.gate(l, people[2:4])
	w.want(l.run.ID, sender.Sending, "", people[2])
	w.want(l.run.ID, sender.Skipped, policy.Budget, people[3])
	// Lost answers stay spent, and come back when they prove unwritten.
	w.record(ambiguous, first[1])
	w.gate(l, people[4:5])
	w.want(l.run.ID, sender.Skipped, policy.Budget, people[4])
	w.record(late, first[1])
	w.gate(l, people[5:6])
	w.want(l.run.ID, sender.Sending, "", people[5])
	// Meta has one that was taken for unwritten: it counts again, and nobody else gets one.
	w.hear(w.status(first[1], sender.Delivered, time.Now()))
	w.hear(w.status(first[1], sender.Read, time.Now()))
	w.gate(l, people[:1])
	w.want(l.run.ID, sender.Skipped, policy.Budget, people[0])
	// A failure may still prove a delivery, and stays spent.
	failing := w.launch("failing", "offers", people[:2], priced(price), occurrence(people[0]))
	w.record(refused, w.pass(failing, people[:1])...)
	w.gate(failing, people[1:2])
	w.want(failing.run.ID, sender.Skipped, policy.Budget, people[1])
}

// testBudgetRaces sends a run through many gates at once, with every way for a message to end, and looks at what left.
func testBudgetRaces(w *world) {
	const workers, batches, each = 4, 24, 5
	people := w.people(batches * each)
	budget := price * batches * each / 3
	l := w.launch("race", "offers", people, priced(budget))
	queue := make(chan []person, batches*2)
	for i := range batches {
		queue <- people[i*each : (i+1)*each]
	}
	for i := range batches { // again, for what came back
		queue <- people[i*each : (i+1)*each]
	}
	close(queue)
	var working sync.WaitGroup
	for seed := range uint64(workers) {
		working.Go(func() {
			draw := rand.New(rand.NewPCG(seed, 1))
			for batch := range queue {
				flights, err := w.tryGate(l, batch)
				if err != nil {
					w.Error(err)
				}
				for _, f := range flights {
					if f.answer.State != sender.Sending {
						continue
					}
					end := []sender.Result{taken, ambiguous, notSent, refused, late}[draw.IntN(5)]
					for range 1 + draw.IntN(2) {
						if err := w.store.Record(w.ctx, outcomes(end, f)); err != nil {
							w.Error(err)
						}
					}
				}
			}
		})
	}
	working.Wait()
	spent := w.spentOf(l.run.ID)
	if spent > budget || spent < budget-price {
		w.Errorf("%s are spent of %s", spent, budget)
	}
}

func testCost(w *world) {
	people := w.people(8)
	l := w.launch("cost", "offers", people, priced(unlimited))
	flights := w.pass(l, people[:7])
	w.record(taken, flights[:6]...)
	w.record(refused, flights[6])
	bill := func(f flight, state sender.State, billable bool, category string) {
		s := w.status(f, state, time.Now())
		s.Pricing = &sender.Pricing{Billable: &billable, Category: category, Model: "PMP"}
		w.hear(s)
	}
	bill(flights[0], sender.Delivered, true, "marketing")
	bill(flights[1], sender.Delivered, true, "marketing_lite")
	bill(flights[2], sender.Read, true, "utility") // Meta's word goes before ours
	bill(flights[3], sender.Delivered, false, "marketing")
	want := fmt.Sprint(policy.Micros(4*price+price/5), 3, 1, 2, 2*price)
	summary, err := w.store.Summary(w.ctx, l.run.ID)
	w.must(err)
	if c := summary.Cost; c == nil || fmt.Sprint(c.Amount, c.Billed, c.Free, c.Estimated, c.EstimatedAmount) != want || c.Currency != "EUR" {
		w.Errorf("cost %+v, want %s", c, want)
	}
	bill(flights[4], sender.Delivered, true, "authentication")
	if summary, err = w.store.Summary(w.ctx, l.run.ID); err != nil || summary.Cost != nil || summary.Unpriced != 1 {
		w.Errorf("billed as what has no price: %+v, %d, %v", summary.Cost, summary.Unpriced, err)
	}
	free := w.launch("free", "offers", people[:1], occurrence(people[0]))
	w.pass(free, people[:1])
	if summary, err = w.store.Summary(w.ctx, free.run.ID); err != nil || summary.Cost != nil || summary.Unpriced != 0 {
		w.Errorf("without a price list: %+v, %d, %v", summary.Cost, summary.Unpriced, err)
	}
}
