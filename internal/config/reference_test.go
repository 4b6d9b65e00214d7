package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/config"
)

func TestReferences(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secrets", "token"), "from a file\r\n")
	env := func(name string) (string, bool) {
		values := map[string]string{
			"SHOP": "Aurora", "RATE": "12.5", "DRY": "true", "TOKEN": "t", "SECRET": "s", "OLD": "o",
			"PASSWORD": "p@ss/w:rd 1%", "HOURS": "36h", "PHONE": "+393471234567",
		}
		value, set := values[name]
		return value, set
	}
	path := filepath.Join(folder, "config.yaml")
	write(t, path, `version: 1
business: {name: "Libreria ${SHOP} & $${SHOP} costs $5", country: IT, timezone: Europe/Rome}
database: postgres://permesso:${PASSWORD}@db.aurora.example/permesso?sslmode=verify-full
graph:
  account_id: "500600700800"
  access_token: ${file:secrets/token}
  app_secret: ["${SECRET}", "${OLD}"]
  verify_token: ${TOKEN}
numbers:
  - {id: "111222333444", messages_per_second: "${RATE}"}
categories:
  offers: {kind: marketing, consent_expires_after: "${HOURS}"}
dry_run: ${DRY}
test_phones: ["${PHONE}"]
`)
	c, err := config.Load(path, env)
	if err != nil {
		t.Fatal(err)
	}
	if want := "Libreria Aurora & ${SHOP} costs $5"; c.Business.Name != want {
		t.Errorf("name %q, want %q", c.Business.Name, want)
	}
	if got := c.Graph.AccessToken.Reveal(); got != "from a file" {
		t.Errorf("access token %q", got)
	}
	if s := c.Graph.AppSecrets; len(s) != 2 || s[0].Reveal() != "s" || s[1].Reveal() != "o" {
		t.Errorf("%d app secrets", len(s))
	}
	if want := "postgres://permesso:p%40ss%2Fw%3Ard%201%25@db.aurora.example/permesso?sslmode=verify-full"; c.Database != want {
		t.Errorf("database %q, want %q", c.Database, want)
	}
	if c.Numbers[0].MessagesPerSecond != 12.5 || !c.DryRun || len(c.TestPhones) != 1 || c.Rules.Categories["offers"].ConsentExpiresAfter.Hours() != 36 {
		t.Errorf("a referenced value was not read: %+v", c)
	}
}

func TestTheWholeDatabaseFromTheEnvironment(t *testing.T) {
	const address = "postgres://u:p%40ss@db.aurora.example/permesso?sslmode=require"
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, head+"database: ${DATABASE_URL}\n")
	c, err := config.Load(path, func(name string) (string, bool) {
		if name == "DATABASE_URL" {
			return address, true
		}
		return secrets(name)
	})
	if err != nil || c.Database != address {
		t.Errorf("%v", err)
	}
	_, err = config.Load(path, func(name string) (string, bool) { return "postgres://u:very-secret@db/permesso", true })
	if err == nil || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("Load says %v", err)
	}
}

func TestUserAndPasswordOfTheDatabaseFromFiles(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secrets", "user"), "aurora")
	write(t, filepath.Join(folder, "secrets", "password"), "p:w")
	path := filepath.Join(folder, "config.yaml")
	write(t, path, head+"database: postgres://${file:secrets/user}:${file:secrets/password}@db.aurora.example/permesso?sslmode=require\n")
	c, err := config.Load(path, secrets)
	if err != nil {
		t.Fatal(err)
	}
	if want := "postgres://aurora:p%3Aw@db.aurora.example/permesso?sslmode=require"; c.Database != want {
		t.Errorf("database %q, want %q", c.Database, want)
	}
	write(t, path, head+"database: postgres://${file:secrets/user}:hunter2@db.aurora.example/permesso?sslmode=require\n")
	if _, err := config.Load(path, secrets); err == nil || !strings.Contains(err.Error(), "in the clear") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password in the clear beside a referenced user: %v", err)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	const hidden = "EAAG-1234"
	s := config.NewSecret(hidden)
	holder := struct {
		Token  config.Secret
		Tokens []config.Secret
		Near   *config.Secret
	}{s, []config.Secret{s}, &s}
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
		for _, it := range []any{s, &s, holder, []config.Secret{s}, map[string]config.Secret{"k": s}} {
			printed = append(printed, fmt.Sprintf(verb, it))
		}
	}
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).Info("started", "token", s, "all", holder)
	}
	for _, out := range append(printed, string(text), logged.String(), s.String()) {
		if strings.Contains(out, hidden) || strings.Contains(out, fmt.Sprintf("%x", hidden)) {
			t.Errorf("the secret shows in %q", out)
		}
	}
	if !strings.Contains(string(text), `\u003csecret\u003e`) || s.Reveal() != hidden {
		t.Errorf("masked as %s, revealed as %q", text, s.Reveal())
	}
	if !s.Equal(config.NewSecret(hidden)) || s.Equal(config.NewSecret("")) {
		t.Error("Equal does not compare the values")
	}
}

