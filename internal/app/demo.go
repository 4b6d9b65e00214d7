package app

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/sandbox"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// Demo is a whole installation that needs nothing but this program: a folder with a configuration and files of invented
// people, an SQLite database, and a sandbox WhatsApp Cloud API on a local socket.
type Demo struct {
	*App
	Dir      string
	Sandbox  string // address of the sandbox
	Contacts imports.Result
	Consents imports.Result
	Stops    imports.Result

	fake  *sandbox.Server
	parts group
	stop  context.CancelFunc
}

//go:embed demo/config.yaml
var demoConfig string

const demoNumber = "111222333444"

// demoCampaign is the campaign that the demo sends while one looks on; demoPreview went out before it, to the club.
const (
	demoCampaign = "weekend-offer"
	demoPreview  = "club-preview"
)

// OpenDemo sets everything up in dir, which must exist, and starts the service. It must be closed.
func OpenDemo(ctx context.Context, dir string, log *slog.Logger) (*Demo, error) {
	d := &Demo{Dir: dir}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	if err := d.open(ctx, work, log); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Demo) open(ctx, work context.Context, log *slog.Logger) error {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errcode.With(fmt.Errorf("opening a socket for the sandbox: %w", err), errcode.AddressUnusable)
	}
	d.Sandbox = "http://" + socket.Addr().String()
	addresses, err := demoAddresses()
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	secrets, err := d.writeFiles(addresses)
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	d.fake, err = sandbox.New(sandbox.Options{
		Token: secrets.token, AppSecret: secrets.app, VerifyToken: secrets.verify, AccountID: "500600700800", Templates: sandbox.DemoTemplates(),
		// A little above the sender's rate: it counts what arrives, the sender what leaves.
		Numbers:    []sandbox.Number{{ID: demoNumber, DisplayPhone: "390611122233", CountryCode: "39", MessagesPerSecond: 90}},
		WebhookURL: "http://" + addresses.Webhook + "/webhook", StatusDelay: 150 * time.Millisecond, Latency: 20 * time.Millisecond, OptOutEvery: 70, Logger: log,
	})
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	fake := &listener{"sandbox", socket, &http.Server{Handler: d.fake, ReadHeaderTimeout: 5 * time.Second}}
	d.parts.start(work, d.stop, part{"sandbox", fake.run})
	d.parts.start(work, d.stop, part{"sandbox webhooks", d.fake.Run})

	cfg, err := config.Load(filepath.Join(d.Dir, "config.yaml"), os.LookupEnv)
	if err != nil {
		return err
	}
	if d.App, err = Open(ctx, cfg, log); err != nil {
		return err
	}
	ready := make(chan struct{})
	d.parts.start(work, d.stop, part{"serve", func(ctx context.Context) error { return d.Serve(ctx, Roles(), func() { close(ready) }) }})
	select {
	case <-ready:
	case <-work.Done():
		return errors.Join(errcode.With(errors.New("the service did not start"), errcode.ServiceFailed), d.parts.wait())
	}
	return d.importFiles(ctx)
}

// Close stops everything; the folder stays, to be looked at.
func (d *Demo) Close() error {
	d.stop()
	err := d.parts.wait()
	if d.App != nil {
		err = errors.Join(err, d.App.Close())
	}
	return err
}

type demoPorts struct{ Webhook, Console, Metrics, Graph string }

// demoAddresses prefers the console's usual port and takes free ones for the rest.
func demoAddresses() (demoPorts, error) {
	var p demoPorts
	var taken []net.Listener
	defer func() {
		for _, l := range taken {
			_ = l.Close() // taken only to learn that it is free
		}
	}()
	for _, want := range []struct {
		address *string
		first   string
	}{{&p.Console, "127.0.0.1:8081"}, {&p.Webhook, ""}, {&p.Metrics, ""}} {
		l, err := net.Listen("tcp", want.first)
		if err != nil || want.first == "" {
			if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				return p, errcode.With(fmt.Errorf("finding a free port: %w", err), errcode.AddressUnusable)
			}
		}
		taken = append(taken, l)
		*want.address = l.Addr().String()
	}
	return p, nil
}

type demoSecrets struct{ token, app, verify string }

