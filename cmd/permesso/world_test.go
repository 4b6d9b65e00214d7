package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/sandbox"
	"github.com/permesso/permesso/internal/store"
)

// world is an installation in a folder of its own, with a sandbox in Meta's place.
type world struct {
	t    *testing.T
	dir  string
	env  map[string]string
	meta *sandbox.Server
}

const (
	people    = 50
	consented = 40 // the first of them
	revoked   = 4  // of those, the first took it back
	couponed  = 48 // the first of all have what the button needs
)

func phoneOf(i int) string { return fmt.Sprintf("+3934710%05d", i) }

// newWorld writes a configuration and nothing else.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), env: map[string]string{
		"WHATSAPP_ACCESS_TOKEN": "token-of-tests", "WHATSAPP_APP_SECRET": "secret-of-tests", "WHATSAPP_VERIFY_TOKEN": "verify", "USER": "ada",
	}}
	webhook := freeAddress(t)
	meta, err := sandbox.New(sandbox.Options{
		Token: "token-of-tests", AppSecret: "secret-of-tests", VerifyToken: "verify", AccountID: "500600700800",
		Numbers:   []sandbox.Number{{ID: "111222333444", DisplayPhone: "+39 06 1112 2233", CountryCode: "39"}},
		Templates: sandbox.DemoTemplates(), Record: true, WebhookURL: "http://" + webhook + "/webhook",
	})
	if err != nil {
		t.Fatal(err)
	}
	w.meta = meta
	server := httptest.NewServer(meta)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = meta.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ran; server.Close() })

	soon := time.Now().UTC().Add(3 * time.Hour)
	later := soon.Add(time.Hour)
	w.write("config.yaml", fmt.Sprintf(`version: 1
business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}
database: sqlite:permesso.db
listen: {webhook: %q, console: %q, metrics: %q}
graph:
  base_url: %s
  account_id: "500600700800"
  access_token: ${WHATSAPP_ACCESS_TOKEN}
  app_secret: ${WHATSAPP_APP_SECRET}
  verify_token: ${WHATSAPP_VERIFY_TOKEN}
numbers:
  - {id: "111222333444", messages_per_second: 500}
categories:
  offers: {kind: marketing, title: {it: Offerte}}
  orders: {kind: utility, title: {it: Ordini}}
attributes: {points: number}
policy:
  caps: [{max: 1, per: 24h, kind: marketing}]
test_phones: ["%s"]
campaigns:
  - &offer
    id: weekend-offer
    category: offers
    template: weekend_offer
    languages: [it, en]
    schedule: {cron: "0 18 * * FRI", timezone: Europe/Rome}
    audience: country = "IT" AND attributes.points >= 10
    parameters:
      body: [{field: name, default: lettore}, {text: 30 novembre}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}
  - id: order-ready
    category: orders
    template: order_update
    languages: [en]
    parameters:
      body: {first_name: {field: name, default: reader}, order: {text: A-1}}
  - id: later-offer
    category: orders
    template: order_update
    languages: [en]
    window: {from: "%s", to: "%s", in: campaign}
    schedule: {at: 2030-01-01T10:00:00Z, timezone: UTC}
    parameters:
      body: {first_name: {field: name, default: reader}, order: {text: A-1}}
  - id: winter
    category: offers
    template: winter_preview
    languages: [it]
    parameters: {body: [{field: name, default: lettore}], buttons: {0: {payload: opt_out}}}
`, webhook, freeAddress(t), freeAddress(t), server.URL, phoneOf(0), soon.Format("15:04"), later.Format("15:04")))

	contacts, consents := &bytes.Buffer{}, &bytes.Buffer{}
	fmt.Fprintln(contacts, "phone,name,language,points,coupon")
	fmt.Fprintln(consents, "phone,category,action,at,source,wording,evidence")
	for i := range people {
		coupon := ""
		if i < couponed {
			coupon = fmt.Sprintf("c%d", i)
		}
		fmt.Fprintf(contacts, "%s,Person %d,it,%d,%s\n", phoneOf(i), i, i, coupon)
		if i < consented {
			fmt.Fprintf(consents, "%s,offers,granted,2026-01-02T10:00:00Z,web_form,Sì alle offerte di Libreria Aurora,form-%d\n", phoneOf(i), i)
		}
		if i < revoked {
			fmt.Fprintf(consents, "%s,offers,revoked,2026-02-02T10:00:00Z,phone_call,,\n", phoneOf(i))
		}
		fmt.Fprintf(consents, "%s,orders,granted,2026-01-02T10:00:00Z,in_store,Orders of Libreria Aurora,\n", phoneOf(i))
	}
	w.write("contacts.csv", contacts.String())
	w.write("consents.csv", consents.String())
	return w
}

