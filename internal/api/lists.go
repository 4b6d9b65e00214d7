package api

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// How many lines one answer has: as many as are asked for, up to the most.
const (
	linesUnasked = 100
	linesAtMost  = 1000
)

// page is one answer of a list: its lines, as the command line prints them with --json, and where to go on.
type page[T any] struct {
	Items []T `json:"items"`
	// Next is the parameter `after` of the next page; absent on the last one.
	Next string `json:"next,omitempty"`
}

// query reads the parameters of a call, each at most once and none that is not read.
func query(c *call, known ...string) (url.Values, int, error) {
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, 0, refuse(http.StatusBadRequest, "query_wrong", "The part of the address behind the question mark cannot be read.")
	}
	known = append(known, "after", "limit")
	for name, all := range values {
		switch {
		case !slices.Contains(known, name):
			return nil, 0, refuse(http.StatusBadRequest, "parameter_unknown", "There is no such parameter"+meant(name, known)+". There is "+strings.Join(known, ", ")+".").of(cut(name))
		case len(all) > 1:
			return nil, 0, wrongParameter(name, "It stands twice.")
		case all[0] == "":
			return nil, 0, wrongParameter(name, "It is empty: leave it out, or write what to look for.")
		}
	}
	limit := linesUnasked
	if asked := values.Get("limit"); asked != "" {
		if limit, err = strconv.Atoi(asked); err != nil || limit < 1 || limit > linesAtMost {
			return nil, 0, wrongParameter("limit", "Write a number from 1 to 1000.")
		}
	}
	return values, limit, nil
}

func wrongParameter(name, detail string) *problem {
	return refuse(http.StatusBadRequest, "parameter_wrong", detail).of(name)
}

// oneOf refuses a word that is none of those there are.
func oneOf[T ~string](name, word string, known []T) error {
	if word == "" || slices.Contains(known, T(word)) {
		return nil
	}
	all := make([]string, len(known))
	for i, k := range known {
		all[i] = string(k)
	}
	return wrongParameter(name, "There is no such "+name+meant(word, all)+". There is "+strings.Join(all, ", ")+".")
}

func (a *api) listLog(c *call) error {
	filter, err := a.filter(c)
	if err != nil {
		return err
	}
	limit := filter.Limit
	filter.Limit++ // one more tells whether there is a next page
	lines := make([]report.Line, 0, min(limit, linesUnasked))
	out := page[report.Line]{}
	for line, err := range a.Lists.Log(c.Context(), filter) {
		if err != nil {
			return err
		}
		if len(lines) == limit {
			last := lines[limit-1].At
			out.Next = placeText(last.FireAt, last.Run, last.Person.String())
			break
		}
		lines = append(lines, line)
	}
	out.Items = lines
	writeJSON(c.w, http.StatusOK, encode(out))
	return nil
}

func (a *api) filter(c *call) (report.Filter, error) {
	values, limit, err := query(c, "campaign", "run", "phone", "state", "reason", "since")
	if err != nil {
		return report.Filter{}, err
	}
	f := report.Filter{Campaign: values.Get("campaign"), Run: values.Get("run"), State: sender.State(values.Get("state")), Reason: policy.Reason(values.Get("reason")), Limit: limit}
	if err := errors.Join(oneOf("state", values.Get("state"), sender.States()), oneOf("reason", values.Get("reason"), report.Reasons())); err != nil {
		return f, err
	}
	if who := values.Get("phone"); who != "" {
		if f.Phone, err = phone.Parse(who, a.Region); err != nil {
			foreign, ok := phone.FromWhatsApp(who)
			if !ok || !strings.HasPrefix(who, "+") {
				return f, wrongParameter("phone", "The number cannot be read: "+err.Error()+". A plus in an address is written %2B.")
			}
			f.Phone = foreign
		}
	}
	if since := values.Get("since"); since != "" {
		if f.Since, err = time.Parse(time.RFC3339, since); err != nil {
			return f, wrongParameter("since", "Write a time in RFC 3339, such as 2026-11-20T18:30:00Z; a plus in an address is written %2B.")
		}
	}
	if f.Run != "" {
		if _, err := a.Lists.Run(c.Context(), f.Run); errors.Is(err, a.NoRun) {
			return f, refuse(http.StatusNotFound, "no_such_run", "There is no such run.").of("run")
		} else if err != nil {
			return f, err
		}
	}
	if after := values.Get("after"); after != "" {
		fireAt, run, person, ok := readPlace(after)
		if !ok {
			return f, wrongPlace()
		}
		f.After = report.Cursor{FireAt: fireAt, Run: run}
		if f.After.Person, err = policy.ParsePersonID(person); err != nil {
			return f, wrongPlace()
		}
	}
	return f, nil
}

func (a *api) listRuns(c *call) error {
	values, limit, err := query(c, "campaign", "state")
	if err != nil {
		return err
	}
	if err := oneOf("state", values.Get("state"), scheduler.RunStates()); err != nil {
		return err
	}
	place := report.RunPlace{}
	if after := values.Get("after"); after != "" {
		fireAt, run, person, ok := readPlace(after)
		if !ok || person != "" {
			return wrongPlace()
		}
		place = report.RunPlace{FireAt: fireAt, Run: run}
	}
	runs, err := a.Lists.RunsBefore(c.Context(), values.Get("campaign"), values.Get("state"), place, limit+1)
	if err != nil {
		return err
	}
	out := page[report.Run]{Items: make([]report.Run, min(limit, len(runs)))}
	for i := range out.Items {
		out.Items[i] = report.RunOf(runs[i])
	}
	if len(runs) > limit {
		last := runs[limit-1]
		out.Next = placeText(last.FireAt, last.ID, "")
	}
	writeJSON(c.w, http.StatusOK, encode(out))
	return nil
}

// placeText writes a place in a list so that nobody is tempted to make one up.
func placeText(fireAt time.Time, run, person string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(fireAt.UnixMicro(), 10) + " " + run + " " + person))
}

// readPlace is the reverse of placeText.
func readPlace(text string) (fireAt time.Time, run, person string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return time.Time{}, "", "", false
	}
	parts := strings.Split(string(raw), " ")
	if len(parts) != 3 || parts[1] == "" {
		return time.Time{}, "", "", false
	}
	micros, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return time.Time{}, "", "", false
	}
	return time.UnixMicro(micros).UTC(), parts[1], parts[2], true
}

func wrongPlace() *problem {
	return wrongParameter("after", "It is no place in the list: take it from `next` of the page before.")
}
