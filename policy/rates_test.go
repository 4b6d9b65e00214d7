package policy_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

func TestAmounts(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0.00", "500": "500.00", "0.0691": "0.0691", "007.5": "7.50", "0.000001": "0.000001", "9223372036853": "9223372036853.00",
		"": "", "-1": "", "+1": "", "1.": "", ".5": "", "1,5": "", "1e3": "", "0.0000001": "", "9223372036854": "", "99999999999999999999": "", "1 ": "", "\u0661": "",
	} {
		amount, err := policy.ParseMicros(text)
		if got := amount.String(); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q is %s (%v), want %q", text, got, err, want)
		}
	}
	if text := policy.Micros(-1_500_000).String(); text != "-1.50" {
		t.Errorf("a correction is %s", text)
	}
	var money policy.Money
	for _, text := range []string{`{"currency":"EUR","amount":"12"}`, `{"currency":"EUR","amount":-1}`, `{"currency":"EUR","amount":1e3}`} {
		if json.Unmarshal([]byte(text), &money) == nil {
			t.Errorf("%s is read as %s", text, money)
		}
	}
}

// FuzzParseMicros holds that what is read is the very number that was written.
func FuzzParseMicros(f *testing.F) {
	for _, text := range []string{"0", "0.0691", "500.50", "9223372036853.999999", "1.", "٣", "00000000000000000001"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := policy.ParseMicros(text)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(text)
		got := big.NewRat(int64(amount), 1_000_000)
		if !ok || want.Cmp(got) != 0 {
			t.Errorf("%q became %s", text, amount)
		}
		if again, err := policy.ParseMicros(amount.String()); err != nil || again != amount {
			t.Errorf("%s is read as %s, %v", amount, again, err)
		}
	})
}

func TestSumsDoNotOverflow(t *testing.T) {
	const most = policy.Micros(1<<63 - 1)
	if _, ok := most.Plus(1); ok {
		t.Error("a sum that an int64 does not hold")
	}
	if _, ok := (most / 2).Times(3); ok {
		t.Error("a product that an int64 does not hold")
	}
	if sum, ok := most.Plus(0); !ok || sum != most {
		t.Error("nothing more")
	}
	if cost, ok := policy.Micros(3).Times(0); !ok || cost != 0 {
		t.Error("no message costs nothing")
	}
}

// priced is the allowed person at a price, in a run with a budget.
func priced(price, budget, spent policy.Micros) (policy.Rules, policy.Facts) {
	rules, facts := allowed()
	rules.Rates = policy.NewRates("EUR", []policy.Rate{{Countries: []string{"IT"}, Kind: policy.Marketing, Price: price}})
	facts.Ask.Budget = &policy.Money{Currency: "EUR", Amount: budget}
	facts.Message.Spent, facts.Message.SpentRead = spent, true
	return rules, facts
}

func TestBudget(t *testing.T) {
	type change func(*policy.Rules, *policy.Facts)
	none := func(*policy.Rules, *policy.Facts) {}
	for name, tt := range map[string]struct {
		price, budget, spent policy.Micros
		change               change
		reason               policy.Reason
		says                 string
	}{
		"room":                     {5, 100, 90, none, "", "are spent before it"},
		"the last of it":           {5, 100, 95, none, "", "are spent before it"},
		"a millionth too much":     {5, 100, 96, none, policy.Budget, "are spent already"},
		"overspent":                {5, 100, 200, none, policy.Budget, "are spent already"},
		"none at all":              {5, 0, 0, none, policy.Budget, "are spent already"},
		"free of charge":           {0, 0, 0, none, "", "are spent before it"},
		"dearer than the budget":   {1 << 62, 100, 0, none, policy.Budget, "are spent already"},
		"the largest of budgets":   {5, 1<<63 - 1, 1<<63 - 6, none, "", "are spent before it"},
		"no price for the country": {5, 100, 0, func(_ *policy.Rules, f *policy.Facts) { f.Person.Country = "FR" }, policy.Budget, "no price of this message"},
		"no country":               {5, 100, 0, func(r *policy.Rules, f *policy.Facts) { f.Person.Country, r.Countries = "", nil }, policy.Budget, "no price of this message"},
		"no price list":            {5, 100, 0, func(r *policy.Rules, _ *policy.Facts) { r.Rates = nil }, policy.Budget, "no price of this message"},
		"another currency":         {5, 100, 0, func(_ *policy.Rules, f *policy.Facts) { f.Ask.Budget.Currency = "USD" }, policy.Budget, "is in USD"},
		"not read":                 {5, 100, 0, func(_ *policy.Rules, f *policy.Facts) { f.Message.SpentRead = false }, policy.Budget, "was not read"},
		"Meta's kind has no price": {5, 100, 0, func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateKind = policy.Utility }, policy.Budget, "no price of this message"},
		"no budget":                {5, 0, 100, func(_ *policy.Rules, f *policy.Facts) { f.Ask.Budget = nil }, "", "no budget to keep to"},
		"no budget and no price":   {5, 0, 100, func(r *policy.Rules, f *policy.Facts) { f.Ask.Budget, r.Rates = nil, nil }, "", "no budget to keep to"},
		"a test":                   {5, 0, 100, func(_ *policy.Rules, f *policy.Facts) { f.Ask.Test = true }, "", "test run"},
		"after max_recipients":     {5, 0, 100, func(_ *policy.Rules, f *policy.Facts) { f.Ask.MaxRecipients = new(0) }, policy.MaxRecipients, "are spent already"},
	} {
		rules, facts := priced(tt.price, tt.budget, tt.spent)
		tt.change(&rules, &facts)
		if d := policy.Decide(rules, facts); d.Reason != tt.reason || (d.Verdict == policy.Allow) != (tt.reason == "") {
			t.Errorf("%s: %+v", name, d)
		}
		for _, j := range policy.Explain(rules, facts) {
			if j.Rule == "budget" && !strings.Contains(j.Because, tt.says) {
				t.Errorf("%s: explained as %q", name, j.Because)
			}
		}
	}
}

