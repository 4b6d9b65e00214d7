package page

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// sourceJoin is the way of giving consent, of CONTRACT §3, that an opt-in page is.
const sourceJoin = "landing_page"

// joinPage is what an opt-in page shows.
type joinPage struct {
	Voice   voice
	Notice  notice
	Typed   string
	Wrong   bool
	Wording template.HTML
	Title   template.HTML
	Seal    string
}

// stepPage is what somebody does next who asked for a category.
type stepPage struct {
	Voice voice
	Text  string
	Link  template.URL
}

// joined is the category of an opt-in page, with what is said about it; ok is false when it was answered already.
func (p *pages) joined(w http.ResponseWriter, r *http.Request) (c policy.Category, v voice, ok bool) {
	id := r.PathValue("category")
	c, known := p.Categories[id]
	if !known || !slices.Contains(p.Join, id) {
		p.problem(w, r, http.StatusNotFound, "gone")
		return c, v, false
	}
	v = p.voiceFor(r, "").about(c, p.Languages).with("example", insert{text: example(p.Country)})
	return c, v, true
}

func (p *pages) showJoin(w http.ResponseWriter, r *http.Request) {
	if c, v, ok := p.joined(w, r); ok {
		p.renderJoin(w, r, http.StatusOK, c, v, joinPage{})
	}
}

func (p *pages) renderJoin(w http.ResponseWriter, r *http.Request, status int, c policy.Category, v voice, page joinPage) {
	page.Voice, page.Wording, page.Title = v, v.Say("wording"), v.Say("join_title")
	page.Seal = p.Links.Seal("join", c.ID, v.Lang, v.Plain("wording"))
	p.render(w, status, "join", v.frame(v.Plain("join_title"), page))
}

// ask notes what was asked for and says how it is confirmed. The answer is the same whoever the number is, and nobody is written to.
func (p *pages) ask(w http.ResponseWriter, r *http.Request) {
	c, v, ok := p.joined(w, r)
	if !ok {
		return
	}
	now, from := p.Now(), caller(r)
	if !ours(w, r) || !p.Links.Sealed(r.PostForm.Get("seal"), "join", c.ID, v.Lang, v.Plain("wording")) {
		p.renderJoin(w, r, http.StatusConflict, c, v, joinPage{Notice: notice{Bad: true, Text: v.Say("stale")}, Typed: typed(r)})
		return
	}
	number, err := phone.Parse(typed(r), p.Country)
	if err != nil {
		p.renderJoin(w, r, http.StatusUnprocessableEntity, c, v, joinPage{Typed: typed(r), Wrong: true})
		return
	}
	if !p.limits.join.take(from, now) || !p.limits.joins.take("", now) {
		p.busy(w, r)
		return
	}
	code := policy.NewJoinCode()
	err = p.Records.AskToJoin(r.Context(), report.JoinRequest{Number: number, Code: code, Category: c.ID, Event: policy.ConsentEvent{
		Source: sourceJoin, Wording: v.Plain("wording"), Business: p.Business, Language: v.Lang, IP: from, Agent: agent(r),
		Evidence: policy.PagePath + "join/" + c.ID,
	}})
	switch {
	case errors.Is(err, p.AskedTooOften):
		p.busy(w, r)
		return
	case err != nil:
		p.failed(w, r, "noting what was asked for", err)
		return
	}
	text := policy.JoinText(c.ID, code, p.Ordinary)
	v = v.with("number", insert{text: p.Reply.Spaced()})
	link := template.URL(p.Reply.Chat(text)) //nolint:gosec // a number and an escaped text
	p.render(w, http.StatusOK, "step", v.frame(v.Plain("step"), stepPage{Voice: v, Text: text, Link: link}))
}

// typed is the number as it was typed.
func typed(r *http.Request) string {
	const enough = 64
	text := strings.TrimSpace(r.PostForm.Get("number"))
	return strings.ToValidUTF8(text[:min(len(text), enough)], "")
}

// example is a number of the country as people there write it with its code.
func example(country string) string {
	if n := phone.Example(country); n != "" {
		return n.Spaced()
	}
	return "+39 312 345 6789"
}
