// Package bench measures the whole path of a message, as ratios to what the machine can do at best in the same run.
package bench

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/sandbox"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

const (
	token    = "bench-token"
	numberID = "111222333444"
)

func TestMain(m *testing.M) {
	// The program's own setting of the collector, for the bare client too. Its memory limit is left out: the sandbox and
	// the bodies that it keeps live in this process.
	debug.SetGCPercent(200)
	os.Exit(m.Run())
}

// rig is an installation against a sandbox on a real socket.
type rig struct {
	app     *app.App
	sandbox *sandbox.Server
	base    string
}

// unbounded is a rate that nothing reaches.
const unbounded = 1_000_000

func newRig(b testing.TB, database string, perSecond float64, webhooks bool) *rig {
	b.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	hook := freeAddress(b)
	options := sandbox.Options{
		Token: token, AppSecret: "bench-secret", VerifyToken: "bench-verify", AccountID: "500600700800", Templates: sandbox.DemoTemplates(),
		Numbers: []sandbox.Number{{ID: numberID, DisplayPhone: "390611122233", CountryCode: "39"}}, Record: true, IgnoreSuffixes: true,
	}
	if webhooks {
		options.WebhookURL = "http://" + hook + "/webhook"
	}
	fake, err := sandbox.New(options)
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(socket) }()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = fake.Run(ctx) }()
	base := "http://" + socket.Addr().String()
	cfg := configured(b, base, hook, database)
	cfg.Numbers[0].MessagesPerSecond = perSecond
	a, err := app.Open(ctx, cfg, slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		_ = server.Close()
		if err := a.Close(); err != nil {
			b.Error(err)
		}
	})
	return &rig{a, fake, base}
}

func freeAddress(b testing.TB) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func configured(b testing.TB, base, hook, database string) *config.Config {
	b.Helper()
	path := filepath.Join(b.TempDir(), "config.yaml")
	text := strings.NewReplacer("BASE", base, "HOOK", hook, "DATABASE", database).Replace(`version: 1
business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}
database: "DATABASE"
listen: {webhook: "HOOK"}
graph:
  base_url: BASE
  account_id: "500600700800"
  access_token: ${TOKEN}
  app_secret: ${SECRET}
  verify_token: ${VERIFY}
numbers: [{id: "111222333444", messages_per_second: 1000000}]
categories: {offers: {kind: marketing, title: {it: Offerte}}}
policy:
  caps: [{max: 1, per: 24h, kind: marketing}, {max: 3, per: 7d, kind: marketing}]
campaigns:
  - id: weekend-offer
    category: offers
    template: weekend_offer
    languages: [it, en]
    audience: country = "IT"
    parameters:
      body: [{field: name, default: lettore}, {text: "30 novembre"}]
      buttons: {0: {field: attributes.coupon, default: benvenuto}, 1: {payload: opt_out}}
`)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	secrets := map[string]string{"TOKEN": token, "SECRET": "bench-secret", "VERIFY": "bench-verify"}
	cfg, err := config.Load(path, func(name string) (string, bool) { v, ok := secrets[name]; return v, ok })
	if err != nil {
		b.Fatal(err)
	}
	return cfg
}

// fill imports n people who consented.
func (r *rig) fill(b testing.TB, n int) {
	b.Helper()
	ctx := context.Background()
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	granted := policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: time.Now().Add(-24 * time.Hour), Source: "web_form", Wording: "Sì, voglio le offerte di Libreria Aurora su WhatsApp"}
	const chunk = 5000
	for from := 0; from < n; from += chunk {
		var contacts []scheduler.ContactRecord
		var consents []scheduler.ConsentRecord
		for i := from; i < min(n, from+chunk); i++ {
			number := phone.Number("+39347" + fmt.Sprintf("%07d", i))
			name, language := "Giulia "+strconv.Itoa(i), "it"
			contacts = append(contacts, scheduler.ContactRecord{Line: i + 2, Phone: number, Name: &name, Language: &language, Attributes: map[string]string{"coupon": "A" + strconv.Itoa(i)}, Number: place})
			consents = append(consents, scheduler.ConsentRecord{Line: i + 2, Phone: number, Event: granted, Number: place})
		}
		if _, err := r.app.Store.ImportContacts(ctx, contacts); err != nil {
			b.Fatal(err)
		}
		if _, err := r.app.Store.ImportConsents(ctx, consents); err != nil {
			b.Fatal(err)
		}
	}
}

