package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What every house shares with its Meta.
const (
	accountID   = "500600700800"
	numberID    = "111222333444"
	otherNumber = "111222333555"
	accessToken = "token-of-e2e"
	appSecret   = "secret-of-e2e"
	verifyToken = "verify-of-e2e"
)

// patience is how long anything may take that normally takes a moment: the machine is shared.
const patience = 60 * time.Second

// house is an installation in a folder of its own, with a Meta of its own.
type house struct {
	t        *testing.T
	dir      string
	database string
	meta     *meta
	settings settings

	webhook, console, metrics string
}

// settings are what tests change in a configuration.
type settings struct {
	perSecond int    // 0 is 400
	policy    string // YAML inside policy; "" has no caps
	campaigns string // YAML list; "" is weekendOffer
	both      bool   // the business has otherNumber too
}

// weekendOffer is the usual campaign. What it sends is wanted in expectedMessage.
const weekendOffer = `
  - id: weekend-offer
    category: offers
    template: weekend_offer
    languages: [it, en]
    audience: attributes.points >= 10
    parameters:
      body: [{field: name, default: lettore}, {field: attributes.gift}, {text: "30 novembre"}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}
`

// newHouse writes a configuration for the database, and starts a Meta.
func newHouse(t *testing.T, target string, s settings) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), database: target, settings: s, webhook: freeAddress(t), console: freeAddress(t), metrics: freeAddress(t)}
	h.meta = newMeta(t, "http://"+h.webhook+"/webhook")
	h.configure()
	return h
}

// configure writes config.yaml from the settings.
func (h *house) configure() {
	h.t.Helper()
	perSecond, campaigns := h.settings.perSecond, h.settings.campaigns
	if perSecond == 0 {
		perSecond = 400
	}
	if campaigns == "" {
		campaigns = weekendOffer
	}
	second := ""
	if h.settings.both {
		second = fmt.Sprintf("\n  - {id: %q, messages_per_second: %d}", otherNumber, perSecond)
	}
	policy := "policy: {}"
	if h.settings.policy != "" {
		policy = "policy:\n" + h.settings.policy
	}
	h.write("config.yaml", fmt.Sprintf(`version: 1
business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}
database: %q
listen: {webhook: %q, console: %q, metrics: %q}
graph:
  base_url: %s
  account_id: %q
  access_token: ${WHATSAPP_ACCESS_TOKEN}
  app_secret: ${WHATSAPP_APP_SECRET}
  verify_token: ${WHATSAPP_VERIFY_TOKEN}
numbers:
  - {id: %q, messages_per_second: %d}%s
categories:
  offers: {kind: marketing, title: {it: Offerte, en: Offers}, consent_expires_after: 720d}
  orders: {kind: utility, title: {it: Ordini, en: Orders}}
attributes: {points: number}
%s
campaigns:%s`, h.database, h.webhook, h.console, h.metrics, h.meta.url, accountID, numberID, perSecond, second, policy, campaigns))
}

// neighbour is a second installation on the same database and Meta, with addresses of its own.
func (h *house) neighbour() *house {
	h.t.Helper()
	n := *h
	n.dir, n.webhook, n.console, n.metrics = h.t.TempDir(), freeAddress(h.t), freeAddress(h.t), freeAddress(h.t)
	n.configure()
	// Each folder that sends must be known to the database.
	n.must("resume", "--join")
	h.must("resume", "--join")
	return &n
}

var nextPort atomic.Int64

// freeAddress returns an address nobody listens on, below the ports that the kernel hands out to clients.
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

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

func (h *house) write(name, text string) string {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return h.path(name)
}

// process is the program at work.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err lockedBuffer
	over     chan struct{} // closed when it has ended
	code     int           // its exit code, -1 when a signal ended it
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what was written so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start runs a verb and returns at once. What still runs at the end of the test is killed.
func (h *house) start(args ...string) *process {
	h.t.Helper()
	p := &process{t: h.t, over: make(chan struct{})}
	p.cmd = exec.Command(binary, append(args, "--config", h.path("config.yaml"))...)
	p.cmd.Dir = h.dir
	p.cmd.Env = []string{
		"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "USER=ada",
		"WHATSAPP_ACCESS_TOKEN=" + accessToken, "WHATSAPP_APP_SECRET=" + appSecret, "WHATSAPP_VERIFY_TOKEN=" + verifyToken,
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		h.t.Fatalf("starting permesso %s: %v", strings.Join(args, " "), err)
	}
	go func() {
		defer close(p.over)
		err := p.cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			p.code = exit.ExitCode()
		} else if err != nil {
			p.code = -2
		}
	}()
	h.t.Cleanup(p.kill)
	return p
}

// kill ends it as power loss would, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.over
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signalling: %v", err)
	}
}

// wait returns the exit code.
func (p *process) wait(atMost time.Duration) int {
	p.t.Helper()
	select {
	case <-p.over:
		return p.code
	case <-time.After(atMost):
		p.t.Fatalf("still running after %s: %s\nstdout: %s\nstderr: %s", atMost, strings.Join(p.cmd.Args[1:], " "), p.out.String(), tail(p.err.String()))
		return 0
	}
}

func (p *process) running() bool {
	select {
	case <-p.over:
		return false
	default:
		return true
	}
}

