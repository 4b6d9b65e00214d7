package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/sandbox"
)

// stored are templates for every kind of component.
func stored() []json.RawMessage {
	one := func(id int, name, status, category, format, components string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"id":"9%02d","name":%q,"language":"it","status":%q,"category":%q,"parameter_format":%q,"components":%s}`,
			id, name, status, category, format, components))
	}
	card := `{"components":[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"Libro {{1}}"},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Altro"},{"type":"URL","text":"Vedi","url":"https://a.example/{{1}}"}]}]}`
	list := []json.RawMessage{
		one(1, "plain", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"BODY","text":"Buongiorno"}]`),
		one(2, "titled", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"HEADER","format":"TEXT","text":"Per {{1}}"},{"type":"BODY","text":"Ciao"}]`),
		one(3, "pictured", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"Ciao"}]`),
		one(4, "placed", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"HEADER","format":"LOCATION"},{"type":"BODY","text":"Ciao"}]`),
		one(5, "coupon", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"BODY","text":"Ciao"},{"type":"BUTTONS","buttons":[{"type":"COPY_CODE","text":"Copia"},{"type":"URL","text":"Sito","url":"https://a.example/"}]}]`),
		one(6, "offered", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"BODY","text":"Ciao {{1}}"},{"type":"LIMITED_TIME_OFFER","limited_time_offer":{"text":"Presto","has_expiration":true}}]`),
		one(7, "cards", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"BODY","text":"Ciao"},{"type":"CAROUSEL","cards":[`+card+`,`+card+`]}]`),
		one(8, "twice", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"BODY","text":"{{1}}, ciao {{1}}"}]`),
		one(9, "gone", "DISABLED", "MARKETING", "POSITIONAL", `[{"type":"BODY","text":"Ciao"}]`),
		one(10, "waiting", "PENDING", "MARKETING", "POSITIONAL", `[{"type":"BODY","text":"Ciao"}]`),
		one(11, "named", "APPROVED", "UTILITY", "NAMED", `[{"type":"BODY","text":"Ciao {{nome}}, ordine {{ordine}} per {{nome}}"}]`),
		one(12, "filed", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"HEADER","format":"DOCUMENT"},{"type":"BODY","text":"Ciao"}]`),
		one(13, "product", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"HEADER","format":"PRODUCT"},{"type":"BODY","text":"Ciao"}]`),
		one(14, "flowing", "APPROVED", "MARKETING", "POSITIONAL", `[{"type":"BODY","text":"Ciao"},{"type":"BUTTONS","buttons":[{"type":"FLOW","text":"Apri"},{"type":"PHONE_NUMBER","text":"Chiama"}]}]`),
	}
	return append(list, sandbox.DemoTemplates()...)
}

func with(template, components string) string {
	return `{"messaging_product":"whatsapp","to":"+393331112223","type":"template","template":{"name":"` + template + `","language":{"code":"it"},"components":` + components + `}}`
}

func body(params ...string) string {
	return `[{"type":"body","parameters":[` + strings.Join(params, ",") + `]}]`
}

func txt(s string) string { b, _ := json.Marshal(s); return `{"type":"text","text":` + string(b) + `}` }

func named(name, s string) string {
	return `{"type":"text","parameter_name":"` + name + `","text":"` + s + `"}`
}

