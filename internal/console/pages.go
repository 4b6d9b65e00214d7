package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

var (
	//go:embed html
	htmlFiles embed.FS
	//go:embed static
	staticFiles embed.FS
)

// pages are the parsed templates by page name. Each is complete: the frame with the page inside, and the page's fragments.
type pages map[string]*template.Template

// frame is what stands around every page.
type frame struct {
	Title    string
	Section  string // of the navigation: "runs", "log", "reviews" or ""
	Reviewed bool   // there is a page of reviews
	Live     bool   // some of it is read anew every second
	Business string
	Notice   string // above everything; commands in it stand in backquotes
	Page     any
}

func parsePages(files *static) pages {
	parsed := pages{}
	functions := template.FuncMap{"thousands": thousands, "prose": prose, "static": files.address}
	for _, name := range []string{"runs", "run", "log", "reviews", "problem"} {
		parsed[name] = template.Must(template.New(name).Funcs(functions).ParseFS(htmlFiles, "html/frame.html", "html/parts.html", "html/"+name+".html"))
	}
	return parsed
}

// render writes a whole page, or nothing of it: a template that fails must not leave half a page that looks whole.
func (c *console) render(w http.ResponseWriter, status int, name string, f frame, page any) {
	f.Business, f.Page, f.Reviewed = c.Business, page, c.Reviews != nil
	if c.Notice != nil {
		f.Notice = c.Notice()
	}
	c.write(w, status, name, "frame", f)
}

func (c *console) renderFragment(w http.ResponseWriter, name, fragment string, page any) {
	c.write(w, http.StatusOK, name, fragment, page)
}

func (c *console) write(w http.ResponseWriter, status int, name, part string, value any) {
	var b bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&b, part, value); err != nil {
		c.Logger.Error("a console page could not be written", "page", name, "error", err)
		http.Error(w, "This page cannot be shown; the service's own log has the error.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever left needs no answer
}

// static serves the embedded files. Their addresses carry a fingerprint, so that a browser keeps them until they change.
type static struct {
	files        fs.FS
	fingerprints map[string]string
}

func newStatic() *static {
	files, err := fs.Sub(staticFiles, "static")
	if err != nil {
		panic("console: the embedded files are not where go:embed put them: " + err.Error())
	}
	s := &static{files: files, fingerprints: map[string]string{}}
	names, err := fs.Glob(files, "*")
	if err != nil {
		panic("console: the embedded files cannot be listed: " + err.Error())
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			panic("console: an embedded file cannot be read: " + err.Error())
		}
		sum := sha256.Sum256(content)
		s.fingerprints[name] = hex.EncodeToString(sum[:6])
	}
	return s
}

// address returns the path by which a page names a file.
func (s *static) address(name string) string { return "/static/" + name + "?v=" + s.fingerprints[name] }

// contentTypes are fixed here: the machine's own table of types differs from one to the next.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", "": "text/plain; charset=utf-8",
}

func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	fingerprint, known := s.fingerprints[name]
	if !known || strings.ContainsAny(name, `/\`) {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	if r.URL.Query().Get("v") == fingerprint {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, s.files, name)
}
