package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/api"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// shop is an API over a database, with a key of each kind.
type shop struct {
	t       *testing.T
	store   *store.Store
	handler http.Handler
	keys    map[string]string // by name
}

func newShop(t *testing.T, change ...func(*api.Options)) *shop {
	t.Helper()
	s := &shop{t: t, store: storetest.Open(t, storetest.SQLite(t)), keys: map[string]string{}}
	o := options(s.store)
	for _, c := range change {
		c(&o)
	}
	s.handler = api.New(o)
	s.key("all", report.Key{Scopes: report.Scopes()})
	return s
}

func options(s *store.Store) api.Options {
	return api.Options{
		Keys: s, Records: s, Lists: s, NoRun: store.ErrNoRun, Limits: api.NewLimits(), Business: "Libreria Aurora", Region: "IT",
		Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}, "orders": {ID: "orders", Kind: policy.Utility}},
		Reply:      "+390698987654",
		Attributes: map[string]scheduler.AttributeType{"birthday": scheduler.AttributeDate},
	}
}

func (s *shop) key(name string, key report.Key) {
	s.t.Helper()
	secret, hash := api.NewKey()
	key.Name = name
	if _, err := s.store.CreateKey(s.t.Context(), key, hash); err != nil {
		s.t.Fatal(err)
	}
	s.keys[name] = secret
}

// ask makes a request with the key "all" unless a header says otherwise; an empty header is left out.
func (s *shop) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/api/v1/"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+s.keys["all"])
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "-" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// as is the header of another key.
func (s *shop) as(name string) []string { return []string{"Authorization", "Bearer " + s.keys[name]} }

type answered struct {
	Accepted, Duplicate, Rejected int
	Items                         []struct {
		Index                       int
		Status, Code, Field, Reason string
		Suppressed                  bool
		Warnings                    []string
		Confirm                     struct{ Text, Link string }
	}
	// of a problem
	Code, Field, Detail string
	Status              int
}

func read(t *testing.T, w *httptest.ResponseRecorder) (a answered) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%d: %v: %s", w.Code, err, w.Body)
	}
	return a
}

func (s *shop) events(number phone.Number) int {
	s.t.Helper()
	return len(must(s.store.Consents(s.t.Context(), number)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// consent is a good one, with fields put over it; nil takes one away.
func consent(change map[string]any) string {
	fields := map[string]any{
		"phone": "+393471234567", "category": "offers", "action": "granted", "at": "2026-11-20T18:30:00+01:00", "source": "web_form", "wording": "Sì, Libreria Aurora può scrivermi",
	}
	for name, value := range change {
		if fields[name] = value; value == nil {
			delete(fields, name)
		}
	}
	return string(must(json.Marshal(fields)))
}

// broken is a database that does not answer.
type broken struct{ api.Keys }

var errGone = errors.New("the database is gone")

func (broken) SubmitConsents(context.Context, report.Request, []scheduler.ConsentRecord, func([]report.Fate) report.Answer) (report.Answer, error) {
	return report.Answer{}, errGone
}

func (broken) SubmitContacts(context.Context, report.Request, []scheduler.ContactRecord, func([]report.Fate) report.Answer) (report.Answer, error) {
	return report.Answer{}, errGone
}

func (broken) Log(context.Context, report.Filter) iter.Seq2[report.Line, error] {
	return func(yield func(report.Line, error) bool) {
		if yield(report.Line{}, nil) {
			yield(report.Line{}, errGone)
		}
	}
}

func (broken) Run(context.Context, string) (scheduler.Run, error) { return scheduler.Run{}, errGone }

func (broken) RunsBefore(context.Context, string, string, report.RunPlace, int) ([]scheduler.Run, error) {
	return nil, errGone
}

// taking accepts everything and keeps nothing.
type taking struct{ broken }

func fates(n int) []report.Fate { return slices.Repeat([]report.Fate{{New: true}}, n) }

func (taking) SubmitConsents(_ context.Context, _ report.Request, r []scheduler.ConsentRecord, answer func([]report.Fate) report.Answer) (report.Answer, error) {
	return answer(fates(len(r))), nil
}

func (taking) SubmitContacts(_ context.Context, _ report.Request, r []scheduler.ContactRecord, answer func([]report.Fate) report.Answer) (report.Answer, error) {
	return answer(fates(len(r))), nil
}

// oneKey is a database in which every key is one that may do anything.
type oneKey struct{}

func (oneKey) KeyOf(context.Context, [32]byte) (report.Key, bool, error) {
	return report.Key{Name: "all", Scopes: report.Scopes()}, true, nil
}

func (oneKey) KeyUsed(context.Context, report.Key, time.Time) error { return nil }

func list(items ...string) string { return "[" + strings.Join(items, ",") + "]" }

func many(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = consent(map[string]any{"phone": fmt.Sprintf("+39347%07d", i)})
	}
	return list(items...)
}