func TestValidation(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1100)
	url := func(param string) string {
		return `[{"type":"body","parameters":[` + txt("a") + `,` + txt("b") + `]},{"type":"button","sub_type":"url","index":"0","parameters":[` + param + `]}]`
	}
	reply := func(index, param string) string {
		return strings.TrimSuffix(url(txt("t")), "]") + `,{"type":"button","sub_type":"quick_reply","index":` + index + `,"parameters":[` + param + `]}]`
	}
	header := func(param string) string { return `[{"type":"header","parameters":[` + param + `]}]` }
	coupon := func(code string) string {
		return `[{"type":"button","sub_type":"COPY_CODE","index":0,"parameters":[{"type":"coupon_code","coupon_code":"` + code + `"}]}]`
	}
	expires := func(ms string) string {
		return `[{"type":"body","parameters":[` + txt("a") + `]},{"type":"limited_time_offer","parameters":[{"type":"limited_time_offer","limited_time_offer":{"expiration_time_ms":` + ms + `}}]}]`
	}
	card := func(index, title string) string {
		return `{"card_index":` + index + `,"components":[{"type":"header","parameters":[{"type":"image","image":{"id":"9"}}]},{"type":"body","parameters":[` + txt(title) + `]},{"type":"button","sub_type":"url","index":"1","parameters":[` + txt("s") + `]}]}`
	}
	cards := func(list ...string) string { return `[{"type":"carousel","cards":[` + strings.Join(list, ",") + `]}]` }
	envelope := func(replace, by string) string {
		b := with("plain", "[]")
		if !strings.Contains(b, replace) {
			t.Fatalf("%s is not in %s", replace, b)
		}
		return strings.Replace(b, replace, by, 1)
	}

	for _, c := range []struct {
		name string
		body string
		code int
	}{
		{"plain", with("plain", "[]"), 0},
		{"components null", with("plain", "null"), 0},
		{"not JSON", `{"messaging_product":`, 100},
		{"empty", ``, 100},
		{"an array", `[]`, 100},
		{"unknown key", envelope(`"to":`, `"too":`), 100},
		{"key in another case", envelope(`"to":`, `"To":`), 100},
		{"unknown template key", envelope(`"name":`, `"Name":`), 100},
		{"no product", envelope(`"messaging_product":"whatsapp",`, ``), 100},
		{"another product", envelope(`"whatsapp"`, `"signal"`), 100},
		{"no recipient", envelope(`"to":"+393331112223",`, ``), 131008},
		{"to is a number", envelope(`"+393331112223"`, `393331112223`), 100},
		{"to is a word", envelope(`"+393331112223"`, `"mario"`), 131009},
		{"to is short", envelope(`"+393331112223"`, `"+3933"`), 131009},
		{"to is long", envelope(`"+393331112223"`, `"+39333111222333445"`), 131009},
		{"to is very long", envelope(`"+393331112223"`, `"+3933311122233344511111111111111111111"`), 131009},
		{"to with separators", envelope(`"+393331112223"`, `"+39 (333) 111-2223"`), 0},
		{"to the sender", envelope(`"+393331112223"`, `"+390611122233"`), 131021},
		{"to starts with 0", envelope(`"+393331112223"`, `"+0393331112223"`), 131009},
		{"user id", envelope(`"to":"+393331112223"`, `"recipient":"IT.13491208655302741918"`), 0},
		{"parent user id", envelope(`"to":"+393331112223"`, `"recipient":"IT.ENT.13491208655302741918"`), 0},
		{"user id in to", envelope(`"+393331112223"`, `"IT.13491208655302741918"`), 131009},
		{"bad user id", envelope(`"to":"+393331112223"`, `"recipient":"393331112223"`), 131009},
		{"individual", envelope(`"to"`, `"recipient_type":"individual","to"`), 0},
		{"group", envelope(`"to"`, `"recipient_type":"group","to"`), 131009},
		{"no type", envelope(`"type":"template",`, ``), 131008},
		{"image", envelope(`"type":"template"`, `"type":"image"`), 131051},
		{"callback 512", envelope(`"to"`, `"biz_opaque_callback_data":"`+strings.Repeat("é", 512)+`","to"`), 0},
		{"callback 513", envelope(`"to"`, `"biz_opaque_callback_data":"`+strings.Repeat("é", 513)+`","to"`), 131009},
		{"no template", `{"messaging_product":"whatsapp","to":"+393331112223","type":"template"}`, 131008},
		{"template is a string", `{"messaging_product":"whatsapp","to":"+393331112223","type":"template","template":"plain"}`, 100},
		{"no name", envelope(`"name":"plain",`, ``), 131008},
		{"no language", envelope(`"language":{"code":"it"},`, ``), 131008},
		{"policy", envelope(`"code":"it"`, `"code":"it","policy":"deterministic"`), 0},
		{"fallback policy", envelope(`"code":"it"`, `"code":"it","policy":"fallback"`), 131009},
		{"marketing_messages key", envelope(`"to"`, `"product_policy":"STRICT","to"`), 100},
		{"text without a body", `{"messaging_product":"whatsapp","to":"+393331112223","type":"text","text":{}}`, 131008},
		{"text", `{"messaging_product":"whatsapp","to":"+393331112223","type":"text","text":{"body":"Fatto","preview_url":false}}`, 0},
		{"long text", `{"messaging_product":"whatsapp","to":"+393331112223","type":"text","text":{"body":"` + strings.Repeat("a", 4097) + `"}}`, 131009},

		{"unknown template", with("nothing", "[]"), 132001},
		{"unknown language", envelope(`"code":"it"`, `"code":"en_US"`), 132001},
		{"paused", with("winter_preview", body(txt("a"))), 132015},
		{"disabled", with("gone", "[]"), 132016},
		{"pending", with("waiting", "[]"), 132001},

		{"components is an object", with("plain", "{}"), 100},
		{"component is a string", with("plain", `["body"]`), 100},
		{"component without a type", with("plain", `[{"parameters":[]}]`), 131008},
		{"unknown component", with("plain", `[{"type":"footer"}]`), 100},
		{"unknown component key", with("plain", `[{"type":"body","params":[]}]`), 100},
		{"parameters is an object", with("plain", `[{"type":"body","parameters":{}}]`), 100},
		{"body without variables", with("plain", `[{"type":"body","parameters":[]}]`), 0},
		{"too many", with("plain", body(txt("a"))), 132000},
		{"none", with("weekend_offer", "[]"), 132000},
		{"too few", with("weekend_offer", body(txt("a"))), 132000},
		{"body twice", with("twice", `[{"type":"body","parameters":[`+txt("a")+`]},{"type":"body","parameters":[`+txt("a")+`]}]`), 132018},
		{"upper case", with("twice", `[{"type":"BODY","parameters":[{"type":"TEXT","text":"a"}]}]`), 0},
		{"members in another order", with("twice", body(`{"text":"a","type":"text"}`)), 0},
		{"escaped", with("twice", body(`{"type":"text","text":"\u00e8 \"qui\""}`)), 0},
		{"no text", with("twice", body(`{"type":"text"}`)), 131008},
		{"empty text", with("twice", body(txt(""))), 131008},
		{"text is a number", with("twice", body(`{"type":"text","text":7}`)), 100},
		{"parameter without a type", with("twice", body(`{"text":"a"}`)), 131008},
		{"parameter is a string", with("twice", body(`"a"`)), 100},
		{"unknown parameter key", with("twice", body(`{"type":"text","txt":"a"}`)), 100},
		{"image in a body", with("twice", body(`{"type":"image","image":{"id":"1"}}`)), 132012},
		{"currency", with("twice", body(`{"type":"currency","currency":{"fallback_value":"€12,50","code":"EUR","amount_1000":12500}}`)), 0},
		{"currency without a fallback", with("twice", body(`{"type":"currency","currency":{"code":"EUR"}}`)), 131008},
		{"newline", with("twice", body(txt("a\nb"))), 132018},
		{"return", with("twice", body(txt("a\rb"))), 132018},
		{"tab", with("twice", body(txt("a\tb"))), 132018},
		{"four spaces", with("twice", body(txt("a    b"))), 0},
		{"five spaces", with("twice", body(txt("a     b"))), 132018},
		{"too long", with("twice", body(txt(long))), 132005},

		{"named", with("named", body(named("ordine", "1"), named("nome", "a"))), 0},
		{"named without a name", with("named", body(named("ordine", "1"), txt("a"))), 132012},
		{"wrong name", with("named", body(named("ordine", "1"), named("name", "a"))), 132012},
		{"same name twice", with("named", body(named("nome", "1"), named("nome", "a"))), 132012},
		{"named, too few", with("named", body(named("nome", "1"))), 132000},
		{"name in a positional one", with("twice", body(named("nome", "a"))), 132012},

		{"text header", with("titled", header(txt("Ada"))), 0},
		{"text header missing", with("titled", "[]"), 132000},
		{"text header too long", with("titled", header(txt(strings.Repeat("a", 57)))), 132005},
		{"header where none is", with("plain", header(txt("Ada"))), 132000},
		{"image by id", with("pictured", header(`{"type":"image","image":{"id":"9"}}`)), 0},
		{"image by link", with("pictured", header(`{"type":"image","image":{"link":"https://a.example/b.jpg"}}`)), 0},
		{"image by both", with("pictured", header(`{"type":"image","image":{"id":"9","link":"https://a.example/b.jpg"}}`)), 131009},
		{"image by neither", with("pictured", header(`{"type":"image","image":{}}`)), 131008},
		{"image by a path", with("pictured", header(`{"type":"image","image":{"link":"/tmp/b.jpg"}}`)), 131009},
		{"image misspelt", with("pictured", header(`{"type":"image","image":{"url":"https://a.example/b.jpg"}}`)), 100},
		{"image without a value", with("pictured", header(`{"type":"image"}`)), 131008},
		{"image missing", with("pictured", "[]"), 132012},
		{"video for image", with("pictured", header(`{"type":"video","video":{"id":"9"}}`)), 132012},
		{"text for image", with("pictured", header(txt("a"))), 132012},
		{"two images", with("pictured", header(`{"type":"image","image":{"id":"9"}},{"type":"image","image":{"id":"9"}}`)), 132000},
		{"document", with("filed", header(`{"type":"document","document":{"id":"9","filename":"a.pdf"}}`)), 0},
		{"location", with("placed", header(`{"type":"location","location":{"latitude":"44.49","longitude":"11.34","name":"Negozio"}}`)), 0},
		{"half a location", with("placed", header(`{"type":"location","location":{"latitude":"44.49"}}`)), 131008},
		{"product", with("product", header(`{"type":"product","product":{"product_retailer_id":"S1","catalog_id":"19"}}`)), 0},

		{"url suffix", with("weekend_offer", url(txt("t"))), 0},
		{"url button missing", with("weekend_offer", body(txt("a"), txt("b"))), 131008},
		{"url without a value", with("weekend_offer", url("")), 132000},
		{"url with an empty value", with("weekend_offer", url(txt(""))), 131008},
		{"url with a payload", with("weekend_offer", url(`{"type":"payload","payload":"x"}`)), 132012},
		{"url with a tab", with("weekend_offer", url(txt("a\tb"))), 132018},
		{"url too long", with("weekend_offer", url(txt(strings.Repeat("a", 2000)))), 132005},
		{"url given twice", with("weekend_offer", strings.TrimSuffix(url(txt("t")), "]")+`,{"type":"button","sub_type":"url","index":0,"parameters":[`+txt("t")+`]}]`), 132018},
		{"static url filled", with("coupon", strings.TrimSuffix(coupon("A"), "]")+`,{"type":"button","sub_type":"url","index":1,"parameters":[`+txt("t")+`]}]`), 132000},
		{"quick reply", with("weekend_offer", reply("1", `{"type":"payload","payload":"x"}`)), 0},
		{"quick reply, string index", with("weekend_offer", reply(`"1"`, `{"type":"payload","payload":"x"}`)), 0},
		{"quick reply on the url", with("weekend_offer", reply("0", `{"type":"payload","payload":"x"}`)), 132012},
		{"quick reply that is not there", with("weekend_offer", reply("2", `{"type":"payload","payload":"x"}`)), 132012},
		{"index 10", with("weekend_offer", reply("10", `{"type":"payload","payload":"x"}`)), 131009},
		{"index -1", with("weekend_offer", reply("-1", `{"type":"payload","payload":"x"}`)), 131009},
		{"index null", with("weekend_offer", reply("null", `{"type":"payload","payload":"x"}`)), 131008},
		{"quick reply with a text", with("weekend_offer", reply("1", txt("x"))), 132012},
		{"quick reply without a payload", with("weekend_offer", reply("1", `{"type":"payload"}`)), 131008},
		{"button without a sub_type", with("weekend_offer", `[{"type":"body","parameters":[`+txt("a")+`,`+txt("b")+`]},{"type":"button","index":0,"parameters":[`+txt("a")+`]}]`), 131008},
		{"unknown sub_type", with("weekend_offer", `[{"type":"body","parameters":[`+txt("a")+`,`+txt("b")+`]},{"type":"button","sub_type":"link","index":0,"parameters":[`+txt("a")+`]}]`), 131009},
		{"coupon", with("coupon", coupon("AUTUMN25")), 0},
		{"coupon too long", with("coupon", coupon("AUTUMN2526272829")), 131009},
		{"coupon missing", with("coupon", "[]"), 131008},
		{"flow", with("flowing", `[{"type":"button","sub_type":"flow","index":0,"parameters":[{"type":"action","action":{"flow_token":"t"}}]}]`), 0},
		{"phone button filled", with("flowing", `[{"type":"button","sub_type":"url","index":1,"parameters":[`+txt("x")+`]}]`), 132012},

		{"offer", with("offered", expires("99796040000000")), 0},
		{"offer long ago", with("offered", expires("1000")), 131009},
		{"offer as a word", with("offered", expires(`"soon"`)), 131009},
		{"offer missing", with("offered", body(txt("a"))), 131008},
		{"offer body over 600", with("offered", body(txt(strings.Repeat("a", 700)))), 132005},
		{"offer where none is", with("twice", expires("99796040000000")), 132012},
		{"cards", with("cards", cards(card("0", "A"), card("1", "B"))), 0},
		{"cards missing", with("cards", "[]"), 132000},
		{"one card", with("cards", cards(card("0", "A"))), 132000},
		{"same card twice", with("cards", cards(card("0", "A"), card("0", "B"))), 131009},
		{"card body over 160", with("cards", cards(card("0", "A"), card("1", strings.Repeat("b", 160)))), 132005},
		{"card without parameters", with("cards", cards(card("0", "A"), `{"card_index":1,"components":[]}`)), 132000},
		{"cards where none are", with("plain", cards(card("0", "A"), card("1", "B"))), 132000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, func(o *sandbox.Options) { o.Templates = stored() })
			got := send(t, s, c.body)
			if got.code() != c.code {
				t.Fatalf("code %d, want %d: %s", got.code(), c.code, got.raw)
			}
			wantCount := 0
			if c.code == 0 {
				wantCount = 1
			}
			if s.Count() != wantCount || len(s.Received()) != wantCount {
				t.Errorf("%d accepted, %d recorded, want %d", s.Count(), len(s.Received()), wantCount)
			}
			if c.code != 0 {
				checkEnvelope(t, got)
			}
		})
	}
}

