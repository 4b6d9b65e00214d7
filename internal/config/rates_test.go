package config_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/policy"
)

// withRates loads a configuration beside a price list.
func withRates(t *testing.T, rates string) (*config.Config, error) {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "rates.csv"), rates)
	path := filepath.Join(folder, "config.yaml")
	write(t, path, head+"rates: rates.csv\n"+tail+"    budget: 99.5 EUR\n")
	return config.Load(path, secrets)
}

func TestRates(t *testing.T) {
	c, err := withRates(t, exampleRates)
	if err != nil {
		t.Fatal(err)
	}
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, rome)
	for _, tt := range []struct {
		country string
		kind    policy.Kind
		at      time.Time
		want    string
	}{
		{"IT", policy.Marketing, newYear.Add(-time.Microsecond), "0.05"},
		{"IT", policy.Marketing, newYear, "0.06"},
		{"IT", policy.Service, newYear, "0.03"},
		{"CH", policy.Utility, newYear, "0.0171"},
		{"US", policy.Marketing, newYear, "0.021"},
		{"CA", policy.Marketing, newYear, "0.021"},
		{"BR", policy.Marketing, newYear, "0.0501"},
		{"BR", policy.Utility, newYear, ""}, // Other has none
		{"US", policy.Utility, newYear, ""}, // a country that is named is not Other
		{"", policy.Marketing, newYear, ""},
		{"IT", "", newYear, ""},
	} {
		price, known := c.Rules.Rates.Price(tt.country, tt.kind, tt.at)
		if got := price.String(); known != (tt.want != "") || known && got != tt.want {
			t.Errorf("%s to %q at %s costs %s (%t), want %q", tt.kind, tt.country, tt.at, got, known, tt.want)
		}
	}
	if budget := c.Campaigns[0].Budget; budget == nil || budget.String() != "99.50 EUR" {
		t.Errorf("budget %v", budget)
	}
	other, err := withRates(t, strings.Replace(exampleRates, "0.05,EUR", "0.04,EUR", 1))
	if err != nil || other.Hash() == c.Hash() {
		t.Errorf("another price leaves the configuration's hash as it is (%v)", err)
	}
}

func TestRatesAsPeopleSaveThem(t *testing.T) {
	for name, text := range map[string]string{
		"windows":            "\ufeffCountries, Category ,Price,Currency\r\nAT; IT,Marketing, 0.05,EUR\r\n\r\n",
		"another order":      "price,currency,valid_from,category,countries\n0.050000,EUR,,marketing,IT",
		"free":               "countries,category,price,currency\nIT,marketing,0,EUR\n",
		"a market of Meta's": "countries,category,price,currency\nnorth america,marketing,0.05,EUR\nIT,marketing,1,EUR\n",
	} {
		c, err := withRates(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, known := c.Rules.Rates.Price("IT", policy.Marketing, time.Now()); !known {
			t.Errorf("%s: no price", name)
		}
	}
}

// FuzzRates holds that every mistake points into the file, and that what is read has a price for whatever it names.
func FuzzRates(f *testing.F) {
	f.Add([]byte(exampleRates))
	for _, text := range []string{"", "countries,category,price,currency\n", "countries;category\n", "countries,category,price,currency\n\"IT", "\xff\n", "countries,category,price,currency,valid_from\nIT,marketing,1.,EUR,9999-12-31\nOther,service,9223372036854.775807,EUR,\n"} {
		f.Add([]byte(text))
	}
	folder := f.TempDir()
	path := filepath.Join(folder, "config.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, filepath.Join(folder, "rates.csv"), string(data))
		write(t, path, head+"rates: rates.csv\n")
		c, err := config.Load(path, secrets)
		problems, wrong := errors.AsType[*config.Problems](err)
		switch {
		case wrong:
			for _, p := range problems.All {
				if p.Line < 1 || p.Line > 1+bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r")) || strings.ContainsAny(p.Message, "\n\x1b\x07") {
					t.Errorf("%d:%d %q", p.Line, p.Column, p.Message)
				}
			}
		case err != nil:
			t.Fatal(err)
		default:
			if currency := c.Rules.Rates.Currency(); len(currency) != 3 {
				t.Errorf("currency %q", currency)
			}
		}
	})
}
