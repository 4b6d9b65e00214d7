package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/config"
)

// shown is every setting as one line: path = value (origin), with the folder taken out.
func shown(t *testing.T, path string, env map[string]string) []string {
	t.Helper()
	settings, err := config.Effective(path, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(settings))
	for i, s := range settings {
		lines[i] = strings.ReplaceAll(fmt.Sprintf("%s = %v (%s)", s.Path, s.Value, s.Origin), filepath.Dir(path)+string(filepath.Separator), "")
	}
	return lines
}

func TestEffectiveNamesEveryOrigin(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secrets", "token"), "token-of-tests\n")
	write(t, filepath.Join(folder, "campaigns", "b.yaml"), "- id: monday\n  category: offers\n  template: t\n  languages: [it]\n  parameters: {body: {who: {field: name}}, buttons: {0: {payload: opt_out}}}\n")
	path := filepath.Join(folder, "config.yaml")
	write(t, path, `version: 1
business: {name: "Libreria ${SHOP}", country: IT, timezone: Europe/Rome}
database: postgres://permesso:${PASSWORD}@db.aurora.example/permesso?sslmode=verify-full
graph:
  account_id: "500600700800"
  access_token: ${file:secrets/token}
  app_secret: ["${SECRET}", "${OLD}"]
  verify_token: ${VERIFY}
numbers:
  - {id: "111222333444", messages_per_second: "${RATE}"}
categories: {offers: {kind: marketing, title: {it: "Mai ${SECRET}"}}}
policy:
  caps: []
include: [campaigns/*.yaml]
campaigns:
  - id: friday
    category: offers
    template: t
    languages: [it, en]
    schedule: {cron: "0 18 * * FRI"}
    priority: -3
`)
	env := map[string]string{"SHOP": "Aurora", "PASSWORD": "p@ss/word", "SECRET": "s3", "OLD": "old-secret", "VERIFY": "verify", "RATE": "12.5"}
	got := shown(t, path, env)
	want := []string{
		"version = 1 (config.yaml:1)",
		"business.name = Libreria Aurora (config.yaml:2, environment variable SHOP)",
		"business.country = IT (config.yaml:2)",
		"business.timezone = Europe/Rome (config.yaml:2)",
		"database = postgres://permesso:<secret>@db.aurora.example/permesso?sslmode=verify-full (config.yaml:3, environment variable PASSWORD)",
		"state_dir = .permesso (default)",
		"public_url = <nil> (default)",
		"listen.webhook = 127.0.0.1:8080 (default)",
		"listen.console = 127.0.0.1:8081 (default)",
		"listen.metrics = 127.0.0.1:8082 (default)",
		"graph.base_url = https://graph.facebook.com (default)",
		"graph.version = v25.0 (default)",
		"graph.account_id = 500600700800 (config.yaml:5)",
		"graph.access_token = <secret> (file secrets/token)",
		"graph.app_secret[0] = <secret> (environment variable SECRET)",
		"graph.app_secret[1] = <secret> (environment variable OLD)",
		"graph.verify_token = <secret> (environment variable VERIFY)",
		"numbers[0].id = 111222333444 (config.yaml:10)",
		"numbers[0].messages_per_second = 12.5 (environment variable RATE)",
		"numbers[0].phone = <nil> (default)",
		"numbers[0].messaging_limit = <nil> (default)",
		"categories.offers.kind = marketing (config.yaml:11)",
		"categories.offers.title.it = Mai <secret> (config.yaml:11, environment variable SECRET)",
		"categories.offers.consent_expires_after = <nil> (default)",
		"attributes = <nil> (default)",
		"segments = <nil> (default)",
		"policy.caps = [] (config.yaml:13)",
		"policy.quiet_hours = <nil> (default)",
		"policy.recipient_timezone = strict (default)",
		"policy.holidays = <nil> (default)",
		"policy.countries = <nil> (default)",
		"policy.universal_holdout = <nil> (default)",
		"opt_out.keywords = <nil> (default)",
		"opt_out.confirmation = <nil> (default)", "opt_out.help = <nil> (default)", "opt_in.pages = <nil> (default)", "opt_in.keywords = <nil> (default)",
		"approvals = <nil> (default)",
		"notify = <nil> (default)",
		"replies = <nil> (default)",
		"rates = <nil> (default)",
		"retention.deliveries = <nil> (default)",
		"retention.webhooks = <nil> (default)",
		"retention.review_texts = <nil> (default)",
		"test_phones = <nil> (default)",
		"dry_run = false (default)",
		"include[0] = campaigns/*.yaml (config.yaml:14)",
		"included[0] = campaigns/b.yaml (config.yaml:14)",
		"campaigns[0].id = friday (config.yaml:16)",
		"campaigns[0].category = offers (config.yaml:17)",
		"campaigns[0].template = t (config.yaml:18)",
		"campaigns[0].languages[0] = it (config.yaml:19)",
		"campaigns[0].languages[1] = en (config.yaml:19)",
		"campaigns[0].number = 111222333444 (default)",
		"campaigns[0].endpoint = auto (default)",
		"campaigns[0].schedule.cron = 0 18 * * FRI (config.yaml:20)",
		"campaigns[0].schedule.timezone = Europe/Rome (default)",
		"campaigns[0].schedule.catch_up = once (default)",
		"campaigns[0].schedule.catch_up_within = 2h (default)",
		"campaigns[0].schedule.overlap = skip (default)",
		"campaigns[0].schedule.starts_at = <nil> (default)",
		"campaigns[0].schedule.ends_at = <nil> (default)",
		"campaigns[0].window = <nil> (default)",
		"campaigns[0].audience = <nil> (default)",
		"campaigns[0].parameters.header = <nil> (default)",
		"campaigns[0].parameters.body = <nil> (default)",
		"campaigns[0].parameters.buttons = <nil> (default)",
		"campaigns[0].priority = -3 (config.yaml:21)",
		"campaigns[0].holdout = <nil> (default)",
		"campaigns[0].waves = <nil> (default)",
		"campaigns[0].guard = <nil> (default)",
		"campaigns[0].max_recipients = <nil> (default)",
		"campaigns[0].budget = <nil> (default)",
		"campaigns[0].not_after = <nil> (default)",
		"campaigns[1].id = monday (campaigns/b.yaml:1)",
	}
	if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !slices.Contains(got, "campaigns[1].parameters.body.who.field = name (campaigns/b.yaml:5)") || slices.Contains(got, "campaigns[1].parameters.body.who.text = <nil> (default)") || !slices.Contains(got, "campaigns[1].schedule = <nil> (default)") {
		t.Errorf("the included campaign is not all there:\n%s", strings.Join(got, "\n"))
	}
	for _, secret := range []string{"token-of-tests", "p@ss", "p%40ss", "s3", "old-secret"} {
		if strings.Contains(strings.Join(got, "\n"), secret) {
			t.Errorf("the secret %q is shown", secret)
		}
	}
}

