package config_test

import (
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/policy"
)

// head and tail are a whole configuration, with room for sections between them and for keys of its campaign behind.
const (
	head = `version: 1
business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}
graph:
  account_id: "500600700800"
  access_token: ${WHATSAPP_ACCESS_TOKEN}
  app_secret: ${WHATSAPP_APP_SECRET}
  verify_token: ${WHATSAPP_VERIFY_TOKEN}
numbers:
  - {id: "111222333444", messages_per_second: 80}
categories:
  offers: {kind: marketing}
  orders: {kind: utility}
`
	tail = `campaigns:
  - id: weekend-offer
    category: offers
    template: weekend_offer
    languages: [it, en_US]
`
)

func load(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path, secrets)
}

func mustLoad(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := load(t, text)
	if err != nil {
		t.Fatalf("Load of\n%s\nsays\n%v", text, err)
	}
	return c
}

func problemsOf(t *testing.T, text string) []config.Problem {
	t.Helper()
	_, err := load(t, text)
	if err == nil {
		return nil
	}
	problems, ok := errors.AsType[*config.Problems](err)
	if !ok {
		t.Fatal(err)
	}
	return problems.All
}

func TestTheRepositorysConfigLoads(t *testing.T) {
	c, err := config.Load("../../config.yaml", secrets)
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range c.Warnings {
		t.Error(warning)
	}
	campaign, found := c.Campaign("weekend-offer")
	if !found || campaign.Schedule == nil || campaign.Audience == "" {
		t.Errorf("weekend-offer is %+v", campaign)
	}
	if _, found := c.Campaign("no-such-campaign"); found {
		t.Error("a campaign that is not there was found")
	}
}

func TestAbsentKeysSwitchNothingOn(t *testing.T) {
	c := mustLoad(t, head)
	folder := filepath.Dir(c.File)
	if c.Database != "sqlite:"+filepath.Join(folder, "permesso.db") || c.StateDir != filepath.Join(folder, ".permesso") {
		t.Errorf("database %q, state_dir %q", c.Database, c.StateDir)
	}
	if c.Listen != (config.Listen{Webhook: "127.0.0.1:8080", Console: "127.0.0.1:8081", Metrics: "127.0.0.1:8082"}) {
		t.Errorf("listen %+v", c.Listen)
	}
	if c.Graph.BaseURL != "https://graph.facebook.com" || c.Graph.Version != "v25.0" {
		t.Errorf("graph %+v", c.Graph)
	}
	r := c.Rules
	if len(r.Caps) > 0 || r.QuietHours != nil || r.LooseZones || len(r.Countries) > 0 || c.DryRun || len(c.Campaigns)+len(c.TestPhones) > 0 {
		t.Errorf("something is switched on: %+v", c)
	}
}

func TestZeroAndAbsentCapsDiffer(t *testing.T) {
	c := mustLoad(t, head+"policy:\n  caps: [{max: 0, per: 24h}]\n")
	if len(c.Rules.Caps) != 1 || c.Rules.Caps[0].Max != 0 {
		t.Errorf("caps %+v", c.Rules.Caps)
	}
	c = mustLoad(t, head+tail+"    max_recipients: 0\n")
	if limit := c.Campaigns[0].MaxRecipients; limit == nil || *limit != 0 {
		t.Errorf("max_recipients %v", limit)
	}
}

func TestAMissingFileSaysHowToBegin(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "config.yaml"), secrets)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "permesso init") {
		t.Errorf("Load says %v", err)
	}
	_, err = config.Load(t.TempDir(), secrets)
	if err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("Load of a folder says %v", err)
	}
}

// exampleRates is a price list with invented figures.
//
//go:embed testdata/rates.csv
var exampleRates string

// contractExample is the whole example of the public interface, word for word.
//
//go:embed testdata/contract.yaml
var contractExample string

func TestContractExample(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "campaigns", "monday.yaml"), "campaigns:\n"+strings.ReplaceAll(tail[len("campaigns:\n"):], "weekend", "monday"))
	write(t, filepath.Join(folder, "rates.csv"), exampleRates)
	path := filepath.Join(folder, "config.yaml")
	write(t, path, contractExample)

	c, err := config.Load(path, secrets)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Campaigns) != 2 || c.Campaigns[1].ID != "monday-offer" {
		t.Errorf("campaigns %+v", c.Campaigns)
	}
	offers := c.Rules.Categories["offers"]
	if offers.Kind != policy.Marketing || offers.ConsentExpiresAfter.Hours() != 720*24 || offers.Title["it"] != "Offerte" {
		t.Errorf("offers %+v", offers)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"too fast", strings.Replace(head, "second: 80", "second: 1500", 1), "above 1000"},
		{"no stop button", head + tail, "no stop button"},
		{"useless cap", head + "policy:\n  caps: [{max: 3, per: 24h}, {max: 2, per: 7d}]\n", "changes nothing"},
		{"either day", head + tail + "    parameters: {buttons: {0: {payload: opt_out}}}\n    schedule: {cron: \"0 18 1 * FRI\"}\n", "either"},
	} {
		t.Run(c.name, func(t *testing.T) {
			warnings := mustLoad(t, c.text).Warnings
			if len(warnings) != 1 || !strings.Contains(warnings[0].Message, c.want) || warnings[0].Source == "" {
				t.Errorf("warnings %v, want one that says %q", warnings, c.want)
			}
		})
	}
	if w := mustLoad(t, head+strings.Replace(tail, "offers", "orders", 1)).Warnings; len(w) > 0 {
		t.Errorf("a utility campaign needs no stop button: %v", w)
	}
}
