// Package page owns the pages for people: their own, where they choose what they are sent, and those where they ask for a category.
package page

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// Records is what the pages read and write. A *store.Store with what follows a stop is one.
type Records interface {
	// Personal reads what is on record of a person; known is false when nobody is.
	Personal(ctx context.Context, person policy.PersonID) (found report.Personal, known bool, err error)
	// Choose records a choice; a stop is in force when it returns.
	Choose(ctx context.Context, choice report.Choice) error
	// AskToJoin notes what somebody asked for on an opt-in page.
	AskToJoin(ctx context.Context, request report.JoinRequest) error
}

// Options are what the pages need; all but Reply, Join, Zone and Logger are required.
type Options struct {
	Records Records
	Links   *policy.PageLinks
	// Business is the name of who writes; Country is where numbers without a country code are from.
	Business string
	Country  string
	// Languages are the business's, the first that the pages have is for those whose language they do not have.
	Languages  []string
	Categories map[string]policy.Category
	// Join are the categories that have an opt-in page, at /p/join/ID.
	Join []string
	// Reply is the number at which the business is written to; "" tells none, and then there are no opt-in pages.
	Reply phone.Number
	// Ordinary reports whether a text that a person writes asks for nothing by itself.
	Ordinary func(text string) bool
	// AskedTooOften is the error by which AskToJoin says so, NoOne that by which Choose says that nobody of that id is there.
	AskedTooOften, NoOne error
	// Zone is the business's time zone; nil is UTC.
	Zone *time.Location
	// Now is read for every request.
	Now func() time.Time
	// Logger gets what went wrong, and never an address: it opens a page. Nil discards.
	Logger *slog.Logger
}

type pages struct {
	Options
	limits *Limits
}

// Limits are how often one address may do what costs something. They outlive a change of the configuration.
type Limits struct {
	wrong  *allowance // tokens that open nothing, by address
	change *allowance // what is turned on, by person; what is turned off has no limit
	join   *allowance // numbers that are typed, by address
	joins  *allowance // numbers that are typed, all together
}

// NewLimits returns limits that nobody has used yet.
func NewLimits() *Limits {
	return &Limits{
		wrong: newAllowance(30, time.Minute), change: newAllowance(20, 10*time.Minute),
		join: newAllowance(20, time.Hour), joins: newAllowance(2000, time.Hour),
	}
}

// New returns the handler of everything under /p/. It keeps nothing between requests but limits.
func New(options Options, limits *Limits) http.Handler {
	if options.Zone == nil {
		options.Zone = time.UTC
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	p := &pages{Options: options, limits: limits}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+policy.PagePath+"{token}", p.showPerson)
	mux.HandleFunc("POST "+policy.PagePath+"{token}", p.choose)
	if p.Reply != "" && len(p.Join) > 0 {
		mux.HandleFunc("GET "+policy.PagePath+"join/{category}", p.showJoin)
		mux.HandleFunc("POST "+policy.PagePath+"join/{category}", p.ask)
	}
	mux.HandleFunc("GET "+policy.PagePath, func(w http.ResponseWriter, r *http.Request) { p.problem(w, r, http.StatusNotFound, "gone") })
	return guarded(mux)
}

//go:embed style.css
var style string

// contentPolicy lets a page load nothing at all: its one style is part of it, and known by its hash.
var contentPolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// guarded puts the headers on every answer: nothing of a page is kept, framed, found by a search engine, or told to the next one.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // the address opens the page
		h.Set("X-Robots-Tag", "noindex, nofollow")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// maxForm is beyond any form of ours.
const maxForm = 4 << 10

// ours reads a form that was sent from one of our pages; what another site sends is not.
func ours(w http.ResponseWriter, r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	return r.ParseForm() == nil
}

// caller is the address that a request comes from. In front of the listener stands what speaks TLS (CONTRACT §2), on this machine or
// in its network: then it is what that wrote last into X-Forwarded-For. From anywhere else the header is anybody's to write.
func caller(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	peer, err := netip.ParseAddr(host)
	if err != nil || !peer.IsLoopback() && !peer.IsPrivate() && !peer.IsLinkLocalUnicast() {
		return host
	}
	told := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	last := strings.TrimSpace(told[strings.LastIndexByte(told, ',')+1:])
	if address, err := netip.ParseAddr(last); err == nil {
		return address.Unmap().String()
	}
	return host
}

// agent is the program that the person uses, as far as it is worth keeping.
func agent(r *http.Request) string {
	text := strings.ToValidUTF8(r.UserAgent(), "\uFFFD")
	const enough = 300
	if len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "")
	}
	return text
}