// peopled are the files that importing a world's people leaves, kept from the first time: it takes longer than most tests.
var peopled struct {
	sync.Mutex
	files fstest.MapFS
}

// filled is a world with its people in the database.
func filled(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	peopled.Lock()
	defer peopled.Unlock()
	if peopled.files != nil {
		if err := os.CopyFS(w.dir, peopled.files); err != nil {
			t.Fatal(err)
		}
		return w
	}
	written, err := fs.Glob(os.DirFS(w.dir), "*")
	if err != nil {
		t.Fatal(err)
	}
	w.must("contacts", "import", w.path("contacts.csv"))
	w.must("consent", "import", w.path("consents.csv"))
	files := fstest.MapFS{}
	err = fs.WalkDir(os.DirFS(w.dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || slices.Contains(written, path) {
			return err
		}
		raw, err := os.ReadFile(w.path(path))
		files[path] = &fstest.MapFile{Data: raw, Mode: 0o600}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	peopled.files = files
	return w
}

var nextPort atomic.Int64

// freeAddress returns an address nobody listens on, and never the same twice, below the ports that the kernel hands out to clients.
func freeAddress(t *testing.T) string {
	t.Helper()
	nextPort.CompareAndSwap(0, 10000+rand.Int64N(8000))
	for range 200 {
		address := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = l.Close()
		return address
	}
	t.Fatal("no free port")
	return ""
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) string {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return w.path(name)
}

// edit replaces a part of the configuration.
func (w *world) edit(old, replacement string) {
	w.t.Helper()
	text, err := os.ReadFile(w.path("config.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		w.t.Fatalf("config.yaml has no %q", old)
	}
	w.write("config.yaml", strings.Replace(string(text), old, replacement, 1))
}

type answer struct {
	code     int
	out, err string
}

func (w *world) run(args ...string) answer {
	w.t.Helper()
	return w.runContext(w.t.Context(), args...)
}

func (w *world) runContext(ctx context.Context, args ...string) answer {
	w.t.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--config", w.path("config.yaml"))
	code := run(ctx, args, strings.NewReader(""), &out, &errs, func(name string) (string, bool) { v, ok := w.env[name]; return v, ok })
	return answer{code, out.String(), errs.String()}
}

// must runs a verb that has to succeed, and returns what it printed.
func (w *world) must(args ...string) string {
	w.t.Helper()
	a := w.run(args...)
	if a.code != 0 {
		w.t.Fatalf("permesso %s: exit %d\n%s%s", strings.Join(args, " "), a.code, a.out, a.err)
	}
	return a.out
}

// object runs a verb with --json and reads the one object that it prints.
func (w *world) object(args ...string) map[string]any {
	w.t.Helper()
	list := w.lines(args...)
	if len(list) != 1 {
		w.t.Fatalf("permesso %s printed %d objects, want 1", strings.Join(args, " "), len(list))
	}
	return list[0]
}

// lines runs a verb with --json and reads what it prints, an object a line.
func (w *world) lines(args ...string) []map[string]any {
	w.t.Helper()
	return objects(w.t, w.must(append(args, "--json")...))
}

func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("no JSON object: %v\n%s", err, line)
		}
		list = append(list, v)
	}
	return list
}

// audited reports whether the audit log has an entry with these words.
func audited(t *testing.T, w *world, words string) bool {
	t.Helper()
	return auditedBy(t, w, "ada", words)
}

func auditedBy(t *testing.T, w *world, actor, words string) bool {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+w.path("permesso.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	entries, err := db.Audited(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e report.Audit) bool { return e.Actor == actor && strings.Contains(e.Details, words) })
}
