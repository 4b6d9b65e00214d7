package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// serveObject answers everything but the two sending endpoints.
func (s *Server) serveObject(w http.ResponseWriter, r *http.Request, object, edge string) {
	v, f := s.object(r, object, edge)
	if f != nil {
		s.writeFault(w, f)
		return
	}
	body, err := json.Marshal(v)
	if err != nil {
		s.writeFault(w, refuse(131000, "encoding the answer: %v", err))
		return
	}
	answer(w, http.StatusOK, body)
}

func (s *Server) object(r *http.Request, object, edge string) (any, *fault) {
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	query := r.URL.Query()
	success := map[string]bool{"success": true}
	if n := s.byID[object]; n != nil && edge == "" && get {
		return n.show(fieldsOf(query, "verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput"))
	}
	if t := s.catalogue.Load().byID(object); t != nil {
		switch {
		case edge == "" && get:
			return t.show(query)
		case edge == "unpause" && post:
			if err := s.SetTemplateStatus(t.name, t.language, "APPROVED"); err != nil {
				return nil, refuse(131000, "%v", err)
			}
			return success, nil
		}
	}
	if object == s.opts.AccountID {
		switch {
		case edge == "message_templates" && get:
			return s.listTemplates(r)
		case edge == "phone_numbers" && get:
			return s.listNumbers(query)
		case edge == "subscribed_apps" && get:
			app := map[string]any{"id": "700700", "name": "Sandbox", "link": "https://www.facebook.com/games/?app_id=700700"}
			return map[string]any{"data": []any{map[string]any{"whatsapp_business_api_data": app}}}, nil
		case edge == "subscribed_apps" && (post || r.Method == http.MethodDelete):
			return success, nil
		case edge == "" && get:
			account := map[string]any{"id": object, "name": "Sandbox", "timezone_id": "1", "currency": "EUR",
				"account_review_status": "APPROVED", "marketing_messages_lite_api_status": "ONBOARDED"}
			return pick(account, fieldsOf(query, "name", "timezone_id"))
		}
	}
	return nil, unknownObject(strings.ToLower(r.Method), object)
}

// fieldsOf reads fields=a,b; defaults apply when it is absent.
func fieldsOf(query url.Values, defaults ...string) []string {
	if !query.Has("fields") {
		return defaults
	}
	names := strings.Split(query.Get("fields"), ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

func (s *Server) listNumbers(query url.Values) (any, *fault) {
	data := []any{}
	for _, n := range s.numbers {
		shown, f := n.show(fieldsOf(query, "verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput"))
		if f != nil {
			return nil, f
		}
		data = append(data, shown)
	}
	return map[string]any{"data": data, "paging": map[string]any{"cursors": map[string]string{"before": "QVFIUbefore", "after": "QVFIUafter"}}}, nil
}

// templateFields are those a template can be asked for even if it was stored
// without them.
var templateFields = []string{"id", "name", "language", "status", "category", "sub_category", "components", "parameter_format", "quality_score",
	"rejected_reason", "correct_category", "previous_category", "last_updated_time", "message_send_ttl_seconds", "health_status", "cta_url_link_tracking_opted_out"}

// show returns the fields asked for; a known field that the template does not
// have is left out, and quality_score is shown only on request (graph-api.md
// §5.1).
func (t *template) show(query url.Values) (map[string]any, *fault) {
	shown := map[string]any{"id": t.fields["id"]}
	if !query.Has("fields") {
		for k, v := range t.fields {
			if k != "quality_score" {
				shown[k] = v
			}
		}
		return shown, nil
	}
	for _, name := range fieldsOf(query) {
		v, ok := t.fields[name]
		if ok {
			shown[name] = v
		} else if !slices.Contains(templateFields, name) {
			return nil, &fault{status: 400, code: 100, message: "(#100) Tried accessing nonexisting field (" + name + ")"}
		}
	}
	return shown, nil
}

func (t *template) matches(query url.Values) bool {
	for name, has := range map[string]string{"name": t.name, "status": t.status, "category": t.category, "language": t.language} {
		if query.Has(name) && !strings.EqualFold(query.Get(name), has) {
			return false
		}
	}
	return true
}

func (s *Server) listTemplates(r *http.Request) (any, *fault) {
	query := r.URL.Query()
	c := s.catalogue.Load()
	limit := 25
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 {
			return nil, refuse(100, "limit must be a positive number")
		}
		limit = min(n, 1000)
	}
	from := 0
	if after := query.Get("after"); after != "" {
		var ok bool
		if from, ok = readCursor(after, c.generation); !ok {
			return nil, refuse(131059, "The cursor is unknown or has expired: start the listing again")
		}
	}
	data := []any{}
	at := from
	for ; at < len(c.list) && len(data) < limit; at++ {
		if !c.list[at].matches(query) {
			continue
		}
		shown, f := c.list[at].show(query)
		if f != nil {
			return nil, f
		}
		data = append(data, shown)
	}
	list := map[string]any{"data": data}
	if len(data) == 0 {
		return list, nil
	}
	after := writeCursor(at, c.generation)
	paging := map[string]any{"cursors": map[string]string{"before": writeCursor(from, c.generation), "after": after}}
	if slices.ContainsFunc(c.list[at:], func(t *template) bool { return t.matches(query) }) {
		paging["next"] = nextPage(r, query, after)
	}
	list["paging"] = paging
	return list, nil
}

func nextPage(r *http.Request, query url.Values, after string) string {
	query.Set("after", after)
	scheme := "http"
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.Path + "?" + query.Encode()
}

func writeCursor(at, generation int) string {
	return "QVFI" + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d:%d", generation, at))
}

func readCursor(cursor string, generation int) (int, bool) {
	encoded, found := strings.CutPrefix(cursor, "QVFI")
	plain, err := base64.RawURLEncoding.DecodeString(encoded)
	was, at, cut := strings.Cut(string(plain), ":")
	n, bad := strconv.Atoi(at)
	return n, found && cut && err == nil && bad == nil && n >= 0 && was == strconv.Itoa(generation)
}

// ExpireCursors makes every template cursor given out so far answer 131059.
func (s *Server) ExpireCursors() {
	s.changing.Lock()
	defer s.changing.Unlock()
	c := *s.catalogue.Load()
	c.generation++
	s.catalogue.Store(&c)
}

// PutTemplate adds a template, or replaces the one of the same name and
// language, without any webhook. raw is as GET message_templates lists it.
func (s *Server) PutTemplate(raw json.RawMessage) error {
	t, err := parseTemplate(raw)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.replace(t)
}

// replace must be called with changing held.
func (s *Server) replace(t *template) error {
	old := s.catalogue.Load()
	list := slices.Clone(old.list)
	at := slices.IndexFunc(list, func(o *template) bool { return o.name == t.name && o.language == t.language })
	if at < 0 {
		list = append(list, t)
	} else {
		list[at] = t
	}
	c, err := newCatalogue(list, old.generation)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.catalogue.Store(c)
	return nil
}

// SetTemplateStatus moves a template to a status such as APPROVED, PAUSED or
// DISABLED and announces it by a message_template_status_update webhook, which
// Run delivers.
func (s *Server) SetTemplateStatus(name, language, status string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	t := s.catalogue.Load().byKey[templateKey{name, language}]
	if t == nil {
		return fmt.Errorf("sandbox: no template %s in %s", name, language)
	}
	was := t.status
	t = t.withStatus(status)
	if err := s.replace(t); err != nil {
		return err
	}
	s.announce(s.templateStatusUpdate(t, was))
	return nil
}
