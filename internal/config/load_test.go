package config_test

import (
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

// contractExample is CONTRACT §2, word for word.
const contractExample = `version: 1
business:
  name: Libreria Aurora            # named in every opt-in wording and opt-out confirmation
  country: IT                      # region for imported numbers written without a country code
  timezone: Europe/Rome
database: sqlite:permesso.db       # or postgres://user@host:5432/permesso?sslmode=verify-full
state_dir: .permesso               # instance file and suppression journal, outside the database
public_url: https://wa.aurora.example   # where /webhook and /p/ are reached from outside
listen:
  webhook: 127.0.0.1:8080          # public behind TLS: /webhook and the people's own pages under /p/
  console: 127.0.0.1:8081          # operators, and /api/v1
  metrics: 127.0.0.1:8082          # /metrics /livez /readyz
graph:
  base_url: https://graph.facebook.com
  version: v25.0
  account_id: "500600700800"       # WhatsApp Business Account
  access_token: ${WHATSAPP_ACCESS_TOKEN}
  app_secret: ${WHATSAPP_APP_SECRET}        # or a list while rotating
  verify_token: ${WHATSAPP_VERIFY_TOKEN}
numbers:
  - id: "111222333444"             # phone number id
    messages_per_second: 80        # any positive number; above 1000, Meta's ceiling, check warns
    messaging_limit: 2000          # optional: unique people per rolling 24 h over the whole portfolio
categories:                        # what people consent to, in the business's own words
  offers: {kind: marketing, title: {it: Offerte, en: Offers}, consent_expires_after: 720d}
  orders: {kind: utility, title: {it: Ordini, en: Orders}}
attributes: {points: number, birthday: date}   # other columns are text
segments: {rich: attributes.points >= 100}
policy:
  caps:                            # all must hold; counted per person over every campaign and number
    - {max: 1, per: 24h, kind: marketing}
    - {max: 3, per: 7d, kind: marketing}
    - {max: 1, per: 7d, category: offers}
  quiet_hours: {from: "20:00", to: "09:00", kind: marketing}   # in the recipient's own time
  recipient_timezone: strict       # or loose
  holidays: [IT]
  countries: {marketing: {deny: [US]}}                         # or allow: [...]
  universal_holdout: 2%
opt_out:
  keywords: {it: [lasciami in pace]}     # added to the built-in lists
  confirmation: {it: "Fatto: niente più messaggi da {{business}}.", en: "Done: no more messages from {{business}}."}   # sent only if set
approvals: {above: 10000}
notify: {url: https://ops.aurora.example/hook, secret: "${NOTIFY_SECRET}"}
rates: rates.csv
retention: {deliveries: 395d, webhooks: 7d, review_texts: 30d}
test_phones: ["+393471234567"]
dry_run: false
include: [campaigns/*.yaml]
campaigns:
  - id: weekend-offer              # identity: a rename is a new campaign
    category: offers
    template: weekend_offer
    languages: [it, en]            # the first that the contact reads, else the first
    number: "111222333444"
    endpoint: auto                 # auto | messages | marketing_messages
    schedule: {cron: "0 18 * * FRI", timezone: Europe/Rome, catch_up: once, catch_up_within: 2h, overlap: skip, starts_at: 2026-12-01T00:00:00+01:00}   # or {at: ...} once
    window: {from: "18:00", to: "20:00", in: recipient}        # in: recipient | campaign
    audience: country = "IT" AND segment.rich                  # AIP-160 filter
    parameters:
      header: {image: {link: "https://aurora.example/libri.jpg"}}
      body: [{field: name, default: lettore}, {text: "30 novembre"}]    # a map for named parameters
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}   # payload opt_out makes it the stop button
    priority: 10                   # higher wins when a cap leaves room for one
    holdout: 5%
    waves: [1%, 5%, 20%]
    guard: {opt_outs_per_1000: 15, failures: 10%}
    max_recipients: 50000          # per run
    budget: 500 EUR                # per run
    not_after: 2026-12-31T20:00:00+01:00
`

func TestContractExample(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "campaigns", "monday.yaml"), "campaigns:\n"+strings.ReplaceAll(tail[len("campaigns:\n"):], "weekend", "monday"))
	path := filepath.Join(folder, "config.yaml")
	write(t, path, contractExample)

	// As it stands, exactly the keys that are not built are refused, each by its name.
	_, err := config.Load(path, secrets)
	problems, wrong := errors.AsType[*config.Problems](err)
	if !wrong {
		t.Fatalf("Load says %v", err)
	}
	later := map[string]bool{}
	for _, key := range config.LaterKeys() {
		later[key] = true
	}
	unbuilt := map[int]bool{}
	for _, p := range problems.All {
		key := strings.NewReplacer("[0]", "[]").Replace(p.Path)
		name := key[strings.LastIndexByte(key, '.')+1:]
		if !later[key] || !strings.HasPrefix(p.Message, name+" is not built yet: ") {
			t.Errorf("%s", p)
		}
		delete(later, key)
		unbuilt[p.Line] = true
	}
	if len(later) > 0 {
		t.Errorf("accepted in silence: %v", later)
	}

	// Without them it loads, and with its included file.
	var rest []string
	for i, line := range strings.Split(contractExample, "\n") {
		if !unbuilt[i+1] {
			rest = append(rest, line)
		}
	}
	write(t, path, strings.Join(rest, "\n"))
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
