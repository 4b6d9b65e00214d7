// Package api owns /api/v1: what a business's own programs send and ask over HTTP, each with a key.
package api

import (
	"context"
	_ "embed"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// Keys is where the keys are. KeyOf must tell what holds now: a key that was revoked opens nothing from then on.
type Keys interface {
	KeyOf(ctx context.Context, hash [32]byte) (key report.Key, found bool, err error)
	KeyUsed(ctx context.Context, key report.Key, now time.Time) error
}

// Records is where what programs send is kept. Each call is one transaction; a request that comes again gets the answer of the first,
// and report.ErrOtherRequest when its ID is that of another.
type Records interface {
	SubmitConsents(ctx context.Context, request report.Request, records []scheduler.ConsentRecord, answer func([]report.Fate) report.Answer) (report.Answer, error)
	SubmitContacts(ctx context.Context, request report.Request, records []scheduler.ContactRecord, answer func([]report.Fate) report.Answer) (report.Answer, error)
}

// Lists is what programs ask for. Run returns an error that is Options.NoRun when there is none of that id.
type Lists interface {
	Log(ctx context.Context, filter report.Filter) iter.Seq2[report.Line, error]
	Run(ctx context.Context, id string) (scheduler.Run, error)
	RunsBefore(ctx context.Context, campaign, state string, place report.RunPlace, limit int) ([]scheduler.Run, error)
}

// Options are what the API needs; all but Region, Attributes, Reply, Ordinary and Logger are required.
type Options struct {
	Keys    Keys
	Records Records
	Lists   Lists
	NoRun   error
	// Limits outlive the handler, which is made anew with each configuration.
	Limits *Limits
	// Business, Region, Categories and Attributes judge what is sent, as they judge a file.
	Business   string
	Region     string
	Categories map[string]policy.Category
	Attributes map[string]scheduler.AttributeType
	// Reply is the number at which people write to the business; without it no consent can be pending. Ordinary reports whether a text
	// is neither a stop nor a start; nil is that every text is.
	Reply    phone.Number
	Ordinary func(text string) bool
	// Logger gets what went wrong, never what was sent. Nil discards.
	Logger *slog.Logger
}

type api struct {
	Options
	items *imports.Items
}

//go:embed openapi.json
var openAPI []byte

// Root is where the API begins.
const Root = "/api/v1/"

// clockSkew is by how much a program's clock may be ahead of ours before what it dates is in the future.
const clockSkew = time.Minute

// route is one path and what it takes.
type route struct {
	method, path string
	scope        report.Scope
	serve        func(*api, *call) error
}

func routes() []route {
	return []route{
		{http.MethodPost, "consents", report.ScopeConsents, (*api).takeConsents},
		{http.MethodPost, "contacts", report.ScopeContacts, (*api).takeContacts},
		{http.MethodGet, "log", report.ScopeLog, (*api).listLog},
		{http.MethodGet, "runs", report.ScopeRuns, (*api).listRuns},
	}
}

// New returns the handler of every path below Root. It answers in JSON, also about what is not there.
func New(o Options) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &api{o, imports.NewItems(imports.Options{Region: o.Region, BusinessName: o.Business, Categories: o.Categories, Attributes: o.Attributes})}
	mux := http.NewServeMux()
	for _, r := range routes() {
		mux.Handle(Root+r.path, a.handle(r))
	}
	mux.HandleFunc(Root+"openapi.json", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", http.MethodGet)
			refuse(http.StatusMethodNotAllowed, "method_not_allowed", "This path takes GET.").write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPI) // who asked may have left
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(http.StatusNotFound, "no_such_path", "There is no such path; /api/v1/openapi.json has those that there are.").write(w)
	})
	return mux
}

// call is one request of a key that may make it.
type call struct {
	*http.Request
	w   http.ResponseWriter
	key report.Key
	// secret is the key itself.
	secret string
	now    time.Time
}

func (a *api) handle(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, w: w, now: time.Now()}
		err := a.admit(c, route)
		if err == nil {
			err = route.serve(a, c)
		}
		if err == nil {
			return
		}
		p, ok := errors.AsType[*problem](err)
		if !ok {
			if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
				return // who asked has left
			}
			a.Logger.ErrorContext(r.Context(), "a request of a program could not be answered", "path", route.path, "key", c.key.Name, "error", err)
			w.Header().Set("Retry-After", "5")
			p = refuse(http.StatusServiceUnavailable, "unavailable", "Nothing was taken, or the answer could not be read. Send the same request again in a moment: with the same Idempotency-Key it is taken once.")
		}
		p.write(w)
	})
}
