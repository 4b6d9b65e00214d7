package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// metaTemplate is a template as Meta keeps it (Meta, "Template management", read 2026-09-11).
type metaTemplate struct {
	name, language, status, category string
	named                            bool
	header, body, footer             string
	buttons                          []metaButton
}

type metaButton struct{ kind, text, url string }

// offerButtons are those of the usual template: a link that ends in the person's code, and the stop.
func offerButtons(link, stop string) []metaButton {
	return []metaButton{{"URL", link, "https://aurora.example/{{1}}"}, {"QUICK_REPLY", stop, ""}}
}

var defaultTemplates = []metaTemplate{
	{"hello_named", "en_US", "APPROVED", "UTILITY", true, "", "Hi {{first_name}}, order {{order}} is ready.", "", nil},
	{"weekend_offer", "it", "APPROVED", "MARKETING", false, "Libreria Aurora", "Ciao {{1}}, in regalo {{2}} fino al {{3}}, da noi.", "Aurora", offerButtons("Apri", "Basta offerte")},
	{"weekend_offer", "en", "APPROVED", "MARKETING", false, "Libreria Aurora", "Hi {{1}}, your gift is {{2}} until {{3}}, with us.", "Aurora", offerButtons("Open", "Stop promotions")},
	{"weekend_offer_paused", "it", "PAUSED", "MARKETING", false, "", "Ciao {{1}}, in regalo {{2}} fino al {{3}}, da noi.", "", offerButtons("Apri", "Basta offerte")},
	{"weekend_offer_changed", "it", "APPROVED", "MARKETING", false, "", "Ciao {{1}}, in regalo {{2}}, da noi.", "", offerButtons("Apri", "Basta offerte")},
	{"weekend_offer_italian", "it", "APPROVED", "MARKETING", false, "", "Ciao {{1}}, in regalo {{2}} fino al {{3}}, da noi.", "", offerButtons("Apri", "Basta offerte")},
}

// json is the template as Meta lists it.
func (t metaTemplate) json(id int) map[string]any {
	format := "POSITIONAL"
	if t.named {
		format = "NAMED"
	}
	components := []any{map[string]any{"type": "BODY", "text": t.body}}
	if t.header != "" {
		components = append(components, map[string]any{"type": "HEADER", "format": "TEXT", "text": t.header})
	}
	if t.footer != "" {
		components = append(components, map[string]any{"type": "FOOTER", "text": t.footer})
	}
	if len(t.buttons) > 0 {
		var buttons []any
		for _, b := range t.buttons {
			button := map[string]any{"type": b.kind, "text": b.text}
			if b.url != "" {
				button["url"], button["example"] = b.url, []any{"https://aurora.example/x"}
			}
			buttons = append(buttons, button)
		}
		components = append(components, map[string]any{"type": "BUTTONS", "buttons": buttons})
	}
	return map[string]any{
		"id": strconv.Itoa(1304694804498000 + id), "name": t.name, "language": t.language, "status": t.status, "category": t.category,
		"parameter_format": format, "components": components,
	}
}

// listTemplates pages by two, whatever limit is asked for: Meta gives no more than it likes.
func (m *meta) listTemplates(w http.ResponseWriter, r *http.Request) {
	m.reads.Add(1)
	if wrong := m.authorised(r); wrong != nil {
		refuse(w, wrong)
		return
	}
	all := *m.templates.Load()
	from := 0
	if after := r.URL.Query().Get("after"); after != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(after, "cursor-"))
		if err != nil || n > len(all) {
			refuse(w, &graphError{400, 131059, "Invalid cursor", ""})
			return
		}
		from = n
	}
	to := min(from+2, len(all))
	page := []any{}
	for i := from; i < to; i++ {
		page = append(page, all[i].json(i))
	}
	paging := map[string]any{"cursors": map[string]any{"before": fmt.Sprintf("cursor-%d", from), "after": fmt.Sprintf("cursor-%d", to)}}
	if to < len(all) {
		paging["next"] = fmt.Sprintf("https://graph.facebook.com%s?after=cursor-%d", r.URL.Path, to)
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": page, "paging": paging})
}

