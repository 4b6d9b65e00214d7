package config

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/currency"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/spelling"
	"github.com/permesso/permesso/policy"
)

const (
	wantRates  = "a CSV file of prices, such as rates.csv"
	wantBudget = "an amount and a currency, such as 500 EUR or 99.50 EUR"
)

var (
	ratesFile   = closedDaysFile
	budgetShape = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})? [A-Z]{3}$`)
)

func (l *loader) readRates(root object) {
	v, found := root.get("rates")
	if !found {
		return
	}
	l.ratesUnread = true
	name, ok := v.shaped(ratesFile, errcode.InvalidRates, wantRates, nil)
	if !ok {
		return
	}
	data, tell, ok := v.fileBeside(name)
	if !ok {
		return
	}
	zone, known := l.zones.Load(l.cfg.Business.Timezone)
	if !known {
		zone = time.UTC // the zone has its own mistake
	}
	read, mistakes := readPriceList(data, zone)
	tell(errcode.InvalidRates, mistakes)
	if len(mistakes) == 0 {
		l.cfg.Rules.Rates, l.ratesUnread = read, false
	}
}

// readBudget returns nil where it is wrong.
func (l *loader) readBudget(v value) *policy.Money {
	text, ok := v.shaped(budgetShape, errcode.InvalidBudget, wantBudget, fitBudget)
	if !ok {
		return nil
	}
	amount, code, _ := strings.Cut(text, " ")
	limit, err := policy.ParseMicros(amount)
	if err != nil {
		v.fail(errcode.InvalidBudget, "%s must be %s: %v", v.name(), wantBudget, err)
		return nil
	}
	rates := l.cfg.Rules.Rates
	switch {
	case l.ratesUnread:
	case rates == nil:
		v.fail(errcode.BudgetWithoutRates, "a budget needs Meta's prices: write rates: rates.csv at the top level, or remove the budget")
	case code != rates.Currency():
		v.fail(errcode.InvalidBudget, "the budget is in %s and the rates are in %s: nothing is converted, so write it in %s", code, rates.Currency(), rates.Currency())
	}
	return &policy.Money{Currency: code, Amount: limit}
}

// fitBudget proposes 500 EUR for EUR 500, 500€ and 500 eur.
func fitBudget(text string) string {
	text = strings.ToUpper(strings.NewReplacer("€", " EUR ", "$", " USD ", "£", " GBP ", ",", ".").Replace(text))
	words := strings.Fields(text)
	if len(words) == 2 && strings.Trim(words[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		words[0], words[1] = words[1], words[0]
	}
	return strings.Join(words, " ")
}

// maxRates is several price lists of Meta; every run keeps the prices with it.
const maxRates = 2000

// maxPrice is far above every price in any currency, and keeps what millions of messages cost in an int64.
const maxPrice = policy.Micros(100_000 * 1_000_000)

// priceColumns are the columns of the file. The last may be left out.
var priceColumns = []string{"countries", "category", "price", "currency", "valid_from"}

var (
	rateWords = append(slices.Clone(kindWords), string(policy.Service))
	// marketNames are the markets of Meta that stand for countries as they are; of the others Meta's page has the lists
	// (Meta, "Pricing", read 2026-09-11).
	marketNames = map[string][]string{"North America": {"US", "CA"}, "Other": {policy.OtherCountries}}
)

// priceList is a file of prices while it is read.
type priceList struct {
	*csvFile
	zone     *time.Location
	columns  map[string]int
	currency string
	first    map[priceKey]int // the line of each price
	rates    []policy.Rate
}

type priceKey struct {
	country string
	kind    policy.Kind
	from    time.Time
}

// readPriceList reads rows of prices below a header that names the columns. A price begins on its day at midnight in zone.
func readPriceList(data []byte, zone *time.Location) (*policy.Rates, []csvMistake) {
	text, mistakes := newCSVFile(data)
	if text == nil {
		return nil, mistakes
	}
	f := priceList{csvFile: text, zone: zone, columns: map[string]int{}, first: map[priceKey]int{}}
	if !f.header() {
		return nil, f.mistakes
	}
	rows := 0
	for f.row() {
		rows++
	}
	switch {
	case rows == 0 && len(f.mistakes) == 0:
		f.fail(1, 1, "the file holds no price: write rows such as IT,marketing,0.0572,EUR,2026-10-01")
	case rows > maxRates:
		f.fail(1, 1, "the file holds %d rows, and more than %d cannot be meant: put countries of one price into one row, such as AT;BE;CH", rows, maxRates)
	}
	if len(f.mistakes) > 0 {
		return nil, f.mistakes
	}
	return policy.NewRates(f.currency, f.rates), nil
}

func (f *priceList) header() bool {
	const want = "the file begins with the line countries,category,price,currency,valid_from"
	fields, err := f.rows.Read()
	switch {
	case errors.Is(err, io.EOF):
		f.fail(1, 1, "the file is empty: it %s, and a row such as IT,marketing,0.0572,EUR,2026-10-01 follows", strings.TrimPrefix(want, "the file "))
		return false
	case err != nil:
		f.failRead(err, quotedField)
		return false
	case len(fields) == 1 && strings.Contains(fields[0], ";"):
		f.fail(1, 1, "the columns are separated by semicolons: save the file with commas")
		return false
	}
	for i, name := range fields {
		name = strings.ToLower(strings.TrimSpace(name))
		line, column := f.place(i)
		_, twice := f.columns[name]
		switch {
		case !slices.Contains(priceColumns, name):
			hint := ": there are " + strings.Join(priceColumns, ", ")
			if near := spelling.Nearest(name, priceColumns); near != "" {
				hint = `; did you mean "` + near + `"?`
			}
			f.fail(line, column, "unknown column %q%s", abridged(name), hint)
		case twice:
			f.fail(line, column, "the column %s is there twice", name)
		}
		f.columns[name] = i
	}
	for _, name := range priceColumns[:4] {
		if _, found := f.columns[name]; !found {
			f.fail(1, 1, "the column %s is missing: %s", name, want)
		}
	}
	return len(f.mistakes) == 0
}

const quotedField = "field: put the whole field in quotes, and write a quote in it twice"

// row reads the next row; false is the end, or a mistake after which nothing can be told apart.
func (f *priceList) row() bool {
	fields, err := f.rows.Read()
	if errors.Is(err, io.EOF) {
		return false
	}
	if err != nil {
		f.failRead(err, quotedField)
		return false
	}
	line, column := f.place(0)
	if len(fields) != len(f.columns) {
		f.fail(line, column, "this row has %d fields and the header %d: a decimal comma must be a point", len(fields), len(f.columns))
		return true
	}
	before := len(f.mistakes)
	rate := policy.Rate{Countries: f.countries(fields), Kind: f.kind(fields), Price: f.price(fields), From: f.from(fields)}
	f.checkCurrency(fields)
	if len(f.mistakes) > before {
		return true
	}
	for _, country := range rate.Countries {
		key := priceKey{country, rate.Kind, rate.From}
		if first, twice := f.first[key]; twice {
			f.fail(line, column, "%s has a price for %s from that day on already, on line %d", nameOfMarket(country), rate.Kind, first)
			return true
		}
		f.first[key] = line
	}
	f.rates = append(f.rates, rate)
	return true
}

func nameOfMarket(country string) string {
	if country == policy.OtherCountries {
		return "Other"
	}
	return country
}

// field is a column of a row, and where it begins.
func (f *priceList) field(fields []string, name string) (text string, line, column int) {
	i, found := f.columns[name]
	if !found {
		return "", 1, 1
	}
	line, column = f.place(i)
	return strings.TrimSpace(fields[i]), line, column
}

func (f *priceList) countries(fields []string) []string {
	const want = "write countries' two letters, such as IT or AT;BE;CH"
	text, line, column := f.field(fields, "countries")
	for name, codes := range marketNames {
		if strings.EqualFold(text, name) {
			return codes
		}
	}
	if strings.HasPrefix(strings.ToLower(text), "rest of") {
		f.fail(line, column, "%q is a market of Meta's whose countries are not known here: %s, those of Meta's list", abridged(text), want)
		return nil
	}
	var codes []string
	for code := range strings.SplitSeq(text, ";") {
		switch code = strings.TrimSpace(code); {
		case phone.CountryKnown(code) && slices.Contains(codes, code):
			f.fail(line, column, "%s is written twice in this row", code)
		case phone.CountryKnown(code):
			codes = append(codes, code)
		case phone.CountryKnown(strings.ToUpper(code)):
			f.fail(line, column, "unknown country %q; did you mean %q?", code, strings.ToUpper(code))
		default:
			f.fail(line, column, "unknown country %q: %s", abridged(code), want)
		}
	}
	return codes
}

func (f *priceList) kind(fields []string) policy.Kind {
	text, line, column := f.field(fields, "category")
	word := strings.ToLower(text)
	if !slices.Contains(rateWords, word) {
		f.fail(line, column, "unknown category %q: write %s", abridged(text), orList(rateWords))
	}
	return policy.Kind(word)
}

func (f *priceList) price(fields []string) policy.Micros {
	text, line, column := f.field(fields, "price")
	price, err := policy.ParseMicros(text)
	switch {
	case err != nil && strings.Contains(text, ","):
		f.fail(line, column, "the price %q has a comma: write a point before its decimals, such as 0.0572", abridged(text))
	case err != nil:
		f.fail(line, column, "the price must be of one message, with at most six decimals and no sign, such as 0.0572, not %q", abridged(text))
	case price > maxPrice:
		f.fail(line, column, "the price %s is too large for one message", abridged(text))
	}
	return price
}

func (f *priceList) from(fields []string) time.Time {
	text, line, column := f.field(fields, "valid_from")
	if text == "" {
		return time.Time{}
	}
	from, err := time.ParseInLocation(time.DateOnly, text, f.zone)
	switch {
	case err != nil && dateOnly.MatchString(text):
		f.fail(line, column, "there is no such date as %s", text)
	case err != nil:
		f.fail(line, column, "valid_from must be a date such as 2026-10-01, or empty for always, not %q", abridged(text))
	case from.Year() < 1970 || from.Year() > 9998:
		f.fail(line, column, "the year of %s cannot be meant", text)
	}
	return from.UTC()
}

func (f *priceList) checkCurrency(fields []string) {
	text, line, column := f.field(fields, "currency")
	unit, err := currency.ParseISO(text)
	switch {
	case err != nil || unit.String() != text:
		f.fail(line, column, "unknown currency %q: write its three letters of ISO 4217, such as EUR", abridged(text))
	case f.currency == "":
		f.currency = text
	case text != f.currency:
		f.fail(line, column, "this price is in %s and those before are in %s: a list has one currency, that of the WhatsApp Business Account", text, f.currency)
	}
}
