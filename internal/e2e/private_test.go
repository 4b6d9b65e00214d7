package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// What must stand nowhere that operators' machines gather and other programs read.
const (
	written     = "pomodoro azzurro"     // by a person, in free text
	nearlyStops = "stopp pomodoro verde" // by another, who may have meant to stop
	givenName   = "Ermenegilda"          // of everybody
	gift        = "un segnalibro viola"  // in everybody's message
)

// patient is the business's program for what people write. It fails once, and then repeats in its error what it was told.
type patient struct {
	url string
	mu  sync.Mutex
	all []string
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	p := &patient{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // its sender was killed
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.all = append(p.all, string(body)); len(p.all) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(server.Close)
	p.url = server.URL + "/replies"
	return p
}

func (p *patient) read() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.all, "\n")
}

var (
	separators = strings.NewReplacer(" ", "", "\u00a0", "", "-", "", ".", "", "(", "", ")", "", "/", "", "%20", "", `\/`, "")
	opaque     = regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}`)
)

// leaks are those of the phones and words that a text has: a phone in any way of writing it, or inside of an id of Meta's, which is its
// base64.
func leaks(text string, phones, words []string) (found []string) {
	plain := separators.Replace(text)
	for _, token := range opaque.FindAllString(text, -1) {
		for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if raw, err := coding.DecodeString(token); err == nil {
				plain += "\n" + string(raw)
			}
		}
	}
	for _, phone := range phones {
		if strings.Contains(plain, strings.TrimPrefix(phone, "+39")) {
			found = append(found, phone)
		}
	}
	for _, word := range words {
		if strings.Contains(text, word) {
			found = append(found, word)
		}
	}
	return found
}

// says is what a person wrote, under an id that has their number in it, as Meta's have.
func says(from string, content map[string]any) []byte {
	content["id"] = "wamid." + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "\x1c\x18\x0c%s\x15\x02%d", waID(from), time.Now().UnixNano()))
	return wrote(from, content)
}

func saysText(from, text string) []byte {
	return says(from, map[string]any{"type": "text", "text": map[string]any{"body": text}})
}

// call makes a request and returns the status and the body of its answer.
func (h *house) call(method, url, key, body string) (int, string) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// failedFor is the report that a message failed, in words of Meta's that name the person.
func failedFor(p post) []byte {
	return envelope("messages", map[string]any{"statuses": []any{map[string]any{
		"id": p.wamid, "status": "failed", "timestamp": strconv.FormatInt(time.Now().Unix(), 10), "recipient_id": waID(p.to), "biz_opaque_callback_data": p.callback,
		"errors": []any{map[string]any{"code": 131026, "title": "Message undeliverable to " + p.to, "error_data": map[string]any{"details": "No account of " + waID(p.to)}}},
	}}})
}

// Nothing of a person, and no secret, is in the log, in the metrics, in what operators are told, or in what a program's wrong call is
// answered: whatever people write, Meta says and operators type.
func TestNothingPersonalIsLogged(t *testing.T) {
	t.Parallel()
	h, k, p := newHouse(t, storetest.SQLite(t), settings{campaigns: weekendOffer + strings.Replace(weekendOffer, "weekend-offer", "late-offer", 1)}), newHook(t, func(n int) int {
		if n == 1 {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	}), newPatient(t)
	h.tell(k)
	h.write("config.yaml", strings.Replace(h.read("config.yaml"), fmt.Sprintf("{id: %q,", numberID), fmt.Sprintf("{id: %q, phone: \"+390698987654\",", numberID), 1)+fmt.Sprintf(`
