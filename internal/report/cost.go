package report

import (
	"fmt"

	"github.com/permesso/permesso/policy"
)

// Cost is what a run's messages cost: what Meta bills at the list price of the category that it names, nothing where it says that
// it bills nothing, and the list price where it has not said anything yet. Messages that failed cost nothing (Meta, "Pricing",
// read 2026-09-11: per delivered message).
type Cost struct {
	Currency string        `json:"currency"`
	Amount   policy.Micros `json:"amount"`
	// Billed, Free and Estimated count the messages that Meta bills, that it does not, and of which it has not said.
	Billed    int `json:"billed"`
	Free      int `json:"free"`
	Estimated int `json:"estimated"`
	// EstimatedAmount is what of Amount is estimated.
	EstimatedAmount policy.Micros `json:"estimated_amount"`
}

// Add counts n messages. billable is Meta's word, nil when there is none; price is for one, and ok is false when the sum is too
// large to be told.
func (c *Cost) Add(n int, billable *bool, price policy.Micros) (ok bool) {
	switch {
	case billable == nil:
		c.Estimated += n
	case *billable:
		c.Billed += n
	default:
		c.Free += n
		return true
	}
	cost, ok := price.Times(n)
	if !ok {
		return false
	}
	if c.Amount, ok = c.Amount.Plus(cost); ok && billable == nil {
		c.EstimatedAmount += cost
	}
	return ok
}

// String is the amount for people: 12.50 EUR.
func (c Cost) String() string { return policy.Money{Currency: c.Currency, Amount: c.Amount}.String() }

// costLine is what the report of a run says of its cost; "" when nothing is known of prices.
func (s Summary) costLine() string {
	switch {
	case s.Unpriced > 0:
		return fmt.Sprintf("not known: rates has no price for %d of its messages", s.Unpriced)
	case s.Cost == nil:
		return ""
	case s.Cost.Estimated > 0:
		return fmt.Sprintf("%s, of which %s at list price for %d messages that Meta has not billed yet", s.Cost, s.Cost.EstimatedAmount, s.Cost.Estimated)
	}
	return s.Cost.String()
}