// checkEnvelope wants Meta's error shape (graph-api.md §2.1).
func checkEnvelope(t *testing.T, got called) {
	t.Helper()
	failure := at(got.body, "error")
	message, _ := at(failure, "message").(string)
	if !strings.HasPrefix(message, fmt.Sprintf("(#%d) ", got.code())) {
		t.Errorf("message %q", message)
	}
	if at(failure, "type") != "OAuthException" || at(failure, "error_data", "messaging_product") != "whatsapp" || at(failure, "fbtrace_id") == "" {
		t.Errorf("error %v", failure)
	}
	if details, _ := at(failure, "error_data", "details").(string); details == "" {
		t.Error("no details")
	}
	want := map[int]int{132001: http.StatusNotFound}[got.code()]
	if want == 0 {
		want = http.StatusBadRequest
	}
	if got.status != want {
		t.Errorf("HTTP %d, want %d", got.status, want)
	}
}

func TestBodyLimitCountsEveryUse(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(o *sandbox.Options) { o.Templates = stored() })
	// "{{1}}, ciao {{1}}" keeps 7 characters of its own: 7 + 2 x 508 = 1023.
	for length, code := range map[int]int{508: 0, 509: 132005} {
		if got := send(t, s, with("twice", body(txt(strings.Repeat("è", length))))); got.code() != code {
			t.Errorf("%d characters: %s", length, got.raw)
		}
	}
}