// health is what Meta says of a number when it is asked (graph-api §3.1).
type health struct{ status, canSend string }

func (m *meta) number(w http.ResponseWriter, r *http.Request) {
	if wrong := m.authorised(r); wrong != nil {
		refuse(w, wrong)
		return
	}
	m.mu.Lock()
	m.asked[r.PathValue("number")]++
	is, ill := m.faults.health[r.PathValue("number")]
	m.mu.Unlock()
	if !ill {
		is = health{"CONNECTED", "AVAILABLE"}
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"id": r.PathValue("number"), "display_phone_number": "+39 06 1112 2233", "verified_name": "Libreria Aurora", "quality_rating": "GREEN", "status": is.status,
		"name_status": "APPROVED", "code_verification_status": "VERIFIED", "platform_type": "CLOUD_API", "throughput": map[string]any{"level": "STANDARD"},
		"whatsapp_business_manager_messaging_limit": "TIER_UNLIMITED", "health_status": map[string]any{"can_send_message": is.canSend},
	})
}

func (m *meta) authorised(r *http.Request) *graphError {
	if r.Header.Get("Authorization") != "Bearer "+*m.token.Load() {
		return &graphError{401, 190, "Invalid OAuth access token", ""}
	}
	return nil
}

var (
	variable = regexp.MustCompile(`\{\{\w+\}\}`)
	phones   = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	unclean  = regexp.MustCompile(`[\n\r\t]| {5}`)
)

// read checks a send as Meta does, in Meta's order (graph-api §1.5), and fills the post.
func (m *meta) read(r *http.Request, raw []byte, p *post) *graphError {
	if err := json.Unmarshal(raw, &p.body); err != nil {
		return &graphError{400, 100, "Invalid parameter", "the body is not JSON"}
	}
	b := p.body
	p.to, p.callback = b.To, b.Callback
	switch {
	case m.authorised(r) != nil:
		return m.authorised(r)
	case r.PathValue("number") != numberID && r.PathValue("number") != otherNumber:
		return &graphError{400, 33, "Parameter value is not valid", ""}
	case r.Header.Get("Content-Type") != "application/json" || b.Product != "whatsapp" || len(b.Callback) > 512:
		return &graphError{400, 100, "Invalid parameter", ""}
	case !phones.MatchString(b.To):
		return &graphError{400, 131009, "Parameter value is not valid", "to"}
	case b.Type == "text" && b.Text.Body != "" || b.Type == "interactive" && b.Interactive.Body.Text != "":
		return nil
	case b.Type != "template":
		return &graphError{400, 100, "Invalid parameter", ""}
	}
	all := *m.templates.Load()
	i := slices.IndexFunc(all, func(t metaTemplate) bool { return t.name == b.Template.Name && t.language == b.Template.Language.Code })
	if i < 0 {
		return &graphError{404, 132001, "Template name does not exist in the translation", ""}
	}
	if all[i].status != "APPROVED" {
		return &graphError{400, 132015, "Template is paused", ""}
	}
	return all[i].fits(b.Template.Components)
}

// fits checks the parameters of a send.
func (t metaTemplate) fits(components []component) *graphError {
	want := map[string]int{"header": len(variable.FindAllString(t.header, -1)), "body": len(variable.FindAllString(t.body, -1))}
	for i, b := range t.buttons {
		if variable.MatchString(b.url) {
			want[fmt.Sprintf("button %d url", i)] = 1
		}
	}
	for _, c := range components {
		place := strings.ToLower(c.Type)
		if place == "button" {
			place = fmt.Sprintf("button %v %s", c.Index, strings.ToLower(c.SubType))
		}
		if !strings.HasSuffix(place, "quick_reply") {
			want[place] -= len(c.Parameters)
		}
		for _, given := range c.Parameters {
			if given.Type == "text" && (unclean.MatchString(given.Text) || strings.TrimSpace(given.Text) == "") {
				return &graphError{400, 132018, "Template validation error", "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"}
			}
		}
	}
	for place, missing := range want {
		if missing != 0 {
			return &graphError{400, 132000, "Number of parameters does not match the expected number of params", place}
		}
	}
	return nil
}