func (d *Demo) writeFiles(p demoPorts) (demoSecrets, error) {
	p.Graph = d.Sandbox
	page, err := template.New("config").Parse(demoConfig)
	if err != nil {
		return demoSecrets{}, fmt.Errorf("reading the demo's configuration: %w", err)
	}
	var text bytes.Buffer
	if err := page.Execute(&text, p); err != nil {
		return demoSecrets{}, fmt.Errorf("writing the demo's configuration: %w", err)
	}
	schema, err := config.Schema()
	if err != nil {
		return demoSecrets{}, err
	}
	secret := func() string {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // it never fails; it ends the program instead
		return hex.EncodeToString(b)
	}
	secrets := demoSecrets{secret(), secret(), secret()}
	people := inventPeople(time.Now())
	files := map[string]string{
		"config.yaml": text.String(), config.SchemaFile: string(schema), "contacts.csv": people.contacts, "consents.csv": people.consents, "suppressions.csv": people.stops,
		"secrets/access_token": secrets.token, "secrets/app_secret": secrets.app, "secrets/verify_token": secrets.verify,
	}
	if err := os.MkdirAll(filepath.Join(d.Dir, "secrets"), 0o700); err != nil {
		return secrets, errcode.With(fmt.Errorf("making the demo's folder: %w", err), errcode.FileUnwritable)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(d.Dir, name), []byte(content), 0o600); err != nil {
			return secrets, errcode.With(fmt.Errorf("writing the demo's files: %w", err), errcode.FileUnwritable)
		}
	}
	return secrets, nil
}

func (d *Demo) importFiles(ctx context.Context) error {
	o := imports.Options{Region: d.Config.Business.Country, BusinessName: d.Config.Business.Name, Categories: d.Config.Rules.Categories, Now: time.Now()}
	for _, file := range []struct {
		name   string
		result *imports.Result
		read   func(context.Context, io.Reader, imports.Sink, imports.Options) (imports.Result, error)
	}{{"contacts.csv", &d.Contacts, imports.Contacts}, {"consents.csv", &d.Consents, imports.Consents}, {"suppressions.csv", &d.Stops, imports.Suppressions}} {
		content, err := os.ReadFile(filepath.Join(d.Dir, file.name))
		if err != nil {
			return errcode.With(fmt.Errorf("reading the demo's files: %w", err), errcode.FileUnreadable)
		}
		o.RejectedPath = filepath.Join(d.Dir, file.name+".rejected.csv")
		if *file.result, err = file.read(ctx, bytes.NewReader(content), d.Store, o); err != nil {
			return fmt.Errorf("importing %s: %w", file.name, err)
		}
	}
	return nil
}

// Preview sends the club's campaign, so that tonight's meets people who have had their message of the day.
func (d *Demo) Preview(ctx context.Context) (report.Summary, error) {
	run, err := d.CreateRun(ctx, demoPreview, RunOptions{})
	if err != nil {
		return report.Summary{}, err
	}
	return d.follow(ctx, run, nil)
}

// Tonight makes tonight's run; Follow sees it through.
func (d *Demo) Tonight(ctx context.Context) (scheduler.Run, error) {
	return d.CreateRun(ctx, demoCampaign, RunOptions{})
}

// Follow watches the run to its end and until WhatsApp has reported every message. Meanwhile people who still wait write to
// the business that they want no more.
func (d *Demo) Follow(ctx context.Context, run scheduler.Run, show func(Progress)) (report.Summary, error) {
	var writers group
	writing, done := context.WithCancel(ctx)
	defer done()
	writers.start(writing, func() {}, part{"opt-outs", func(ctx context.Context) error { return d.optOut(ctx, run) }})
	summary, err := d.follow(ctx, run, show)
	done()
	return summary, errors.Join(err, writers.wait())
}

func (d *Demo) follow(ctx context.Context, run scheduler.Run, show func(Progress)) (report.Summary, error) {
	if err := d.watch(ctx, ctx, run.ID, show); err != nil {
		return report.Summary{}, err
	}
	if err := ctx.Err(); err != nil {
		return report.Summary{}, errcode.With(fmt.Errorf("%w: interrupted", ErrIncomplete), errcode.Interrupted)
	}
	settle, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := d.fake.Idle(settle); err != nil {
		return report.Summary{}, fmt.Errorf("waiting for the sandbox's reports: %w", err)
	}
	return d.Store.Summary(ctx, run.ID)
}

// optOut lets a few of those who still wait write a stop, once a part of the run has left.
func (d *Demo) optOut(ctx context.Context, run scheduler.Run) error {
	words := []string{"STOP", "Basta", "cancellami", "Stop, grazie", "unsubscribe", "non scrivetemi più"}
	for sender.Sleep(ctx, 300*time.Millisecond) {
		progress, err := d.Store.Progress(ctx, run.ID)
		if err != nil || progress.Total() == 0 || progress.Messages()*4 < progress.Total() {
			continue // not yet, or asked again in a moment: before it is planned nobody waits
		}
		var waiting []report.Line
		for line, err := range d.Store.Log(ctx, report.Filter{Run: run.ID, State: "queued"}) {
			if err != nil {
				return err
			}
			waiting = append(waiting, line)
		}
		for i, word := range words {
			if place := len(waiting) - 1 - 7*i; place >= 0 {
				if _, err := d.fake.InboundText(ctx, waiting[place].Phone, word); err != nil && ctx.Err() == nil {
					return err
				}
			}
		}
		return nil
	}
	return nil
}
