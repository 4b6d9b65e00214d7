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
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// hookKey is what the houses' notices are signed with: a secret that is written as it is.
const hookKey = "a secret of e2e that is long enough"

// hook receives notices, and judges their signatures by its own reading of Standard Webhooks.
type hook struct {
	t    *testing.T
	url  string
	mu   sync.Mutex
	came []noticed
	// answer is the status of the answer to the nth post, counted from 1; 0 breaks the connection.
	answer func(n int) int
}

// noticed is one post that came, whatever was answered.
type noticed struct {
	id, kind, run, sentence, body string
	at                            time.Time
	answered                      int
}

func newHook(t *testing.T, answer func(n int) int) *hook {
	t.Helper()
	k := &hook{t: t, answer: answer}
	server := httptest.NewServer(http.HandlerFunc(k.take))
	t.Cleanup(server.Close)
	k.url = server.URL + "/hook"
	return k
}

func (k *hook) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender was killed
	}
	id, stamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, []byte(hookKey))
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); id == "" || r.Header.Get("webhook-signature") != want {
		k.t.Errorf("notice %q is signed %q, want %q", id, r.Header.Get("webhook-signature"), want)
	}
	if at, err := strconv.ParseInt(stamp, 10, 64); err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		k.t.Errorf("notice %q is of %q", id, stamp)
	}
	var notice struct {
		Type      string
		Timestamp time.Time
		Data      struct{ Run, Sentence string }
	}
	if err := json.Unmarshal(body, &notice); err != nil || notice.Timestamp.IsZero() || notice.Data.Sentence == "" {
		k.t.Errorf("notice %q is %s: %v", id, body, err)
	}
	k.mu.Lock()
	status := k.answer(len(k.came) + 1)
	k.came = append(k.came, noticed{id, notice.Type, notice.Data.Run, notice.Data.Sentence, string(body), time.Now(), status})
	k.mu.Unlock()
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
}

func (k *hook) all() []noticed {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.came)
}

// kinds are the types of what was taken, each notice once, in order.
func (k *hook) kinds() []string {
	var kinds []string
	seen := map[string]bool{}
	for _, n := range k.all() {
		if n.answered/100 == 2 && !seen[n.id] {
			seen[n.id] = true
			kinds = append(kinds, n.kind)
		}
	}
	return kinds
}

func (h *house) tell(k *hook) {
	h.t.Helper()
	h.write("hook-secret", hookKey+"\n")
	h.write("config.yaml", h.read("config.yaml")+fmt.Sprintf("\nnotify: {url: %s, secret: \"${file:hook-secret}\"}\n", k.url))
}

// What operators do and what stops a run is told in order, also by a receiver that fails at first, and the failures hold back the rest.
func TestOperatorsAreTold(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 100})
		k := newHook(t, func(n int) int {
			switch n {
			case 1:
				return http.StatusInternalServerError
			case 2:
				return 0 // the answer is lost
			}
			return http.StatusNoContent
		})
		h.tell(k)
		h.plainPeople(300)
		h.serve()
		release := h.meta.stallsAfter(20)
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(20)
		h.must("runs", "pause", run, "--reason", "ask +39 347 1234567")
		release()
		h.must("halt")
		h.must("resume")
		h.eventually("the first has failed twice", func() error {
			if n := len(k.all()); n < 2 {
				return fmt.Errorf("%d posts", n)
			}
			return nil
		})
		list := objects[struct{ ID, Type, State, Error string }](t, h.must("notify", "list", "--json"))
		if len(list) != 3 || list[0].Type != "run.paused" || list[0].State != "pending" || list[0].Error == "" {
			t.Errorf("while it fails, listed are %+v", list)
		}
		h.eventually("/metrics counts what waits", func() error {
			if text := h.metric(); !strings.Contains(text, "permesso_notices_pending 3\n") || !strings.Contains(text, "permesso_notices_failed_total 0\n") {
				return fmt.Errorf("it has\n%s", text)
			}
			return nil
		})
		h.must("notify", "test") // the third post: it has the others tried at once
		h.eventually("all is told", func() error {
			if list := h.must("notify", "list", "--json"); list != "" {
				return fmt.Errorf("waiting: %s", list)
			}
			return nil
		})
		if got := strings.Join(k.kinds(), " "); got != "notify.test run.paused sending.halted sending.resumed" {
			t.Errorf("told are %s", got)
		}
		came := k.all()
		if came[0].id != came[1].id || came[0].body != came[1].body || came[0].run != run || came[0].id != came[3].id {
			t.Errorf("the first was tried as %+v", came)
		}
		if strings.Contains(came[0].body, "347") || !strings.Contains(came[0].sentence, "by ada") {
			t.Errorf("told is %q", came[0].sentence)
		}
	})
}

// Killed between a fact and its delivery, in the middle of a delivery, or before its answer is noted: everything is told, what comes twice
// has one id and one body.
func TestAKilledServeLosesNoNotice(t *testing.T) {
	t.Parallel()
	const rounds = 4
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		serving := make(chan *process, 1)
		k := newHook(t, func(n int) int {
			if n == 1 {
				(<-serving).kill() // it does not learn that its first notice was taken
			}
			return http.StatusOK
		})
		h.tell(k)
		h.must("migrate")
		for i := range rounds {
			p := h.serve()
			if i == 0 {
				serving <- p
			}
			h.must("halt", "--reason", fmt.Sprint("round ", i)) // committed by a process that tells nobody
			h.must("resume")
			if i == 0 {
				<-p.over
			}
			time.Sleep(time.Duration(i) * 300 * time.Millisecond) // before the look, in the middle of it, after it
			p.kill()
		}
		h.serve()
		h.eventually("all is told", func() error {
			if list := h.must("notify", "list", "--json"); list != "" {
				return fmt.Errorf("waiting: %s", list)
			}
			return nil
		})
		bodies, first := map[string]string{}, []string{}
		for _, n := range k.all() {
			if before, twice := bodies[n.id]; !twice {
				first = append(first, n.sentence)
			} else if before != n.body {
				t.Errorf("under one id came %s and %s", before, n.body)
			}
			bodies[n.id] = n.body
		}
		var want []string
		for i := range rounds {
			want = append(want, fmt.Sprintf("All sending is halted: round %d.", i), "The halt is taken back: sending goes on.")
		}
		if !slices.Equal(first, want) {
			t.Errorf("told are %q, want %q", first, want)
		}
		if came := k.all(); len(came) < len(want)+1 || came[0].id != came[1].id {
			t.Errorf("the notice whose answer was not noted came again as %+v", came)
		}
	})
}
