package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/permesso/permesso/internal/api"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/console"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// errInUse says that somebody listens on the address already.
var errInUse = errcode.With(errors.New("the address is in use: stop the other program, or change the address in config.yaml"), errcode.AddressInUse)

// listener is an HTTP server on an address that was taken when it was made.
type listener struct {
	name   string
	socket net.Listener
	server *http.Server
}

func listen(name, address string, handler http.Handler) (*listener, error) {
	socket, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen.%s %s: %w", name, address, errInUse)
	}
	if err != nil {
		return nil, errcode.With(fmt.Errorf("listen.%s %s: %w", name, address, err), errcode.AddressUnusable)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 75 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	return &listener{name, socket, server}, nil
}

// run serves until ctx is done, then lets the requests under way end.
func (l *listener) run(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := l.server.Shutdown(grace); err != nil {
			_ = l.server.Close() // what is still open after the grace is cut
		}
	}()
	if err := l.server.Serve(l.socket); !errors.Is(err, http.ErrServerClosed) {
		return errcode.With(fmt.Errorf("serving %s: %w", l.name, err), errcode.ServiceFailed)
	}
	<-stopped
	return nil
}

// receiver is the webhook's receiver, committing to the store.
func (a *App) receiver() *webhook.Receiver {
	return webhook.New(webhook.Options{
		AppSecrets: a.appSecrets, VerifyToken: func() string { return a.config().Graph.VerifyToken.Reveal() }, Sink: keptSink{a.Store, a.journalStops}, Writable: a.Store.Ping,
		Keywords: func() policy.Keywords { return a.config().Keywords }, Wants: a.wants, Kind: a.Kind,
		Classify: func(code int) sender.Reaction { return graph.Classify(code, 0, 0, false) }, Logger: a.Log,
		Observe: func(answer webhook.Answer) { a.metrics.Webhook(answer.Status, answer.Took) },
	})
}

func (a *App) appSecrets() []string {
	secrets := a.config().Graph.AppSecrets
	texts := make([]string, len(secrets))
	for i, s := range secrets {
		texts[i] = s.Reveal()
	}
	return texts
}

// webhookListener takes listen.webhook.
func (a *App) webhookListener() (*listener, *webhook.Receiver, error) {
	r := a.receiver()
	mux := http.NewServeMux()
	mux.Handle("/", r.Handler())
	mux.Handle(policy.PagePath, a.peoplesPages())
	l, err := listen("webhook", a.Config.Listen.Webhook, mux)
	if err != nil {
		return nil, nil, err
	}
	webhook.ConfigureServer(l.server)
	a.ears.Store(r)
	return l, r, nil
}

func (a *App) consoleListener() (*listener, error) {
	return listen("console", a.Config.Listen.Console, a.console())
}

// console are the operators' pages.
func (a *App) console() http.Handler {
	limits := api.NewLimits()
	return a.asConfigured(func(cfg *config.Config) http.Handler {
		return console.New(console.Options{
			Runs: a.Store, Reports: a.Store, Log: a.Store, Reviews: a.Store, NoRun: store.ErrNoRun, Business: cfg.Business.Name, Zone: a.zone(),
			Country: cfg.Business.Country, Hosts: []string{a.Config.Listen.Console}, Calendar: a.calendar, Breakers: a.Store.Breakers, Notice: a.notice, Logger: a.Log, API: a.api(cfg, limits),
		})
	})
}

// asConfigured serves pages of the configuration that holds, which are made anew when there is another.
func (a *App) asConfigured(pagesOf func(*config.Config) http.Handler) http.Handler {
	var mu sync.Mutex
	var of *config.Config
	var pages http.Handler
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if cfg := a.config(); cfg != of {
			of, pages = cfg, pagesOf(cfg)
		}
		now := pages
		mu.Unlock()
		now.ServeHTTP(w, r)
	})
}

// api is what programs send to and ask of, as a configuration has it.
func (a *App) api(cfg *config.Config, limits *api.Limits) http.Handler {
	return api.New(api.Options{
		Keys: a.Store, Records: a.Store, Lists: a.Store, NoRun: store.ErrNoRun, Limits: limits, Logger: a.Log,
		Business: cfg.Business.Name, Region: cfg.Business.Country, Categories: cfg.Rules.Categories, Attributes: cfg.Attributes,
		Reply: cfg.ReplyNumber(), Ordinary: a.ordinary,
	})
}

// tidyRequests lets go of the answers that programs were given a day ago.
func (a *App) tidyRequests(ctx context.Context) {
	for ctx.Err() == nil {
		some, err := a.Store.ForgetRequests(ctx)
		if err != nil && ctx.Err() == nil {
			a.Log.Error("what programs were answered a day ago cannot be let go", "error", err)
		}
		if err != nil || !some {
			return
		}
	}
}

// notice is what every page of the console says above all else.
func (a *App) notice() string {
	return strings.TrimSpace(a.warning() + " " + a.source.notice())
}

func (a *App) metricsListener() (*listener, error) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.Handler())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", a.ready)
	return listen("metrics", a.Config.Listen.Metrics, mux)
}