// answer is what a verb that has ended left.
type answer struct {
	code     int
	out, err string
}

// run runs a verb to its end.
func (h *house) run(args ...string) answer {
	h.t.Helper()
	p := h.start(args...)
	code := p.wait(2 * patience)
	return answer{code, p.out.String(), p.err.String()}
}

// must runs a verb that has to succeed, and returns what it printed.
func (h *house) must(args ...string) string {
	h.t.Helper()
	a := h.run(args...)
	if a.code != 0 {
		h.t.Fatalf("permesso %s: exit %d\n%s%s", strings.Join(args, " "), a.code, tail(a.out), tail(a.err))
	}
	return a.out
}

// refused runs a verb that has to fail with this code and say all of these words on stderr.
func (h *house) refused(code int, words []string, args ...string) answer {
	h.t.Helper()
	a := h.run(args...)
	if a.code != code {
		h.t.Errorf("permesso %s: exit %d, want %d\n%s%s", strings.Join(args, " "), a.code, code, tail(a.out), tail(a.err))
	}
	for _, word := range words {
		if !strings.Contains(a.err, word) {
			h.t.Errorf("permesso %s: stderr has no %q:\n%s", strings.Join(args, " "), word, tail(a.err))
		}
	}
	if strings.Contains(a.err, "goroutine ") || strings.Contains(a.err, "panic") {
		h.t.Errorf("permesso %s: panicked:\n%s", strings.Join(args, " "), tail(a.err))
	}
	return a
}

// serve starts the service and returns once it is up.
func (h *house) serve(args ...string) *process {
	h.t.Helper()
	p := h.start(append([]string{"serve", "--json"}, args...)...)
	h.eventually("serve is up", func() error {
		if !p.running() {
			h.t.Fatalf("serve ended with %d: %s", p.code, tail(p.err.String()))
		}
		return get("http://" + h.metrics + "/livez")
	})
	return p
}

func get(url string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, text)
	}
	return nil
}

// eventually polls until check is content.
func (h *house) eventually(what string, check func() error) {
	h.t.Helper()
	within(h.t, patience, what, check)
}

func within(t *testing.T, span time.Duration, what string, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	wait := 25 * time.Millisecond
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s: %v", span, what, err)
		case <-time.After(wait):
		}
		wait = min(wait*3/2, 400*time.Millisecond) // a look may be a process of its own
	}
}

func tail(text string) string {
	const most = 4000
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// object runs a verb with --json and reads the one object that it prints.
func object[T any](h *house, args ...string) T {
	h.t.Helper()
	list := objects[T](h.t, h.must(append(args, "--json")...))
	if len(list) != 1 {
		h.t.Fatalf("permesso %s printed %d objects, want 1", strings.Join(args, " "), len(list))
	}
	return list[0]
}

// objects reads NDJSON.
func objects[T any](t *testing.T, text string) []T {
	t.Helper()
	var list []T
	for line := range strings.Lines(text) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("no JSON object: %v\n%s", err, line)
		}
		list = append(list, v)
	}
	return list
}

// logLine is a line of `log --json` (CONTRACT §4).
type logLine struct {
	Run, Campaign, Phone, Template, Language, Category, State, Reason, WAMID string
	Error                                                                    *struct {
		Code           int
		Title, Details string
	}
	Attempts int
	Test     bool

	QueuedAt    *time.Time `json:"queued_at"`
	SendingAt   *time.Time `json:"sending_at"`
	AcceptedAt  *time.Time `json:"accepted_at"`
	SentAt      *time.Time `json:"sent_at"`
	DeliveredAt *time.Time `json:"delivered_at"`
	ReadAt      *time.Time `json:"read_at"`
	FailedAt    *time.Time `json:"failed_at"`
}

// log returns the lines of a run by person; a person with two lines fails the test.
func (h *house) log(run string) map[string]logLine {
	h.t.Helper()
	lines := map[string]logLine{}
	for _, line := range objects[logLine](h.t, h.must("log", "--run", run, "--json")) {
		who := personOf(line.Phone)
		if before, twice := lines[who]; twice {
			h.t.Errorf("two lines of one person in run %s: %+v and %+v", run, before, line)
		}
		lines[who] = line
	}
	return lines
}

// runLine is a line of `runs list --json`.
type runLine struct {
	Run, Campaign, State, Why string
	States                    map[string]int
}

func (h *house) runs(args ...string) []runLine {
	h.t.Helper()
	return objects[runLine](h.t, h.must(append([]string{"runs", "list", "--json"}, args...)...))
}

// ends waits until the run is done, and returns its log.
func (h *house) ends(run string) map[string]logLine {
	h.t.Helper()
	h.eventually("the run is done", func() error {
		if r := object[runLine](h, "runs", "show", run); r.State != "done" {
			return fmt.Errorf("it is %s (%s): %v", r.State, r.Why, r.States)
		}
		return nil
	})
	return h.log(run)
}

func countBy(lines map[string]logLine, of func(logLine) string) map[string]int {
	counts := map[string]int{}
	for _, line := range lines {
		counts[of(line)]++
	}
	return counts
}

func stateOf(l logLine) string  { return l.State }
func reasonOf(l logLine) string { return l.Reason }
