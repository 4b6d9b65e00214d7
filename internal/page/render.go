package page

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed html/*.html
var htmlFiles embed.FS

var pageTemplates = func() map[string]*template.Template {
	found := map[string]*template.Template{}
	for _, name := range []string{"person", "join", "step", "problem"} {
		found[name] = template.Must(template.ParseFS(htmlFiles, "html/frame.html", "html/"+name+".html"))
	}
	return found
}()

// frame is what every page has around its own.
type frame struct {
	Voice   voice
	Title   string
	Style   template.HTML
	Tongues []tongueLink
	Page    any
}

// tongueLink leads to the same page in another language.
type tongueLink struct {
	Lang, Dir, Name string
	Link            string
	Here            bool
}

// styleElement is the style as its hash in the content policy has it.
var styleElement = template.HTML("<style>" + style + "</style>")

func (v voice) frame(title string, page any) frame {
	f := frame{Voice: v, Title: title, Style: styleElement, Page: page}
	for _, tongue := range tongues {
		words := spoken[tongue]
		f.Tongues = append(f.Tongues, tongueLink{tongue, words["dir"], words["name"], "?" + url.Values{"lang": {tongue}}.Encode(), tongue == v.Lang})
	}
	return f
}

// voiceFor speaks the language that the visitor picked on a page, else their own on record, else their browser's, else the business's.
func (p *pages) voiceFor(r *http.Request, own string) voice {
	tongue := r.URL.Query().Get("lang")
	if !slices.Contains(tongues, tongue) {
		wanted := append([]string{own, strings.Join(r.Header.Values("Accept-Language"), ",")}, p.Languages...)
		tongue = tongueOf(append(wanted, tongues[0])...)
	}
	return newVoice(tongue, p.Business)
}

func (p *pages) render(w http.ResponseWriter, status int, name string, f frame) {
	var out bytes.Buffer
	if err := pageTemplates[name].ExecuteTemplate(&out, "frame", f); err != nil {
		p.Logger.Error("a page for people could not be drawn", "page", name, "error", err)
		http.Error(w, "This page cannot be shown. Write STOP on WhatsApp to stop all messages.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", f.Voice.Lang)
	w.Header().Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// problemPage says in the visitor's language what is wrong, and how everything is stopped without the page.
type problemPage struct {
	Voice       voice
	Title, Text template.HTML
	StopLink    template.URL // to WhatsApp, with the word written; "" when the business's number is not known
}

// problem answers with one of the texts that have a title and a sentence.
func (p *pages) problem(w http.ResponseWriter, r *http.Request, status int, key string) {
	v := p.voiceFor(r, "")
	page := problemPage{Voice: v, Title: v.Say(key), Text: v.Say(key + "_about")}
	if p.Reply != "" {
		page.StopLink = template.URL(p.Reply.Chat("STOP")) //nolint:gosec // a number and a word
	}
	p.render(w, status, "problem", v.frame(v.Plain(key), page))
}

func (p *pages) busy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "300")
	p.problem(w, r, http.StatusTooManyRequests, "busy")
}

// failed answers when something could not be read or written: nothing of it was.
func (p *pages) failed(w http.ResponseWriter, r *http.Request, doing string, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the browser left; nobody reads an answer
	}
	p.Logger.ErrorContext(r.Context(), "a page for people failed", "doing", doing, "error", err)
	w.Header().Set("Retry-After", "5")
	p.problem(w, r, http.StatusServiceUnavailable, "trouble")
}
