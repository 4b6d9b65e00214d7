// Package app owns the whole: it builds every part from a configuration, runs them, and stops them in reverse order.
package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/internal/metrics"
	"github.com/permesso/permesso/internal/notify"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// App is one process's hold on one installation.
type App struct {
	// Config is what the process was started with. A service takes up changes of the files; what holds then is in live.
	Config *config.Config
	Store  *store.Store
	Graph  *graph.Client
	Log    *slog.Logger

	metrics *metrics.Metrics
	poster  *notify.Poster
	holder  string
	// listenedAt is when a run in the foreground began to listen; zero when another process does.
	listenedAt time.Time
	home       *home

	ears    atomic.Pointer[webhook.Receiver] // of this process, when it listens
	live    atomic.Pointer[config.Config]
	changed chan struct{} // there is another configuration in live
	source  *source       // where configurations come from; nil in a process that reads none anew
}

// config is the configuration that holds now. Runs keep what they began with.
func (a *App) config() *config.Config { return a.live.Load() }

// Open connects to everything that the configuration names, without sending or listening. It must be closed.
func Open(ctx context.Context, cfg *config.Config, log *slog.Logger) (*App, error) {
	a := &App{Config: cfg, Log: log, metrics: metrics.New(), poster: notify.NewPoster(), holder: holder(), changed: make(chan struct{}, 1)}
	if cfg.Rules.Locations == nil {
		cfg.Rules.Locations = policy.NewLocations()
	}
	a.hold(cfg)
	client, err := graph.New(graph.Options{
		BaseURL: cfg.Graph.BaseURL, Version: cfg.Graph.Version, AccountID: cfg.Graph.AccountID, Logger: log,
		Token: func() string { return a.config().Graph.AccessToken.Reveal() },
	})
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	a.Store, a.Graph = db, client
	a.home = newHome(cfg.StateDir, db.Instance())
	a.sealLedger()
	db.ActFor(cfg.Business.Name)
	db.Attach("none", math.MaxInt64) // nothing leaves before Enter
	db.NameLimit(cfg.MessagingLimit())
	db.ShareLocations(cfg.Rules.Locations)
	cfg.Rules.Lots = db.Lots()
	return a, nil
}

// Close ends every connection.
func (a *App) Close() error {
	a.Graph.Close()
	a.poster.Close()
	return a.Store.Close()
}

// holder names this process in leases: host, process, and a random part, since both can come again.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	tail := make([]byte, 4)
	_, _ = rand.Read(tail) // it never fails; it ends the program instead
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(tail))
}

// Freeze is the configuration that a run of the campaign keeps to its end.
func (a *App) Freeze(c scheduler.Campaign) scheduler.Frozen { return freeze(a.config(), c) }

func freeze(cfg *config.Config, c scheduler.Campaign) scheduler.Frozen {
	return scheduler.Frozen{Campaign: c, Rules: cfg.Rules, Attributes: cfg.Attributes, Segments: cfg.Segments, ApproveAbove: cfg.ApproveAbove}
}

// Rate is a number's messages per second; 0 when it is not configured.
func (a *App) Rate(numberID string) float64 {
	for _, n := range a.config().Numbers {
		if n.ID == numberID {
			return n.MessagesPerSecond
		}
	}
	return 0
}

// Kind is the kind of a campaign's category; ok is false for a campaign that is not configured.
func (a *App) Kind(campaign string) (policy.Kind, bool) {
	cfg := a.config()
	c, ok := cfg.Campaign(campaign)
	if !ok {
		return "", false
	}
	category, ok := cfg.Rules.Categories[c.Category]
	return category.Kind, ok
}

// SyncTemplates reads every template from Meta into the store and returns them.
func (a *App) SyncTemplates(ctx context.Context) ([]templates.Template, error) {
	raws, err := a.Graph.Templates(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking Meta: %w", err)
	}
	entries, list := readable(raws, a.Log)
	return list, a.Store.SaveTemplates(ctx, entries)
}

// readable reads the templates that Meta listed, each with its text and without; what cannot be read is left out.
func readable(raws []json.RawMessage, log *slog.Logger) (entries []templates.Entry, list []templates.Template) {
	for _, raw := range raws {
		t, err := templates.Parse(raw)
		if err != nil {
			log.Warn("a template of Meta's list cannot be read and is left out", "error", err)
			continue
		}
		entries, list = append(entries, templates.Entry{Raw: raw, Template: t}), append(list, t)
	}
	return entries, list
}

// Catalogue is the set of templates as last synced.
func (a *App) Catalogue(ctx context.Context) (templates.Catalogue, error) {
	list, _, err := a.Store.Templates(ctx)
	if err != nil {
		return templates.Catalogue{}, err
	}
	return templates.NewCatalogue(list), nil
}

// bind binds a run's message to the catalogue, for the sender.
func (a *App) bind(ctx context.Context, run sender.Run) (sender.Binding, error) {
	catalogue, err := a.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	binding, err := sender.Bind(run, catalogue)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sender.ErrNoBinding, err)
	}
	return binding, nil
}

func (a *App) sender(n config.Number) *sender.Sender {
	return sender.New(sender.Options{
		NumberID: n.ID, PerSecond: n.MessagesPerSecond, Holder: a.holder, Instance: a.Store.Instance(),
		Client: a.Graph, Ledger: heedful{a.Store, a.owes}, Runs: a.Store, Leases: a.Store, Shelf: a.Store, Desk: desk{a}, Bind: a.bind, Logger: a.Log, Observer: a.metrics,
	})
}

func (a *App) planner() *scheduler.Planner {
	return &scheduler.Planner{
		Store: a.Store, Open: a.Store, Move: a.Store, Leases: a.Store, Holder: a.holder, Catalogue: a.Catalogue, Rate: a.Rate,
		Configured: a.Configured, Logger: a.Log,
	}
}

// freshTemplates syncs before a run. When Meta cannot be asked, what was synced before serves, and what was never synced does not.
func (a *App) freshTemplates(ctx context.Context) (templates.Catalogue, error) {
	_, err := a.SyncTemplates(ctx)
	if err == nil {
		return a.Catalogue(ctx)
	}
	list, synced, readErr := a.Store.Templates(ctx)
	if readErr != nil {
		return templates.Catalogue{}, errors.Join(err, readErr)
	}
	if len(list) == 0 {
		return templates.Catalogue{}, err
	}
	a.Log.Warn("Meta's templates could not be read; those of the last sync serve", "synced_at", synced.Format(time.RFC3339), "error", err)
	return templates.NewCatalogue(list), nil
}

// zone is the business's time zone; config.Load has checked it.
func (a *App) zone() *time.Location {
	zone, err := time.LoadLocation(a.config().Business.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// sqlitePath returns the database's file, "" on PostgreSQL.
func (a *App) sqlitePath() string {
	path, ok := strings.CutPrefix(a.Config.Database, "sqlite:")
	if !ok {
		return ""
	}
	return path
}
