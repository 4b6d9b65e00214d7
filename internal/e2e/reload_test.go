package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// serve takes up an edited configuration by itself, whichever way an editor writes it; one with mistakes it does not, and says so.
// A run keeps what it began with.
func TestConfigurationIsTakenUp(t *testing.T) {
	t.Parallel()
	const people = 300
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 10, campaigns: weekendOffer})
		all := h.plainPeople(people)
		p := h.serve()
		release := h.meta.stallsAfter(20)
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(20)

		// Under way: another text, another rate, and a new campaign that fires soon. The file is put in the old one's place.
		before := h.read("config.yaml")
		slot, at := slotIn(9 * time.Second)
		h.settings.perSecond = 400
		h.settings.campaigns = strings.Replace(weekendOffer, "30 novembre", "31 dicembre", 1) + scheduled(map[string]string{"tonight": "{at: " + at + "}"})
		h.configure()
		after := h.read("config.yaml")
		h.write("config.yaml", before)
		h.write("config.new", after)
		if err := os.Rename(h.path("config.new"), h.path("config.yaml")); err != nil {
			t.Fatal(err)
		}
		h.logs(p, "the configuration was read anew", 1)
		release()
		for who, line := range h.ends(run) {
			if line.State != "accepted" {
				t.Errorf("…%s is %s", who[len(who)-5:], line.State)
			}
		}
		h.texts(h.meta.posts(), "30 novembre", people)
		h.everyone(all)
		if busy := busiest(h.meta.posts()); busy < 30 {
			t.Errorf("the new rate is 400 a second after one of 10, and the busiest second had %d", busy)
		}
		h.eventually("the new campaign fires", func() error {
			if runs := h.runs("--campaign", "tonight"); len(runs) != 1 {
				return fmt.Errorf("%d runs", len(runs))
			}
			return nil
		})
		h.ends(h.runs("--campaign", "tonight")[0].Run)
		if early := slot.Sub(h.meta.posts()[people].start); early > 0 {
			t.Errorf("it began %s early", early)
		}
		second := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.ends(second)
		h.texts(h.meta.posts()[2*people:], "31 dicembre", people)

		// A file that is half written holds nothing back, and takes nothing away.
		h.write("config.yaml", after[:len(after)/2])
		h.logs(p, "the configuration has mistakes; the configuration from before stays in force", 1)
		if !strings.Contains(h.metric(), "permesso_config_valid 0") {
			t.Error("/metrics does not say that the configuration is wrong")
		}
		if page := h.page("/"); !strings.Contains(page, "The configuration has mistakes") {
			t.Error("the console does not say that the configuration is wrong")
		}
		for _, word := range []string{`"line":`, `"file":"`, h.path("config.yaml")} {
			if !strings.Contains(p.err.String(), word) {
				t.Errorf("the log has no %s", word)
			}
		}
		h.write("config.yaml", after)
		h.logs(p, "the configuration was read anew", 2)
		if !strings.Contains(h.metric(), "permesso_config_valid 1") || strings.Contains(h.page("/"), "has mistakes") {
			t.Error("the configuration is right again, and that is not said")
		}

		// What cannot change is named; the rest is taken. SIGHUP asks for it, and ends nothing.
		h.write("config.yaml", strings.Replace(strings.Replace(after, "listen: {webhook: \""+h.webhook, "listen: {webhook: \""+freeAddress(t), 1), "Libreria Aurora", "Libreria Boreale", 1))
		p.signal(syscall.SIGHUP)
		h.logs(p, "this needs a restart, and stays as it was until then: listen.webhook", 1)
		if page := h.page("/"); !strings.Contains(page, "Libreria Boreale") {
			t.Error("the console has the business's old name")
		}
		if err := get("http://" + h.metrics + "/livez"); err != nil || !p.running() {
			t.Errorf("after SIGHUP: %v", err)
		}

		// dry_run holds everything.
		h.write("config.yaml", after+"\ndry_run: true\n")
		h.logs(p, "dry_run is true", 1)
		p.signal(syscall.SIGTERM)
		if code := p.wait(patience); code != 0 {
			t.Errorf("exit %d: %s", code, tail(p.err.String()))
		}
	})
}

// An editor that writes a file in pieces, each of them a right configuration, has only the whole taken up.
func TestConfigurationInPieces(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "sqlite:"+t.TempDir()+"/permesso.db", settings{campaigns: weekendOffer})
	p := h.serve()
	h.settings.campaigns = weekendOffer + scheduled(map[string]string{"a": "{cron: \"0 3 1 1 *\"}", "b": "{cron: \"0 3 1 1 *\"}"})
	h.configure()
	whole := h.read("config.yaml")
	cut := strings.Index(whole, "\n  - id: weekend-offer")
	ends := []int{cut + 1}
	for at := cut + 1; ; {
		next := strings.Index(whole[at+1:], "\n  - id: ")
		if next < 0 {
			break
		}
		at += 1 + next
		ends = append(ends, at+1)
	}
	for _, end := range append(ends[1:], len(whole)) { // after each campaign
		h.write("config.yaml", whole[:end])
		time.Sleep(120 * time.Millisecond)
	}
	h.logs(p, "the configuration was read anew", 1)
	if text := p.err.String(); !strings.Contains(text, `"campaigns":3`) || strings.Contains(text, `"campaigns":2`) || strings.Contains(text, `"campaigns":1`) {
		t.Errorf("a piece was taken up:\n%s", tail(text))
	}
}

// logs waits until the process has logged words n times.
func (h *house) logs(p *process, words string, n int) {
	h.t.Helper()
	within(h.t, patience, fmt.Sprintf("the log says %q %d times", words, n), func() error {
		if !p.running() {
			h.t.Fatalf("it ended with %d: %s", p.code, tail(p.err.String()))
		}
		if got := strings.Count(p.err.String(), words); got != n {
			return fmt.Errorf("%d times: %s", got, tail(p.err.String()))
		}
		return nil
	})
}

func (h *house) read(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.path(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

func (h *house) metric() string { return h.body("http://" + h.metrics + "/metrics") }

func (h *house) page(path string) string { return h.body("http://" + h.console + path) }

func (h *house) body(url string) string {
	h.t.Helper()
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// texts fails the test unless all of these posts, n of them, say the words.
func (h *house) texts(posts []post, words string, n int) {
	h.t.Helper()
	said := 0
	for _, p := range posts {
		for _, c := range p.body.Template.Components {
			for _, given := range c.Parameters {
				if given.Text == words {
					said++
				}
			}
		}
	}
	if said != n || len(posts) != n {
		h.t.Errorf("%d of %d messages say %q, want %d", said, len(posts), words, n)
	}
}

// busiest is how many posts began in the busiest second.
func busiest(posts []post) int {
	most := 0
	for i := range posts {
		n := 0
		for _, p := range posts {
			if d := p.start.Sub(posts[i].start); d >= 0 && d < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