func TestWhitespaceBeforeV23(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(o *sandbox.Options) { o.Templates = stored() })
	for version, code := range map[string]int{"v22.0": 132012, "v23.0": 132018, "v26.0": 132018} {
		if got := call(t, s, http.MethodPost, "/"+version+"/"+number+"/messages", with("twice", body(txt("a\tb")))); got.code() != code {
			t.Errorf("%s: %s", version, got.raw)
		}
	}
}

func TestMarketingMessages(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(o *sandbox.Options) { o.Templates = stored() })
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"marketing": {with("plain", "[]"), 0},
		"policy":    {strings.Replace(with("plain", "[]"), `"to"`, `"product_policy":"STRICT","message_activity_sharing":false,"to"`, 1), 0},
		"utility":   {with("named", body(named("nome", "a"), named("ordine", "b"))), 131055},
		"text":      {`{"messaging_product":"whatsapp","to":"+393331112223","type":"text","text":{"body":"x"}}`, 100},
	} {
		if got := call(t, s, http.MethodPost, "/v25.0/"+number+"/marketing_messages", c.body); got.code() != c.code {
			t.Errorf("%s: %s", name, got.raw)
		}
	}
	if got := s.Received()[0].Endpoint; got != "marketing_messages" {
		t.Errorf("endpoint %q", got)
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, nil)
	for kind, code := range map[string]int{"application/json": 0, "application/json; charset=utf-8": 0, "text/plain": 100, "": 100} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, graph+"/v25.0/"+number+"/messages", strings.NewReader(offer("+393331112223")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", kind)
		if got := do(t, s, r); got.code() != code {
			t.Errorf("%q: %s", kind, got.raw)
		}
	}
}