func TestAudiencePlaces(t *testing.T) {
	for _, c := range []struct{ name, yaml, at string }{
		{"plain", "    audience: country = \"IT\" AND county = \"x\"\n", "county"},
		{"single quotes", "    audience: 'attributes.a = \"it''s\" AND county = \"x\"'\n", "county"},
		{"double quotes", `    audience: "attributes.a = \"caf\u00e9 \x41\" AND county = \"x\""` + "\n", "county"},
		{"letters beyond ASCII", "    audience: attributes.città = \"è\" AND county = \"x\"\n", "county"},
		{"literal", "    audience: |\n      country = \"IT\"\n      AND county = \"x\"\n", "county"},
		{"literal with keep", "    audience: |+  # why\n        country = \"IT\"\n        AND county = \"x\"\n\n", "county"},
		{"folded", "    audience: >-\n      country = \"IT\"\n      AND county = \"x\"\n", "county"},
		{"plain over lines", "    audience: country = \"IT\"\n      AND county = \"x\"\n", "county"},
		{"single over lines", "    audience: 'country = \"IT\"\n      AND county = \"x\"'\n", "county"},
		{"double over lines", "    audience: \"country = \\\"IT\\\"\n      AND county = \\\"x\\\"\"\n", "county"},
		{"escaped line break", "    audience: \"country = \\\"IT\\\" \\\n      AND county = \\\"x\\\"\"\n", "county"},
		{"anchored", "    audience: &a country = \"IT\" AND county = \"x\"\n", "county"},
		{"at the very start", "    audience: county = \"x\"\n", "county"},
		{"behind the end", "    audience: country =\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			problems := problemsOf(t, head+tail+c.yaml)
			if len(problems) != 1 {
				t.Fatalf("problems %v", problems)
			}
			p := problems[0]
			if rest := string([]rune(p.Source)[p.Column-1:]); !strings.HasPrefix(rest, c.at) || c.at == "" && rest != "" {
				t.Errorf("%s points at %q, want %q", p, rest, c.at)
			}
		})
	}
}

func TestAudienceWithAReferenceNamesItsColumn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, head+tail+"    audience: country = \"${LAND}\" AND county = \"x\"\n")
	_, err := config.Load(path, func(string) (string, bool) { return "IT", true })
	if err == nil || !strings.Contains(err.Error(), "column 20 once its references are replaced") {
		t.Errorf("Load says %v", err)
	}
}

func TestHash(t *testing.T) {
	one := mustLoad(t, head+tail)
	same := mustLoad(t, "# another comment\n"+strings.Replace(head, "  offers: {kind: marketing}\n  orders: {kind: utility}\n", "  orders: {kind: utility}\n  offers: {kind: marketing}\n", 1)+
		tail+"    endpoint: auto\nlisten: {webhook: 127.0.0.1:9999}\n")
	if one.Hash() != same.Hash() || len(one.Hash()) != 64 {
		t.Errorf("hashes %s and %s of the same meaning", one.Hash(), same.Hash())
	}
	for _, change := range []string{"    priority: 1\n", "    audience: country = \"IT\"\n", "dry_run: true\n", "approvals: {above: 1}\n", "segments: {a: country = \"IT\"}\n", "policy: {recipient_timezone: loose}\n", "attributes: {x: number}\n"} {
		if other := mustLoad(t, head+tail+change); other.Hash() == one.Hash() {
			t.Errorf("the hash does not depend on %s", change)
		}
	}
}