// TestEffectiveShowsEveryKey holds that no key is passed over, written or not.
func TestEffectiveShowsEveryKey(t *testing.T) {
	index := strings.NewReplacer("[0]", "[]", "[1]", "[]")
	settings, err := config.Effective("../../config.yaml", secrets)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	for _, s := range settings {
		for path := index.Replace(s.Path); path != ""; {
			paths[path] = true
			path = path[:max(0, strings.LastIndexAny(path, ".["))]
		}
		if s.Origin != config.OriginDefault && !strings.HasPrefix(s.Origin, "../../config.yaml:") && !strings.HasPrefix(s.Origin, "environment variable WHATSAPP_") {
			t.Errorf("%s comes from %q", s.Path, s.Origin)
		}
		if text, ok := s.Value.(string); ok && strings.Contains(text, "value-of-") {
			t.Errorf("%s shows a secret", s.Path)
		}
	}
	named := strings.NewReplacer("categories.*", "categories.offers", "countries.*.allow", "countries.marketing.deny", "countries.*", "countries.marketing", "buttons.*", "buttons.0")
	for _, key := range config.Keys() {
		if strings.Contains(key, ".header.") && !strings.HasSuffix(key, ".image.link") || strings.HasSuffix(key, ".payload") || strings.HasSuffix(key, "caps[].kind") || strings.HasSuffix(key, ".at") || strings.HasSuffix(key, "buttons.*.text") || strings.HasSuffix(key, "buttons.*.default") || strings.HasSuffix(key, "buttons.*.page") || strings.HasPrefix(key, "notify.") || strings.HasPrefix(key, "replies.") {
			continue // of these alternatives the example has one, and notify and replies in comments: they would want secrets of their own
		}
		if !paths[named.Replace(key)] {
			t.Errorf("%s is not shown", key)
		}
	}
}

func TestEffectiveMasksPasswordsOfEveryKind(t *testing.T) {
	for _, address := range []string{
		"postgres://u:hunter2-hunter2@db/p?sslmode=require", "postgres://u:a@hunter2-hunter2:5432@db/p?sslmode=require", "postgresql://db/p?sslmode=require&password=hunter2-hunter2",
		"postgres://db/p?sslpassword=hunter2-hunter2&sslmode=require",
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		write(t, path, head+"database: ${DATABASE_URL}\n")
		settings, err := config.Effective(path, func(name string) (string, bool) {
			if name == "DATABASE_URL" {
				return address, true
			}
			return secrets(name)
		})
		i := slices.IndexFunc(settings, func(s config.Setting) bool { return s.Path == "database" })
		if err != nil || i < 0 || strings.Contains(fmt.Sprint(settings), "hunter2") || settings[i].Origin != "environment variable DATABASE_URL" {
			t.Errorf("%s: %v, %v", address, settings, err)
		}
	}
}

func TestEffectiveRefusesWhatLoadRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, head+"wibble: 1\n")
	_, loadSays := config.Load(path, secrets)
	if settings, err := config.Effective(path, secrets); err == nil || err.Error() != loadSays.Error() || settings != nil {
		t.Errorf("%v, %v; Load says %v", settings, err, loadSays)
	}
	if _, err := config.Effective(filepath.Join(t.TempDir(), "none.yaml"), secrets); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestEffectiveMasksTheSecretOfNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, strings.Replace(head, "Libreria Aurora", "\"${NOTIFY_SECRET}\"", 1)+"notify: {url: https://ops.aurora.example/hook/, secret: \"${NOTIFY_SECRET}\"}\n")
	settings, err := config.Effective(path, secrets)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"notify.url": "https://ops.aurora.example/hook/", "notify.secret": "<secret>", "business.name": "<secret>",
	}
	for _, s := range settings {
		if value, listed := want[s.Path]; listed {
			delete(want, s.Path)
			if s.Value != value {
				t.Errorf("%s is shown as %v, want %s", s.Path, s.Value, value)
			}
		}
	}
	if len(want) > 0 || strings.Contains(fmt.Sprint(settings), "that-is-long") {
		t.Errorf("not shown: %v", want)
	}
}