// FuzzSend wants an answer to every body: success or a Graph error, nothing
// else, and a record exactly for success.
func FuzzSend(f *testing.F) {
	f.Add(offer("+393331112223"))
	f.Add(offer("+39333131026"))
	f.Add(with("cards", `[{"type":"carousel","cards":[{"card_index":0}]}]`))
	f.Add(with("twice", body(txt("a\\\"b"))))
	f.Add(`{"messaging_product":"whatsapp","to":"+393331112223","type":"text","text":{"body":"x"}} `)
	f.Add(`{"to":{"a":["\\\"",{}]},"template":null}`)
	f.Add(`[{}]`)
	f.Add(`"`)
	s, err := sandbox.New(sandbox.Options{
		Token: token, AccountID: account, Record: true, IgnoreSuffixes: true,
		Numbers:   []sandbox.Number{{ID: number, DisplayPhone: "+39 06 1112 2233", CountryCode: "39"}},
		Templates: stored(),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		before := s.Count()
		got := send(t, s, body)
		accepted := s.Count() - before
		switch {
		case got.code() == 0 && got.status == http.StatusOK && accepted == 1 && got.wamid() != "":
		case got.code() > 0 && got.status >= 400 && accepted == 0:
		default:
			t.Errorf("%d accepted, answer %d %s", accepted, got.status, got.raw)
		}
	})
}
