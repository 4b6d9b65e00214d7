package page

import (
	"errors"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// What a form on a person's page asks for.
const (
	turnOn  = "on"
	turnOff = "off"
	stopAll = "stop"
)

// sourceOwnPage is the way of giving consent, of CONTRACT §3, that a person's own page is.
const sourceOwnPage = "web_form"

// visitor is who opened a page of their own.
type visitor struct {
	report.Personal
	person policy.PersonID
	token  string
	voice  voice
	now    time.Time
}

// visit finds out whose page a link opens; ok is false when it was answered already.
func (p *pages) visit(w http.ResponseWriter, r *http.Request) (visitor, bool) {
	now, from := p.Now(), caller(r)
	token := r.PathValue("token")
	person, err := p.Links.Read(token, now)
	switch {
	case errors.Is(err, policy.ErrExpiredLink):
		if p.limits.wrong.take(from, now) {
			p.problem(w, r, http.StatusGone, "expired")
			return visitor{}, false
		}
		p.busy(w, r)
		return visitor{}, false
	case err != nil:
		if p.limits.wrong.take(from, now) {
			p.problem(w, r, http.StatusNotFound, "gone")
			return visitor{}, false
		}
		p.busy(w, r)
		return visitor{}, false
	}
	found, known, err := p.Records.Personal(r.Context(), person)
	switch {
	case err != nil:
		p.failed(w, r, "reading what is on record of a person", err)
		return visitor{}, false
	case !known || found.Erased:
		p.problem(w, r, http.StatusGone, "removed")
		return visitor{}, false
	}
	return visitor{Personal: found, person: person, token: token, voice: p.voiceFor(r, found.Language), now: now}, true
}

func (p *pages) showPerson(w http.ResponseWriter, r *http.Request) {
	v, ok := p.visit(w, r)
	if !ok {
		return
	}
	p.render(w, http.StatusOK, "person", v.voice.frame(v.voice.Plain("title"), p.personPage(v, v.told(p, r.URL.Query()))))
}

// choose does what the person tapped, and leads back to the page, which then says so.
func (p *pages) choose(w http.ResponseWriter, r *http.Request) {
	v, ok := p.visit(w, r)
	if !ok {
		return
	}
	if !ours(w, r) {
		p.stale(w, r, v)
		return
	}
	do, id := r.PostForm.Get("do"), r.PostForm.Get("category")
	category, known := p.Categories[id]
	about := v.voice.about(category, p.Languages)
	wording := about.Plain("wording")
	if do == stopAll {
		id, known = "", true
	}
	if !known || !p.Links.Sealed(r.PostForm.Get("seal"), v.parts(do, id, wording)...) || !slices.Contains([]string{turnOn, turnOff, stopAll}, do) {
		p.stale(w, r, v)
		return
	}
	if do == turnOn && !p.limits.change.take(v.person.String(), v.now) {
		p.busy(w, r)
		return
	}
	event := policy.ConsentEvent{
		Source: sourceOwnPage, Business: p.Business, Language: v.voice.Lang, IP: caller(r), Agent: agent(r), Evidence: "the person's own page",
	}
	if do == turnOn {
		event.Wording = wording
	}
	err := p.Records.Choose(r.Context(), report.Choice{Person: v.person, On: do == turnOn, Category: id, Event: event})
	switch {
	case errors.Is(err, p.NoOne):
		p.problem(w, r, http.StatusGone, "removed")
		return
	case err != nil:
		p.failed(w, r, "recording what a person chose", err)
		return
	}
	done := url.Values{"done": {do}}
	if id != "" {
		done.Set("category", id)
	}
	if tongue := r.URL.Query().Get("lang"); tongue != "" {
		done.Set("lang", tongue)
	}
	// Relative to what the browser asked for: what stands in front of the listener may have its own path for it.
	w.Header().Set("Location", "?"+done.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// parts are what a form's seal is about: what is turned on is sealed with the words that are agreed to, so that nobody agrees to words
// that they did not see. What stops is good for as long as the link is.
func (v visitor) parts(do, category, wording string) []string {
	if do != turnOn {
		return []string{v.token, do, category}
	}
	return []string{v.token, do, category, v.voice.Lang, wording}
}

// stale shows the page as it is now and says that nothing was done.
func (p *pages) stale(w http.ResponseWriter, r *http.Request, v visitor) {
	p.render(w, http.StatusConflict, "person", v.voice.frame(v.voice.Plain("title"), p.personPage(v, notice{Bad: true, Text: v.voice.Say("stale")})))
}

// notice is what a page says of what was just done.
type notice struct {
	Bad  bool
	Text template.HTML
}

// told says what was done, if it is so: anybody may write anything into an address.
func (v visitor) told(p *pages, query url.Values) notice {
	id := query.Get("category")
	about := v.voice.about(p.Categories[id], p.Languages)
	switch on := v.wants(p.Categories[id], v.now); {
	case query.Get("done") == turnOn && on:
		return notice{Text: about.Say("done_on")}
	case query.Get("done") == turnOff && p.Categories[id].ID != "" && !on:
		return notice{Text: about.Say("done_off")}
	case query.Get("done") == stopAll && !slices.ContainsFunc(slices.Collect(maps.Values(p.Categories)), func(c policy.Category) bool { return v.wants(c, v.now) }):
		return notice{Text: v.voice.Say("done_all")}
	}
	return notice{}
}

// wants reports whether it is the person's own will to get a category: they consented, and did not stop it since.
func (v visitor) wants(c policy.Category, now time.Time) bool {
	stands := v.Standing[c.ID]
	if c.ID == "" || !stands.Given() || c.ConsentExpiresAfter > 0 && now.Sub(stands.At) >= c.ConsentExpiresAfter {
		return false
	}
	return !slices.ContainsFunc(v.Stops, func(s report.Suppression) bool { return holds(s) && s.Reason.LiftedByPerson() && s.Scope.Covers(c) })
}

func holds(s report.Suppression) bool {
	return policy.Suppression{At: s.At.Time, LiftedAt: s.LiftedAt.Time}.Active()
}

// personPage is what the page of a person shows.
type personPage struct {
	Voice    voice
	Notice   notice
	Numbered bool
	Choices  []choiceCard
	Any      bool // something is on
	StopSeal string
	History  []happened
	Zone     template.HTML
	Held     []template.HTML
}

// choiceCard is one category with its switch.
type choiceCard struct {
	ID, Lang    string
	Title       string
	On, Held    bool
	Why         []template.HTML
	Wording     template.HTML
	Do, Seal    string
	ButtonLabel string
}

func (p *pages) personPage(v visitor, n notice) personPage {
	if digits := lastDigits(v.Number); digits != "" {
		v.voice = v.voice.with("digits", insert{text: digits})
	}
	page := personPage{Voice: v.voice, Notice: n, Numbered: v.Number != "", StopSeal: p.Links.Seal(v.parts(stopAll, "", "")...)}
	for _, id := range slices.Sorted(maps.Keys(p.Categories)) {
		card := p.card(v, p.Categories[id])
		page.Any = page.Any || card.On
		page.Choices = append(page.Choices, card)
	}
	page.History = p.history(v)
	page.Zone = v.voice.with("zone", insert{text: p.Zone.String()}).Say("times")
	page.Held = held(v)
	return page
}

func (p *pages) card(v visitor, c policy.Category) choiceCard {
	about := v.voice.about(c, p.Languages)
	title := about.inserts["category"]
	card := choiceCard{ID: c.ID, Title: title.text, Lang: title.lang, On: v.wants(c, v.now), Wording: about.Say("wording"), Do: turnOn}
	button := "turn_on"
	if card.On {
		card.Do, button = turnOff, "turn_off"
	}
	card.ButtonLabel = about.Plain(button) + ": " + title.text
	card.Seal = p.Links.Seal(v.parts(card.Do, c.ID, about.Plain("wording"))...)
	for _, why := range []struct {
		key   string
		their func(policy.Origin) bool
	}{{"held_meta", policy.Origin.LiftedByMeta}, {"held_business", policy.Origin.LiftedByOperator}} {
		if slices.ContainsFunc(v.Stops, func(s report.Suppression) bool { return holds(s) && why.their(s.Reason) && s.Scope.Covers(c) }) {
			card.Held = true
			card.Why = append(card.Why, about.Say(why.key))
		}
	}
	return card
}

// lastDigits are all that a page shows of a number: whoever has the link has not the number.
func lastDigits(n phone.Number) string {
	const shown = 3
	if len(n) <= 2*shown {
		return ""
	}
	return string(n[len(n)-shown:])
}

// held lists what the business keeps, without showing it.
func held(v visitor) []template.HTML {
	var list []template.HTML
	if v.Number != "" {
		list = append(list, v.voice.Say("keep_number"))
	}
	for _, field := range v.Held {
		list = append(list, v.voice.Say("keep_"+field))
	}
	if len(v.Attributes) > 0 {
		list = append(list, v.voice.with("list", insert{text: strings.Join(v.Attributes, ", ")}).Say("keep_attributes"))
	}
	return append(list, v.voice.Say("keep_choices"))
}
