package policy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Service is what Meta calls messages without a template, for its price alone: no campaign sends them.
const Service Kind = "service"

// OtherCountries stands in a Rate for every country that no rate names.
const OtherCountries = "*"

// Rate is the price of a message to some countries, from a moment on until the next rate of theirs. Meta charges each delivered
// message by its template's category and the country of the recipient's number (Meta, "Pricing", read 2026-09-11).
type Rate struct {
	Countries []string  `json:"countries"` // ISO 3166 alpha-2, or OtherCountries alone
	Kind      Kind      `json:"kind"`
	Price     Micros    `json:"price"`
	From      time.Time `json:"from,omitzero"` // zero is always
}

// Rates is the price list of a business, in one currency. In JSON it is what NewRates takes. Its methods are safe for
// concurrent use; nil has no prices.
type Rates struct {
	currency string
	rates    []Rate
	index    func() *priceIndex
}

type market struct {
	country string
	kind    Kind
}

// priceIndex is made of the list at its first use: many runs are read that nobody asks for a price.
type priceIndex struct {
	named  map[string]bool // the countries that some rate names
	prices map[market][]Rate
}

// NewRates takes a list in any order.
func NewRates(currency string, list []Rate) *Rates {
	r := &Rates{currency: currency, rates: slices.Clone(list)}
	r.index = sync.OnceValue(r.arrange)
	return r
}

func (r *Rates) arrange() *priceIndex {
	i := &priceIndex{named: map[string]bool{}, prices: map[market][]Rate{}}
	for _, rate := range r.rates {
		for _, country := range rate.Countries {
			i.named[country] = true
			at := market{country, rate.Kind}
			i.prices[at] = append(i.prices[at], rate)
		}
	}
	for _, list := range i.prices {
		slices.SortStableFunc(list, func(a, b Rate) int { return a.From.Compare(b.From) })
	}
	return i
}

// Currency is that of every price; "" when there is no list.
func (r *Rates) Currency() string {
	if r == nil {
		return ""
	}
	return r.currency
}

// Price is what a message costs at a moment; known is false when the list has no rate for it. It is never taken for 0.
func (r *Rates) Price(country string, kind Kind, at time.Time) (price Micros, known bool) {
	if r == nil || country == "" {
		return 0, false
	}
	index := r.index()
	if !index.named[country] {
		country = OtherCountries
	}
	for _, rate := range index.prices[market{country, kind}] {
		if rate.From.After(at) {
			break
		}
		price, known = rate.Price, true
	}
	return price, known
}

// storedRates is the form in which runs keep them.
type storedRates struct {
	Currency string `json:"currency"`
	Rates    []Rate `json:"rates"`
}

// MarshalJSON writes what NewRates takes, in one order.
func (r *Rates) MarshalJSON() ([]byte, error) {
	list := slices.Clone(r.rates)
	slices.SortStableFunc(list, func(a, b Rate) int {
		return cmp.Or(strings.Compare(strings.Join(a.Countries, " "), strings.Join(b.Countries, " ")), strings.Compare(string(a.Kind), string(b.Kind)), a.From.Compare(b.From))
	})
	return json.Marshal(storedRates{r.currency, list})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Rates) UnmarshalJSON(text []byte) error {
	var stored storedRates
	if err := json.Unmarshal(text, &stored); err != nil {
		return errors.Join(errors.New("the price list cannot be read"), err)
	}
	*r = *NewRates(stored.Currency, stored.Rates)
	return nil
}

// PriceOf is the list price of a message to a person at a moment: by the kind that Meta has of the template now, and the
// country of the person's number.
func PriceOf(rules *Rules, facts *Facts, at time.Time) (price Micros, known bool) {
	return rules.Rates.Price(facts.Person.Country, facts.Message.TemplateKind, at)
}

// BilledKind is the kind of Meta's pricing category in a status: marketing_lite is marketing that the Marketing Messages API
// sent, at the same prices (Meta, "Marketing Messages API pricing", read 2026-09-11).
func BilledKind(category string) Kind {
	if category == "marketing_lite" {
		return Marketing
	}
	return Kind(category)
}

// budget refuses whoever would take the run above its budget, and, while there is one, everybody whose price is not known.
func (q *question) budget() answer {
	if q.facts.Ask.Budget == nil {
		return refuse(false, "")
	}
	return refuse(!q.affordable(), Budget)
}

func (q *question) affordable() bool {
	price, known := PriceOf(q.rules, q.facts, q.now)
	limit, m := q.facts.Ask.Budget, &q.facts.Message
	return known && m.SpentRead && limit.Currency == q.rules.Rates.Currency() && price <= limit.Amount && m.Spent <= limit.Amount-price
}

func (q *question) becauseBudget(d Decision) string {
	limit, spent := q.facts.Ask.Budget, q.facts.Message.Spent
	if limit == nil {
		return "The run has no budget to keep to."
	}
	price, known := PriceOf(q.rules, q.facts, q.now)
	switch {
	case !known:
		return fmt.Sprintf("The run has a budget of %s, and rates has no price of this message to the country of this person: what is not known is not spent.", limit)
	case !q.facts.Message.SpentRead:
		return fmt.Sprintf("What the run has spent of its %s was not read, and without it nothing is sent.", limit)
	case limit.Currency != q.rules.Rates.Currency():
		return fmt.Sprintf("The run's budget is in %s and the rates are in %s.", limit.Currency, q.rules.Rates.Currency())
	case d.Verdict == Allow:
		return fmt.Sprintf("The message costs %s, and %s of the run's %s are spent before it.", price, spent, limit)
	}
	return fmt.Sprintf("The message costs %s, and %s of the run's %s are spent already.", price, spent, limit)
}