// send carries one run of everybody to its end and returns how long that took, planning included.
func (r *rig) send(b testing.TB, n int) time.Duration {
	b.Helper()
	began := time.Now()
	run, err := r.app.CreateRun(context.Background(), "weekend-offer", app.RunOptions{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.app.Foreground(context.Background(), run, nil); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	states, err := r.app.Store.Progress(context.Background(), run.ID)
	if err != nil {
		b.Fatal(err)
	}
	taken := 0
	for state, count := range states.States {
		switch state {
		case sender.Accepted, sender.Sent, sender.Delivered, sender.Read:
			taken += count
		}
	}
	if taken != n || r.sandbox.Count() != n {
		b.Fatalf("%d of %d were taken, the sandbox has %d: %v", taken, n, r.sandbox.Count(), states)
	}
	return took
}

// bare posts the same bodies over 64 connections of a bare net/http client to the same sandbox.
func (r *rig) bare(b testing.TB) time.Duration {
	b.Helper()
	received := r.sandbox.Received()
	bodies := make([][]byte, len(received))
	for i, m := range received {
		bodies[i] = []byte(m.Body)
	}
	const connections = 64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var failed atomic.Int64
	var posting sync.WaitGroup
	runtime.GC()
	began := time.Now()
	for range connections {
		posting.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(bodies)); i = next.Add(1) - 1 {
				request, err := http.NewRequest(http.MethodPost, r.base+"/v25.0/"+numberID+"/messages", bytes.NewReader(bodies[i]))
				if err != nil {
					failed.Add(1)
					continue
				}
				request.Header.Set("Authorization", "Bearer "+token)
				request.Header.Set("Content-Type", "application/json")
				answer, err := client.Do(request)
				if err != nil {
					failed.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	posting.Wait()
	took := time.Since(began)
	if failed.Load() > 0 {
		b.Fatalf("%d posts failed", failed.Load())
	}
	return took
}

// BenchmarkPath sends to 20,000 people, from the plan to the last recorded outcome, and compares with the bare client in the
// same round; the figures are medians over the rounds.
func BenchmarkPath(b *testing.B) {
	const people = 20_000
	b.Run("sqlite", func(b *testing.B) { benchmarkPath(b, sqliteDatabase, people) })
	b.Run("postgres", func(b *testing.B) { benchmarkPath(b, postgresDatabase, people) })
}

func benchmarkPath(b *testing.B, database func(testing.TB) string, people int) {
	var ours, floor, ratios []float64
	for range b.N {
		b.StopTimer()
		r := newRig(b, database(b), unbounded, false)
		r.fill(b, people)
		b.StartTimer()
		sent := r.send(b, people)
		b.StopTimer()
		bare := r.bare(b)
		ours, floor = append(ours, float64(people)/sent.Seconds()), append(floor, float64(people)/bare.Seconds())
		ratios = append(ratios, bare.Seconds()/sent.Seconds())
	}
	b.ReportMetric(median(ours), "msgs/s")
	b.ReportMetric(median(floor), "bare-msgs/s")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}

// median is what a busy machine distorts least.
func median(figures []float64) float64 {
	slices.Sort(figures)
	return figures[len(figures)/2]
}

func sqliteDatabase(b testing.TB) string {
	b.Helper()
	return "sqlite:" + filepath.Join(b.TempDir(), "permesso.db")
}

// postgresDatabase makes a database of its own on the server that PERMESSO_TEST_POSTGRES names.
func postgresDatabase(b testing.TB) string {
	b.Helper()
	server := os.Getenv("PERMESSO_TEST_POSTGRES")
	if server == "" {
		b.Fatal("PERMESSO_TEST_POSTGRES names no server: run this by `make bench`")
	}
	name := fmt.Sprintf("bench_%d", time.Now().UnixNano())
	db, err := sql.Open("postgres", server)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if _, err := db.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			b.Error(err)
		}
		_ = db.Close()
	})
	address, err := url.Parse(server)
	if err != nil {
		b.Fatal(err)
	}
	address.Path = "/" + name
	return address.String()
}
