package config

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// InitOptions is what `init` knows of the business; what is empty is filled with an example to replace.
type InitOptions struct {
	Name      string // of the business
	Country   string // ISO 3166 alpha-2
	Timezone  string // IANA
	AccountID string // WhatsApp Business Account
	NumberID  string // phone number id
	Database  string // sqlite:PATH or postgres://…
}

//go:embed init.yaml.tmpl
var initTemplate string

// WriteInit writes a commented configuration with the safe values switched on: caps, quiet hours, expiring consent, strict
// zones, dry_run. It is valid, or the error is a *Problems that says which option is not.
func WriteInit(w io.Writer, options InitOptions) error {
	options.Name = cmp.Or(options.Name, "Libreria Aurora")
	options.Country = cmp.Or(options.Country, "IT")
	options.Timezone = cmp.Or(options.Timezone, "Europe/Rome")
	options.AccountID = cmp.Or(options.AccountID, "500600700800")
	options.NumberID = cmp.Or(options.NumberID, "111222333444")
	options.Database = cmp.Or(options.Database, defaultDatabase)
	page, err := template.New("init").Funcs(template.FuncMap{"quote": strconv.Quote, "literal": quoteLiteral}).Parse(initTemplate)
	if err != nil {
		return fmt.Errorf("config: the template of init: %w", err)
	}
	var text bytes.Buffer
	if err := page.Execute(&text, options); err != nil {
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