public_url: https://wa.aurora.example
replies: {url: %s, secret: "${file:hook-secret}"}
opt_out: {confirmation: {en: "Done, %s: no more messages from {{business}}."}}
opt_in: {pages: [offers], keywords: {}}
`, p.url, written))
	phones := h.namedPeople(8)
	serving := h.serve()
	others := &strings.Builder{} // what else processes logged, and what was answered
	verb := func(code int, args ...string) string {
		a := h.run(args...)
		if others.WriteString(a.err); a.code != code {
			t.Errorf("permesso %s: exit %d, want %d: %s", args[0], a.code, code, tail(a.err))
		}
		return strings.TrimSpace(a.out)
	}
	key, link := verb(0, "keys", "create", "shop"), verb(0, "contacts", "link", phones[0])
	key, token := key[strings.LastIndexByte(key, '\n')+1:], link[strings.LastIndexByte(link, '/')+1:]
	words := []string{accessToken, appSecret, verifyToken, hookKey, key, token, written, nearlyStops, givenName, gift}

	run := h.campaignWithTroubles(phones, verb)
	h.peopleWhoWrite(phones)
	others.WriteString(h.strangersAndPrograms(phones, key, token))
	verb(0, "contacts", "erase", phones[5], "--reason", "asked from "+phones[5])
	good := h.read("config.yaml")
	h.write("config.yaml", strings.Replace(good, "${WHATSAPP_ACCESS_TOKEN}", accessToken, 1))
	if err := serving.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	h.logs(serving, "the configuration has mistakes", 1)
	h.write("config.yaml", good)

	second := h.refusals(verb)
	verb(0, "notify", "test") // it has the others tried at once
	h.eventually("operators are told", func() error {
		if got := strings.Join(k.kinds(), " "); !strings.Contains(got, "sending.resumed") || !strings.Contains(got, "breaker.opened") || !strings.Contains(got, "token.refused") {
			return fmt.Errorf("told are %s", got)
		}
		return nil
	})
	h.eventually("the business has read what people wrote", func() error {
		if got := p.read(); !strings.Contains(got, written) || !strings.Contains(got, nearlyStops) {
			return fmt.Errorf("it has read %q", tail(got))
		}
		return nil
	})
	_, ready := h.call(http.MethodGet, "http://"+h.metrics+"/readyz", "", "")
	metrics := h.metric()
	serving.signal(syscall.SIGTERM)
	if code := serving.wait(patience); code != 0 {
		t.Errorf("serve ended with %d", code)
	}
	log := serving.out.String() + serving.err.String()
	told := &strings.Builder{}
	for _, n := range k.all() {
		fmt.Fprintln(told, n.id, n.body)
	}
	for where, text := range map[string]string{"the log": log, "what else was logged or answered": others.String(), "the metrics": metrics, "readyz": ready, "the notices": told.String()} {
		if found := leaks(text, phones, words); len(found) > 0 {
			t.Errorf("%s: there is %q in\n%s", where, found, text)
		}
	}

	// It searched where something is to be found, and for what can be found.
	for _, said := range []string{`"run":"` + run + `"`, `"run":"` + second + `"`, "missing or wrong signature", "is not delivered", "131030", "190", "the answer to a message was lost", "the configuration has mistakes"} {
		if !strings.Contains(log, said) {
			t.Errorf("the log does not say %q:\n%s", said, log)
		}
	}
	if !strings.Contains(metrics, numberID) || !strings.Contains(told.String(), second) || ready == "" {
		t.Errorf("the metrics, the notices or readyz say nothing:\n%s\n%s\n%s", metrics, told, ready)
	}
	sent, err := json.Marshal(fmt.Sprintf("%+v", h.meta.posts()))
	if err != nil {
		t.Fatal(err)
	}
	if found := leaks(string(sent), phones, []string{givenName, gift, written}); len(found) != len(phones)+3 {
		t.Errorf("of all that was sent to Meta only %q is found", found)
	}
	if found := leaks(p.read(), phones[:1], []string{written, nearlyStops}); len(found) != 3 {
		t.Errorf("of all that people wrote only %q is found", found)
	}
	for _, form := range []string{"tel:+39 347 865 4100", "(347) 8654100", "0039-347-8654100", `"393478654100"`, byPerson(h.meta.posts())[personOf(phones[4])][0].wamid} {
		if found := leaks(form, phones, nil); len(found) != 1 {
			t.Errorf("in %s found is %q", form, found)
		}
	}
}

// namedPeople imports n people who may be written to, with what must not be repeated.
func (h *house) namedPeople(n int) (phones []string) {
	h.t.Helper()
	contacts := [][]string{{"phone", "name", "language", "points", "gift", "coupon"}}
	consents := [][]string{{"phone", "category", "action", "at", "source", "wording"}}
	for i := range n {
		phone := fmt.Sprintf("+39347865%04d", 4100+37*i)
		phones = append(phones, phone)
		contacts = append(contacts, []string{phone, givenName, "it", "50", gift, "c"})
		consents = append(consents, []string{phone, "offers", "granted", "2026-01-02T10:00:00Z", "web_form", "Sì alle offerte di Libreria Aurora"})
	}
	h.imports("contacts", contacts, n)
	h.imports("consent", consents, n)
	return phones
}

// campaignWithTroubles sends to everybody: one message is refused and one fails, in words that name the person, and the answer to one is
// lost. Meanwhile operators name people in their reasons.
func (h *house) campaignWithTroubles(phones []string, verb func(int, ...string) string) (run string) {
	h.t.Helper()
	h.meta.with(func(f *faults) {
		f.refuse = func(_ int, p post) *graphError {
			if personOf(p.to) == personOf(phones[1]) {
				return &graphError{400, 131026, "Message undeliverable to " + p.to, "No account of " + waID(p.to)}
			}
			return nil
		}
		f.lose = func(_ int, p post) loss {
			if personOf(p.to) == personOf(phones[2]) {
				return hungUp
			}
			return answered
		}
		f.statuses = func(_ int, p post) []string { return []string{"sent", "delivered"} }
	})
	verb(0, "halt", "--reason", "ask "+phones[3]+" or 347 8654137")
	verb(0, "resume")
	run = verb(0, "run", "weekend-offer", "--detach")
	lines := h.ends(run)
	if got := lines[personOf(phones[1])]; got.State != "failed" {
		h.t.Errorf("the refused message is %+v", got)
	}
	h.hears(failedFor(byPerson(h.meta.posts())[personOf(phones[4])][0]))
	return run
}

// refusals are of what stands before a whole run: Meta names the person to whom it does not write, and then quotes the token.
func (h *house) refusals(verb func(int, ...string) string) (run string) {
	h.t.Helper()
	for i, campaign := range []string{"weekend-offer", "late-offer"} {
		h.meta.with(func(f *faults) {
			f.refuse = func(_ int, p post) *graphError {
				return []*graphError{
					{400, 131030, "Recipient phone number not in allowed list", "Add " + p.to + " or " + waID(p.to)},
					{401, 190, "Malformed access token " + accessToken + " for " + p.to, accessToken},
				}[i]
			}
		})
		run = verb(0, "run", campaign, "--detach")
		h.eventually("the run pauses", func() error {
			if r := object[runLine](h, "runs", "show", run); r.State != "paused" {
				return fmt.Errorf("it is %s", r.State)
			}
			return nil
		})
	}
	return run
}

// peopleWhoWrite stop, nearly stop, write at length, and change their number.
func (h *house) peopleWhoWrite(phones []string) {
	h.t.Helper()
	h.hears(saysText(phones[0], "STOP"))
	h.hears(saysText(phones[6], nearlyStops))
	h.hears(saysText(phones[7], "Ciao, sono al "+phones[7]+": "+written))
	h.hears(says(phones[7], map[string]any{"type": "system", "system": map[string]any{
		"body": "User changed from " + phones[7] + " to " + phones[4], "wa_id": waID(phones[4]), "type": "user_changed_number"}}))
	h.eventually("the stop is answered", func() error {
		if len(h.meta.answered(phones[0])) == 0 {
			return fmt.Errorf("no answer")
		}
		return nil
	})
}

// strangersAndPrograms call where they may not, or wrongly, and name people; it returns what the calls were answered.
func (h *house) strangersAndPrograms(phones []string, key, token string) string {
	h.t.Helper()
	stop := saysText(phones[0], written)
	odd := []byte(fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":%q,"changes":[{"field":"messages","value":{"messages":[%q]}}]}]}`, accountID, phones[0]+written))
	for _, sent := range []struct {
		body      []byte
		signature string
		want      int
	}{{stop, sign("another", stop), 401}, {stop[1:], sign(appSecret, stop[1:]), 400}, {odd, sign(appSecret, odd), 200}} {
		if status, err := h.meta.hooks.postSigned(h.t.Context(), sent.body, sent.signature); err != nil || status != sent.want {
			h.t.Errorf("the webhook answers %d, %v, want %d", status, err, sent.want)
		}
	}
	good := fmt.Sprintf(`{"phone":%q,"category":"offers","action":"granted","at":"2026-01-03T10:00:00Z","source":"web_form","wording":"Sì"}`, phones[3])
	webhook, api := "http://"+h.webhook, "http://"+h.console+"/api/v1/"
	var answers []string
	for _, c := range []struct {
		method, url, key, body string
		want                   int
	}{
		{"POST", api + "consents", key, good, 201},
		{"POST", api + "consents", key, strings.Replace(good, "offers", phones[3], 1), 422},
		{"POST", api + "consents", key, strings.Replace(good, "+39", "+39 999 ", 1), 422},
		{"POST", api + "consents", key, strings.Replace(good, `"phone"`, `"`+phones[3]+`"`, 1), 422},
		{"POST", api + "consents", key, good[1:], 400},
		{"POST", api + "consents", "pk_" + key, good, 401},
		{"POST", api + "contacts", key, good, 403},
		{"GET", api + "log?phone=" + phones[3][1:], key, "", 403},
		{"GET", api + phones[3], key, "", 404},
		{"GET", webhook + "/webhook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=" + accessToken, "", "", 403},
		{"GET", webhook + "/p/" + token, "", "", 200},
		{"GET", webhook + "/p/" + token + "x", "", "", 404},
		{"POST", webhook + "/p/" + token, "", good, 409},
	} {
		status, text := h.call(c.method, c.url, c.key, c.body)
		if status != c.want {
			h.t.Errorf("%s %s is answered %d, want %d: %s", c.method, c.url, status, c.want, tail(text))
		}
		if strings.HasPrefix(c.url, api) {
			answers = append(answers, text)
		}
	}
	return strings.Join(answers, "\n")
}
