package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// reader is the business's own program, which reads what people write. It fails once.
type reader struct {
	t    *testing.T
	url  string
	mu   sync.Mutex
	n    int
	came map[string]map[string]any // data by webhook-id
	said []string                  // FROM TEXT, in the order in which they were taken
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, came: map[string]map[string]any{}}
	server := httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(server.Close)
	r.url = server.URL + "/whatsapp"
	return r
}

func (r *reader) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // its sender was killed
	}
	id := req.Header.Get("webhook-id")
	mac := hmac.New(sha256.New, []byte(hookKey))
	fmt.Fprintf(mac, "%s.%s.%s", id, req.Header.Get("webhook-timestamp"), body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); id == "" || req.Header.Get("webhook-signature") != want {
		r.t.Errorf("message %q is signed %q, want %q", id, req.Header.Get("webhook-signature"), want)
	}
	var message struct {
		Type string
		Data map[string]any
	}
	if err := json.Unmarshal(body, &message); err != nil || message.Type != "message.received" || message.Data["message"] == nil {
		r.t.Errorf("message %q is %s: %v", id, body, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; r.n == 2 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if _, twice := r.came[id]; !twice {
		r.came[id] = message.Data
		r.said = append(r.said, fmt.Sprint(message.Data["from"], " ", message.Data["text"]))
	}
	w.WriteHeader(http.StatusNoContent)
}

// of are what a person said, in the order in which it was read.
func (r *reader) of(phone string) (said []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.said {
		if text, theirs := strings.CutPrefix(line, waID(phone)+" "); theirs {
			said = append(said, text)
		}
	}
	return said
}

// answered are the free-form messages to a person.
func (m *meta) answered(phone string) (answers []post) {
	for _, p := range m.posts() {
		if p.body.Type != "template" && personOf(p.to) == personOf(phone) {
			answers = append(answers, p)
		}
	}
	return answers
}

// hears posts a body of Meta's until it is taken, and returns when it was.
func (h *house) hears(body []byte) time.Time {
	h.t.Helper()
	h.eventually("the webhook is taken", func() error {
		status, err := h.meta.hooks.post(h.t.Context(), body)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	return time.Now()
}

// A stop is confirmed once, after its 200, in the person's language, however often it comes and wherever the program is killed; HELP is
// answered; JOIN is answered by a question, whose yes alone is a consent; and all that people wrote is read by the business.
func TestPeopleAreAnswered(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h, r := newHouse(t, target, settings{perSecond: 100}), newReader(t)
		h.write("hook-secret", hookKey+"\n")
		h.write("config.yaml", h.read("config.yaml")+fmt.Sprintf("\nreplies: {url: %s, secret: \"${file:hook-secret}\"}\n", r.url)+`
opt_out:
  confirmation: {it: "Fatto: niente più messaggi da {{business}}.", en: "Done: no more messages from {{business}}."}
  help: {en: "{{business}}: write STOP to get no more messages."}
opt_in: {keywords: {}}
`)
		const ada, ben, cleo, dora = "+393471110001", "+393471110002", "+393471110003", "+393471110004"
		first := h.serve()

		// Ada stops, five times; Meta repeats it, and asks after her once more.
		stop := wroteText(ada, "UNSUBSCRIBE")
		inForce := h.hears(stop)
		h.hears(stop)
		for _, word := range []string{"STOP", "stop!", "basta", "Stop."} {
			h.hears(wroteText(ada, word))
		}
		h.hears(wroteText(ada, "help"))
		h.hears(wroteText(ben, "help"))
		h.hears(wroteText(cleo, "JOIN offers"))
		h.eventually("they are answered", func() error {
			if a, b, c := len(h.meta.answered(ada)), len(h.meta.answered(ben)), len(h.meta.answered(cleo)); a+b+c < 3 {
				return fmt.Errorf("%d, %d and %d answers", a, b, c)
			}
			return nil
		})
		if a := h.meta.answered(ada)[0]; a.body.Text.Body != "Done: no more messages from Libreria Aurora." || a.start.Before(inForce) {
			t.Errorf("the confirmation is %+v, and the stop was in force at %s", a, inForce)
		}
		if b := h.meta.answered(ben)[0]; b.body.Text.Body != "Libreria Aurora: write STOP to get no more messages." {
			t.Errorf("help is %+v", b)
		}
		question := h.meta.answered(cleo)[0].body.Interactive
		if len(question.Action.Buttons) != 2 || !strings.Contains(question.Body.Text, "Libreria Aurora") || !strings.Contains(question.Body.Text, "Offers") {
			t.Fatalf("the question is %+v", question)
		}
		if out := h.must("consent", "show", cleo); strings.Contains(out, "granted") || strings.Contains(out, "confirmed") {
			t.Errorf("asking is a consent:\n%s", out)
		}
		h.hears(wrote(cleo, map[string]any{"type": "interactive", "interactive": map[string]any{
			"type": "button_reply", "button_reply": map[string]any{"id": question.Action.Buttons[0].Reply.ID, "title": question.Action.Buttons[0].Reply.Title}}}))
		if out := h.must("consent", "show", cleo, "--json"); !strings.Contains(out, `"offers"`) || !strings.Contains(out, `"whatsapp"`) || !strings.Contains(out, question.Body.Text) {
			t.Errorf("the yes is not on record:\n%s", out)
		}

		// Killed after the 200 and before the confirmation; then with the confirmation on the wire, whose answer never comes.
		h.hears(wroteText(ben, "STOP"))
		first.kill()
		release := h.meta.stallsAfter(h.meta.count())
		second := h.serve()
		h.eventually("the confirmation is on the wire", func() error {
			if n := len(h.meta.answered(ben)); n < 2 {
				return fmt.Errorf("%d answers", n)
			}
			return nil
		})
		second.kill()
		release()
		h.serve()
		h.hears(wroteText(ben, "STOP"))
		h.hears(wroteText(dora, "STOP"))
		h.eventually("one who stops later is answered", func() error {
			if len(h.meta.answered(dora)) == 0 {
				return fmt.Errorf("no answer")
			}
			return nil
		})
		for phone, want := range map[string]int{ada: 1, ben: 2, cleo: 1, dora: 1} {
			if n := len(h.meta.answered(phone)); n != want {
				t.Errorf("…%s got %d answers, want %d", phone[len(phone)-4:], n, want)
			}
		}
		want := map[string][]string{ada: {"UNSUBSCRIBE", "STOP", "stop!", "basta", "Stop.", "help"}, ben: {"help", "STOP", "STOP"}, cleo: {"JOIN offers", "Yes"}, dora: {"STOP"}}
		h.eventually("the business has read all of it", func() error {
			for phone, lines := range want {
				if got := r.of(phone); !sameWords(got, lines) {
					return fmt.Errorf("…%s said %q, want %q", phone[len(phone)-4:], got, lines)
				}
			}
			return nil
		})
	})
}

// sameWords compares what was read, each message once; within one second of Meta's clock they may come in any order.
func sameWords(got, want []string) bool {
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}
