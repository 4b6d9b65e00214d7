// Package console owns the operators' pages: runs with live figures, and the send log that says of every person what happened and why.
package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// Runs is where the pages read runs. Run returns an error that is Options.NoRun when there is none of that id; Halted returns the
// zero time while nothing is halted.
type Runs interface {
	Run(ctx context.Context, id string) (scheduler.Run, error)
	// Runs lists the newest first; campaign "" is every campaign.
	Runs(ctx context.Context, campaign string, limit int) ([]scheduler.Run, error)
	Halted(ctx context.Context) (since time.Time, why string, err error)
}

// Reports is where the pages read what happened.
type Reports interface {
	Summary(ctx context.Context, runID string) (report.Summary, error)
}

// Options are what the pages need. Runs, Reports, Log and NoRun are required.
type Options struct {
	Runs    Runs
	Reports Reports
	Log     Log
	// Reviews lists the texts that wait to be read; nil leaves their page out.
	Reviews Reviews
	// NoRun is the error by which Runs and Reports say that a run does not exist, for errors.Is.
	NoRun error
	// Business is the name shown on every page.
	Business string
	// Zone is the business's time zone; nil is UTC.
	Zone *time.Location
	// Country is the ISO 3166 region of phone numbers typed without a country code; "" asks for one.
	Country string
	// Hosts are the names or addresses, with or without a port, by which the console may be opened besides localhost: the host of
	// listen.console. An unspecified one (0.0.0.0, ::, or only a port) admits every address, and still no name.
	Hosts []string
	// Notice returns what every page says above all else, "" for nothing; nil says nothing ever.
	Notice func() string
	// Breakers returns those that are open; nil has none ever.
	Breakers func(ctx context.Context) ([]sender.Breaker, error)
	// Calendar writes when campaigns fire as iCalendar text, for GET /calendar.ics; nil leaves that page out.
	Calendar func() ([]byte, error)
	// API answers every path below /api/; nil leaves them out. What guards the pages guards it too.
	API http.Handler
	// Logger gets what went wrong, never an address that was asked for: a search holds a phone number. Nil discards.
	Logger *slog.Logger
}

type console struct {
	Options
	pages   pages
	static  *static
	figures *figures
}

// New returns the console's handler. It keeps nothing between requests but counts that were read a moment ago.
func New(options Options) http.Handler {
	if options.Zone == nil {
		options.Zone = time.UTC
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	files := newStatic()
	c := &console{Options: options, static: files, pages: parsePages(files), figures: newFigures(options.Reports)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.showRuns)
	mux.HandleFunc("GET /runs/{id}", c.showRun)
	mux.HandleFunc("GET /log", c.showLog)
	// What htmx asks for every second: the part of a page that moves.
	mux.HandleFunc("GET /fragments/runs", c.showRunsFragment)
	mux.HandleFunc("GET /fragments/runs/{id}", c.showRunFragment)
	if options.Reviews != nil {
		mux.HandleFunc("GET /reviews", c.showReviews)
	}
	if options.Calendar != nil {
		mux.HandleFunc("GET /calendar.ics", c.showCalendar)
	}
	mux.Handle("GET /static/{name}", files)
	mux.HandleFunc("GET /", c.notFound)
	return guard(beside(options.API, mux), options.Hosts)
}

// beside gives what is below /api/ to the API, by any method; the pages take GET alone.
func beside(api, pages http.Handler) http.Handler {
	if api == nil {
		return pages
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			api.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// failed answers when something could not be read. The page says so instead of showing what is left.
func (c *console) failed(w http.ResponseWriter, r *http.Request, doing string, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the browser left; nobody reads an answer
	}
	c.Logger.ErrorContext(r.Context(), "a console page could not be shown", "doing", doing, "error", err)
	c.problem(w, http.StatusInternalServerError, "This page cannot be shown",
		"Something went wrong while "+doing+". Nothing is shown rather than half of it; the service’s own log has the error. Try again in a moment.")
}

func (c *console) notFound(w http.ResponseWriter, _ *http.Request) {
	c.problem(w, http.StatusNotFound, "There is no such page", "The address leads nowhere in this console. The runs and the send log are linked above.")
}

func (c *console) problem(w http.ResponseWriter, status int, title, sentence string) {
	c.render(w, status, "problem", frame{Title: title}, problemPage{title, sentence})
}

type problemPage struct{ Title, Sentence string }
