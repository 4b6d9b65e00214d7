package config

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"
)

// InitOptions is what `init` knows of the business; what is empty is filled with an example to replace.
type InitOptions struct {
	Name      string // of the business
	Country   string // ISO 3166 alpha-2
	Timezone  string // IANA; "" is the country's
	Language  string // of the templates, as Meta writes it; "" is the country's
	AccountID string // WhatsApp Business Account
	NumberID  string // phone number id
	Database  string // sqlite:PATH or postgres://…
}

//go:embed init.yaml.tmpl
var initTemplate string

// commentColumn is where comments begin, save beside values that are longer.
const commentColumn = 39

// WriteInit writes a commented configuration with the safe values switched on: caps, quiet hours, expiring consent, strict
// zones, dry_run. It is valid, or the error is a *Problems that says which option is not.
func WriteInit(w io.Writer, options InitOptions) error {
	options.Name = cmp.Or(options.Name, "Libreria Aurora")
	options.Country = cmp.Or(options.Country, "IT")
	zone, language := Home(options.Country)
	options.Timezone = cmp.Or(options.Timezone, zone, "Europe/Rome")
	options.Language = cmp.Or(options.Language, language, "en")
	example := [2]bool{options.AccountID == "", options.NumberID == ""}
	options.AccountID = cmp.Or(options.AccountID, "500600700800")
	options.NumberID = cmp.Or(options.NumberID, "111222333444")
	options.Database = cmp.Or(options.Database, defaultDatabase)
	page, err := template.New("init").Funcs(template.FuncMap{"quote": strconv.Quote, "literal": quoteLiteral}).Parse(initTemplate)
	if err != nil {
		return fmt.Errorf("config: the template of init: %w", err)
	}
	var text bytes.Buffer
	aligned := tabwriter.NewWriter(&text, commentColumn, 0, 1, ' ', 0)
	err = page.Execute(aligned, struct {
		InitOptions
		Words                         words
		ExampleAccount, ExampleNumber bool
		Once                          string
	}{options, wordsIn(options.Language), example[0], example[1], onceIn(options.Timezone)})
	if err := errors.Join(err, aligned.Flush()); err != nil {
		return fmt.Errorf("config: the template of init: %w", err)
	}
	if err := checkWritten(text.Bytes()); err != nil {
		return err
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// words are the few that stand in the file in the language of the business.
type words struct {
	Language               string // BCP 47, of titles
	Offers, Orders, Reader string
}

func wordsIn(template string) words {
	language, _, _ := strings.Cut(template, "_")
	for _, w := range []words{
		{"de", "Angebote", "Bestellungen", "Kunde"},
		{"es", "Ofertas", "Pedidos", "cliente"},
		{"fr", "Offres", "Commandes", "client"},
		{"it", "Offerte", "Ordini", "cliente"},
		{"nl", "Aanbiedingen", "Bestellingen", "klant"},
		{"pt", "Ofertas", "Pedidos", "cliente"},
	} {
		if w.Language == language {
			return w
		}
	}
	return words{"en", "Offers", "Orders", "reader"}
}

// onceIn is an example of a time, with the offset that its zone has then.
func onceIn(timezone string) string {
	zone, err := time.LoadLocation(timezone)
	if err != nil {
		zone = time.UTC // checkWritten refuses the file for the zone
	}
	return time.Date(2027, time.January, 10, 18, 0, 0, 0, zone).Format(time.RFC3339)
}

// quoteLiteral writes text that refers to nothing, whatever it holds.
func quoteLiteral(text string) string { return strconv.Quote(strings.ReplaceAll(text, "${", "$${")) }

// checkWritten loads what was written as if every variable were set.
func checkWritten(text []byte) error {
	folder, err := filepath.Abs(".")
	if err != nil {
		return fmt.Errorf("finding the current folder: %w", err)
	}
	l := newLoader("config.yaml", folder, func(name string) (string, bool) { return strings.ToLower(name), true })
	_, err = l.load(text)
	return err
}