func TestRatesSurviveARun(t *testing.T) {
	newYear := at("2027-01-01T00:00:00+01:00")
	rules, _ := priced(5, 0, 0)
	rules.Rates = policy.NewRates("EUR", []policy.Rate{
		{Countries: []string{"IT", "SM"}, Kind: policy.Marketing, Price: 6, From: newYear},
		{Countries: []string{"IT", "SM"}, Kind: policy.Marketing, Price: 5},
		{Countries: []string{policy.OtherCountries}, Kind: policy.Marketing, Price: 7, From: newYear},
	})
	text, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	var kept policy.Rules
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(kept)
	if err != nil || string(again) != string(text) {
		t.Errorf("kept twice it is\n%s\nand was\n%s", again, text)
	}
	for _, tt := range []struct {
		country string
		at      time.Time
		want    policy.Micros
		known   bool
	}{
		{"SM", newYear.Add(-1), 5, true}, {"SM", newYear, 6, true}, {"FR", newYear.Add(-1), 0, false}, {"FR", newYear, 7, true},
	} {
		if price, known := kept.Rates.Price(tt.country, policy.Marketing, tt.at); price != tt.want || known != tt.known {
			t.Errorf("%s at %s: %s, %t", tt.country, tt.at, price, known)
		}
	}
	var none *policy.Rates
	if _, known := none.Price("IT", policy.Marketing, newYear); known || none.Currency() != "" {
		t.Error("no list has a price")
	}
	if kind := policy.BilledKind("marketing_lite"); kind != policy.Marketing || policy.BilledKind("utility") != policy.Utility {
		t.Errorf("marketing_lite is billed as %s", kind)
	}
}

// TestNeverAboveTheBudget lets people of many countries come in any order, some go again unsent and come back, and adds up what left.
func TestNeverAboveTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Custom(func(t *rapid.T) policy.Micros { return policy.Micros(rapid.IntRange(0, 90_000).Draw(t, "price")) })
		prices := map[string]policy.Micros{"IT": price.Draw(t, "IT"), "FR": price.Draw(t, "FR"), "DE": price.Draw(t, "DE")}
		var list []policy.Rate
		for country, price := range prices {
			list = append(list, policy.Rate{Countries: []string{country}, Kind: policy.Marketing, Price: price})
		}
		rules, facts := priced(0, policy.Micros(rapid.IntRange(0, 900_000).Draw(t, "budget")), 0)
		rules.Rates = policy.NewRates("EUR", list)
		spent := policy.Micros(0)
		var out []policy.Micros
		for range rapid.IntRange(1, 60).Draw(t, "people") {
			if len(out) > 0 && rapid.IntRange(0, 4).Draw(t, "comes back") == 0 {
				spent -= out[len(out)-1]
				out = out[:len(out)-1]
			}
			facts.Person.Country = rapid.SampledFrom([]string{"IT", "FR", "DE", "ES"}).Draw(t, "country")
			facts.Message.Spent = spent
			d := policy.Decide(rules, facts)
			cost, known := prices[facts.Person.Country]
			fits := known && spent+cost <= facts.Ask.Budget.Amount
			if (d.Verdict == policy.Allow) != fits {
				t.Fatalf("%s at %s of %s spent: %+v", cost, spent, facts.Ask.Budget, d)
			}
			if !fits {
				continue
			}
			out, spent = append(out, cost), spent+cost
		}
		if spent > facts.Ask.Budget.Amount {
			t.Fatalf("%s are spent of %s", spent, facts.Ask.Budget)
		}
	})
}
