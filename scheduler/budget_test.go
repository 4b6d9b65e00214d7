package scheduler_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// inEuros are prices of marketing, to two countries of three.
var inEuros = policy.NewRates("EUR", []policy.Rate{
	{Countries: []string{"IT"}, Kind: policy.Marketing, Price: 50_000}, {Countries: []string{"FR"}, Kind: policy.Marketing, Price: 80_000},
})

// abroad gives each person of a crowd a country.
func abroad(people crowd, country func(i int) string) crowd {
	for i := range people.people {
		p := &people.people[i]
		p.Contact.Country = country(i)
		p.Person.Country = p.Contact.Country
	}
	return people
}

func withBudget(amount policy.Micros) func(*scheduler.Run) {
	return func(r *scheduler.Run) {
		r.Frozen.Rules.Rates = inEuros
		r.Frozen.Campaign.Budget = &policy.Money{Currency: "EUR", Amount: amount}
	}
}

// A plan books in the order of the people: who comes first gets theirs, and who is cheaper may still fit behind.
func TestPlanKeepsToTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		countries := rapid.SliceOfN(rapid.SampledFrom([]string{"IT", "FR", "DE"}), 0, 30).Draw(t, "countries")
		budget := policy.Micros(rapid.IntRange(0, 2_000_000).Draw(t, "budget"))
		people := abroad(everybody(len(countries)), func(i int) string { return countries[i] })
		draft, written := planned(t, "a", withBudget(budget)), &paper{}
		plans, err := scheduler.MakePlans(t.Context(), people, written, []*scheduler.Draft{draft}, planTime)
		if err != nil {
			t.Fatal(err)
		}
		want := policy.Micros(0)
		for i, p := range people.people {
			price, known := inEuros.Price(countries[i], policy.Marketing, planTime)
			fits := known && want+price <= budget
			if d := written.rows["run-a"][p.Contact.PersonID]; (d.Verdict == policy.Allow) != fits || !fits && d.Reason != policy.Budget {
				t.Fatalf("person %d (%s) after %s of %s: %+v", i, countries[i], want, budget, d)
			}
			if fits {
				want += price
			}
		}
		if plan := plans[0]; plan.Cost == nil || plan.Cost.Amount != want || plan.Cost.Currency != "EUR" || plan.Unpriced != 0 {
			t.Fatalf("the plan costs %v, want %s", plan.Cost, want)
		}
	})
}

func TestPlanCost(t *testing.T) {
	rated := func(r *scheduler.Run) { r.Frozen.Rules.Rates = inEuros }
	for name, tt := range map[string]struct {
		country  func(i int) string
		change   func(*scheduler.Run)
		want     string
		unpriced int
	}{
		"prices for all":              {func(i int) string { return []string{"IT", "FR"}[i%2] }, rated, "0.26 EUR", 0},
		"none for one":                {func(i int) string { return []string{"DE", "IT", "IT", "IT"}[i] }, rated, "", 1},
		"none for anybody":            {func(int) string { return "DE" }, rated, "", 4},
		"no price list":               {func(int) string { return "IT" }, func(*scheduler.Run) {}, "", 0},
		"nobody gets it":              {func(int) string { return "IT" }, func(r *scheduler.Run) { rated(r); r.Frozen.Campaign.MaxRecipients = new(0) }, "0.00 EUR", 0},
		"who gets none costs nothing": {func(i int) string { return []string{"IT", "IT", "DE", "DE"}[i] }, func(r *scheduler.Run) { rated(r); r.Frozen.Campaign.MaxRecipients = new(2) }, "0.10 EUR", 0},
	} {
		draft := planned(t, "a", tt.change)
		for range 2 { // it is planned twice: counted, then written
			plans, err := scheduler.MakePlans(t.Context(), abroad(everybody(4), tt.country), nil, []*scheduler.Draft{draft}, planTime)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if plans[0].Cost != nil {
				got = plans[0].Cost.String()
			}
			if got != tt.want || plans[0].Unpriced != tt.unpriced {
				t.Errorf("%s: %q and %d without a price, want %q and %d", name, got, plans[0].Unpriced, tt.want, tt.unpriced)
			}
		}
	}
}
