package e2e

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// Every way in which a person can say stop is in force for every process when its webhook is answered, with the scope that
// CONTRACT §3 gives it; and only the person's own act, or Meta's for them, takes it back.
func TestEveryWayToStop(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		payload := ""
		word := func(text string) func(string) []byte {
			return func(phone string) []byte { return wroteText(phone, text) }
		}
		preference := func(value string) func(string) []byte {
			return func(phone string) []byte { return prefers(phone, value) }
		}
		ways := []struct {
			name          string
			stop          func(phone string) []byte
			scope, reason string
			start         func(phone string) []byte // nil does not take it back
		}{
			{"en", word("STOP"), "all", "keyword", word("START")},
			{"en, unsubscribe", word("Unsubscribe"), "all", "keyword", preference("resume")}, // Meta's resume is about Meta's stop alone
			{"it", word("Basta!"), "all", "keyword", nil},
			{"it, a phrase", word("cancellami"), "all", "keyword", nil},
			{"es", word("BAJA"), "all", "keyword", nil},
			{"pt", word("sair"), "all", "keyword", nil},
			{"de", word("Abmelden"), "all", "keyword", nil},
			{"fr", word("arrêt"), "all", "keyword", nil},
			{"by category", word("STOP OFFERS"), "category:offers", "keyword", word("START OFFERS")},
			{"the stop button", func(phone string) []byte { return tapped(phone, payload) }, "kind:marketing", "button", word("START")},
			{"Meta's own", preference("stop"), "kind:marketing", "meta_stop", preference("resume")},
			{"Meta's own, and START to us", preference("stop"), "kind:marketing", "meta_stop", word("START")},
			{"131050", func(phone string) []byte { return h.optedOut(phone) }, "kind:marketing", "meta_131050", preference("resume")},
			{"none: a conversation", word("Grazie, a sabato!"), "", "", nil},
		}
		all := h.plainPeople(len(ways) + 2)
		h.serve("--only", "webhook")
		h.must("run", "weekend-offer")
		payload = stopPayload(t, h.meta.posts()[0])

		free := []string{all[len(ways)], all[len(ways)+1]} // got the message and said nothing
		for i, way := range ways {
			h.acknowledged(way.stop(plainPhone(i)))
			scopes := h.stopsOf(plainPhone(i))
			if way.scope == "" {
				free = append(free, all[i])
				if len(scopes) != 0 {
					t.Errorf("%s: listed as %+v", way.name, scopes)
				}
				continue
			}
			if len(scopes) != 1 || scopes[0].Scope != way.scope || scopes[0].Reason != way.reason {
				t.Errorf("%s: after the 200 another process lists %+v, want %s by %s", way.name, scopes, way.scope, way.reason)
			}
		}
		h.onlyTheseGetIt(free)

		time.Sleep(1100 * time.Millisecond) // Meta dates what people write to the second, and at the same time the stop wins
		for i, way := range ways {
			if way.start == nil {
				continue
			}
			h.acknowledged(way.start(plainPhone(i)))
			lifted := !slices.Contains([]string{"en, unsubscribe", "Meta's own, and START to us"}, way.name)
			if lifted {
				free = append(free, all[i])
			}
			if held := h.stopsOf(plainPhone(i)); (len(held) == 0) != lifted {
				t.Errorf("%s: after its taking back these hold: %+v", way.name, held)
			}
		}
		h.onlyTheseGetIt(free)
	})
}

func (h *house) acknowledged(body []byte) {
	h.t.Helper()
	if status, err := h.meta.hooks.post(h.t.Context(), body); err != nil || status != http.StatusOK {
		h.t.Errorf("the webhook answered %d, %v", status, err)
	}
}

// stopsOf asks a process of its own what stops a person has.
func (h *house) stopsOf(phone string) []stopLine {
	h.t.Helper()
	list := objects[stopLine](h.t, h.must("suppress", "list", "--json"))
	return slices.DeleteFunc(list, func(l stopLine) bool { return personOf(l.Phone) != personOf(phone) })
}

// onlyTheseGetIt runs weekend-offer once more: these people get it, and all others are skipped as suppressed.
func (h *house) onlyTheseGetIt(people []string) {
	h.t.Helper()
	before := h.meta.count()
	summary := object[struct{ Run string }](h, "run", "weekend-offer")
	got := takenOnce(h.t, h.meta.posts()[before:])
	for who, line := range h.log(summary.Run) {
		_, sent := got[who]
		free := slices.Contains(people, who)
		if sent != free || !free && (line.State != "skipped" || line.Reason != "suppressed") {
			h.t.Errorf("…%s got a message: %v, want %v; the log says %s (%s)", who[len(who)-5:], sent, free, line.State, line.Reason)
		}
	}
}

// optedOut is the body that tells of the first message to a person that it failed, since they stopped marketing in WhatsApp.
func (h *house) optedOut(phone string) []byte {
	h.t.Helper()
	first := byPerson(h.meta.posts())[personOf(phone)][0]
	return envelope("messages", map[string]any{"statuses": []any{map[string]any{
		"id": first.wamid, "status": "failed", "timestamp": strconv.FormatInt(time.Now().Unix(), 10), "recipient_id": waID(phone), "biz_opaque_callback_data": first.callback,
		"errors": []any{map[string]any{"code": 131050, "title": "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages on WhatsApp from your business."}},
	}}})
}
