package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// reader stands before Meta and notes the words of each attempt's message.
type reader struct {
	upstream atomic.Pointer[url.URL]

	mu    sync.Mutex
	words map[string]string // of an attempt, hex
	odd   int               // POSTs in which none were found
}

// newReader starts a reader; what it reads goes on to where upstream points once that is set.
func newReader(t *testing.T) (r *reader, address string) {
	t.Helper()
	r = &reader{words: map[string]string{}}
	onward := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(r.upstream.Load()) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		if request.Method == http.MethodPost && strings.HasSuffix(request.URL.Path, "messages") {
			r.note(body)
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		onward.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	return r, strings.TrimPrefix(server.URL, "http://")
}

func (r *reader) note(body []byte) {
	var message struct {
		Callback string `json:"biz_opaque_callback_data"`
		Template struct {
			Components []struct {
				Type       string `json:"type"`
				Parameters []struct {
					Text string `json:"text"`
				} `json:"parameters"`
			} `json:"components"`
		} `json:"template"`
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if json.Unmarshal(body, &message) == nil {
		for _, c := range message.Template.Components {
			if strings.EqualFold(c.Type, "body") && len(c.Parameters) == 2 {
				r.words[Post{Callback: message.Callback}.attempt()] = c.Parameters[1].Text
				return
			}
		}
	}
	r.odd++
}

// said are the words of a run's messages, each with how many said them.
func (r *reader) said(e Evidence) map[string]map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	runs := map[string]map[string]int{}
	for _, row := range e.Rows {
		if words, ok := r.words[row.Attempt]; ok {
			if runs[row.Run] == nil {
				runs[row.Run] = map[string]int{}
			}
			runs[row.Run][words]++
		}
	}
	return runs
}

// playEdits edits the configuration again and again while runs go on, every fourth time badly, and asks serve by SIGHUP to take
// it up: each run says to everybody what it said to the first, and a bad edit changes nothing (F26).
func playEdits(t *testing.T, target string, seed uint64, soak length) {
	edits, people := soak.of(16, 200), soak.of(300, 5000)
	reader, address := newReader(t)
	r := newRig(t, "edits", target, seed, settings{people: people, perSecond: soak.of(60, 90), graph: address, words: "edition 0"})
	upstream, err := url.Parse("http://" + r.meta.Address())
	r.must("the sandbox's address", err)
	reader.upstream.Store(upstream)
	r.player.Hold()
	p := r.serve(r.houses[0])
	taken, bad, runs := 0, 0, 0
	began := map[string]string{} // run to the edition in force when it was made
	edition := "edition 0"
	for i := 1; i <= edits; i++ {
		if i%soak.of(4, 40) == 2 { // after a good edit: the verb reads the file too
			began[r.detach("offer")] = edition
			runs++
		}
		r.pause(250e6)
		if i%4 == 0 {
			bad++
			r.settings.words = fmt.Sprintf("broken %d", i)
			r.configure(r.houses[0])
			text, err := os.ReadFile(r.houses[0].config())
			r.must("reading the configuration", err)
			broken := bytes.Replace(text, []byte("category: offers"), []byte([]string{"category: ofers", "category offers", "\tcategory: {"}[r.draw(3)]), 1)
			r.must("breaking the configuration", os.WriteFile(r.houses[0].config(), broken, 0o600))
			r.hup(p, "the configuration has mistakes", "permesso_config_valid 0")
			continue
		}
		edition = fmt.Sprintf("edition %d", i)
		taken++
		r.settings.words, r.settings.perSecond = edition, soak.of(60, 90)+r.draw(30)
		r.configure(r.houses[0])
		r.hup(p, "the configuration was read anew", "permesso_config_valid 1")
	}
	// The verbs read the file themselves: it must be good to go on.
	r.settings.words = edition
	r.configure(r.houses[0])
	r.untilSettled()
	e, err := Read(t.Context(), r.ledgerFile(), r.acksFile(), r.database)
	r.must("reading the evidence", err)
	said := reader.said(e)
	for run, edition := range began {
		if len(said[run]) != 1 || said[run][edition] == 0 {
			t.Errorf("run %s began with %s, and its messages say %v (seed %d)", short(run), edition, said[run], seed)
		}
	}
	if reader.odd > 0 {
		t.Errorf("%d messages could not be read", reader.odd)
	}
	hashes, err := r.count("SELECT count(DISTINCT config_hash) FROM runs")
	r.must("counting configurations", err)
	r.powered("configurations that runs began with", hashes, min(runs, 3))
	r.powered("edits that were taken up", taken, edits/2)
	r.powered("edits that were bad", bad, edits/5)
	r.judge()
	t.Logf("edits: %d taken up and %d refused over %d runs, %d configurations", taken, bad, runs, hashes)
}

// hup asks serve to read its configuration, and waits until its log and its metrics say what came of it.
func (r *rig) hup(p *process, word, metric string) {
	r.t.Helper()
	before := strings.Count(p.err.String(), word)
	p.signal(syscall.SIGHUP)
	r.must(word, eventually(patience, func() error {
		if strings.Count(p.err.String(), word) == before {
			return fmt.Errorf("serve does not say so: %s", p.err.String())
		}
		return nil
	}))
	page, err := fetched("http://" + r.houses[0].metrics + "/metrics")
	r.must("the metrics", err)
	if !strings.Contains(page, metric) {
		r.t.Errorf("after %q the metrics do not say %s", word, metric)
	}
}

// fetched is the text at an address.
func fetched(address string) (string, error) {
	answer, err := (&http.Client{Timeout: patience}).Get(address)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}
