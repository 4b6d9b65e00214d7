package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/permesso/permesso/internal/sandbox"
)

// running starts a sandbox with its pump and a receiver inside a bubble.
func running(t *testing.T, change func(*sandbox.Options)) (*sandbox.Server, *receiver) {
	t.Helper()
	rec := &receiver{}
	s := newSandbox(t, func(o *sandbox.Options) {
		o.Client = &http.Client{Transport: rec}
		o.StatusDelay = time.Second
		if change != nil {
			change(o)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, rec
}

func idle(t *testing.T, s *sandbox.Server) {
	t.Helper()
	if err := s.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		started := time.Now()
		got := send(t, s, offer("+393331112223"))
		want := map[string]any{
			"messaging_product": "whatsapp",
			"contacts":          []any{map[string]any{"input": "+393331112223", "wa_id": "393331112223"}},
			"messages":          []any{map[string]any{"id": got.wamid(), "message_status": "accepted"}},
		}
		if diff := cmp.Diff(want, got.body); diff != "" {
			t.Error(diff)
		}
		idle(t, s)
		if took := time.Since(started); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("the life of a message took %s, want 3 steps of 1s", took)
		}
		all := rec.told(t)
		if diff := cmp.Diff([]string{"sent", "delivered", "read"}, words(all)); diff != "" {
			t.Fatal(diff)
		}
		pricing := map[string]any{"billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing"}
		for i, n := range all {
			status := map[string]any{
				"id": got.wamid(), "status": n.item["status"], "timestamp": n.item["timestamp"], "recipient_id": "393331112223",
				"recipient_user_id": s.UserID("+393331112223"), "biz_opaque_callback_data": "cb:+393331112223", "pricing": pricing,
			}
			if i == 2 {
				delete(status, "pricing")
			}
			if diff := cmp.Diff(status, n.item); diff != "" {
				t.Error(diff)
			}
			if at(n.value["contacts"], 0, "wa_id") != "393331112223" || at(n.value["contacts"], 0, "user_id") != s.UserID("+393331112223") {
				t.Errorf("contacts %v", n.value["contacts"])
			}
			if at(n.value, "metadata", "phone_number_id") != number || at(n.value, "metadata", "display_phone_number") != "390611122233" {
				t.Errorf("metadata %v", n.value["metadata"])
			}
			if seconds, ok := n.item["timestamp"].(string); !ok || len(seconds) < 9 {
				t.Errorf("timestamp %v is not a string of Unix seconds", n.item["timestamp"])
			}
		}
	})
}

func TestPricingCategory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ edge, body, category string }{
		"marketing":          {"messages", offer("+393331112223"), "marketing"},
		"marketing_messages": {"marketing_messages", offer("+393331112223"), "marketing_lite"},
		"utility": {"messages", strings.Replace(with("order_update", body(named("first_name", "Ada"), named("order", "A-1"))),
			`"code":"it"`, `"code":"en"`, 1), "utility"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, rec := running(t, nil)
				if got := call(t, s, http.MethodPost, "/v25.0/"+number+"/"+c.edge, c.body); got.code() != 0 {
					t.Fatal(got.raw)
				}
				idle(t, s)
				if got := at(rec.told(t)[0].item, "pricing", "category"); got != c.category {
					t.Errorf("category %v, want %s", got, c.category)
				}
			})
		})
	}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ to, waID string }{
		{"+393331112223", "393331112223"},
		{"393331112223", "39393331112223"}, // the trap: no +, so the business's country code comes first
		{"333 111 2223", "393331112223"},
		{"+5531988887777", "553188887777"},
		{"+553188887777", "5531988887777"},
		{"+551133334444", "551133334444"}, // a land line has no extra digit
		{"+5215512345678", "525512345678"},
		{"+525512345678", "5215512345678"},
	} {
		s := newSandbox(t, nil)
		got := send(t, s, offer(c.to))
		if at(got.body, "contacts", 0, "wa_id") != c.waID || at(got.body, "contacts", 0, "input") != c.to {
			t.Errorf("%s: %s", c.to, got.raw)
		}
		if r := s.Received()[0]; r.To != c.to || r.WaID != c.waID {
			t.Errorf("%s: recorded %q, %q", c.to, r.To, r.WaID)
		}
	}
}

func TestUserIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		const user = "IT.13491208655302741918"
		byUser := strings.Replace(offer("X"), `"to":"X"`, `"recipient":"`+user+`"`, 1)
		got := send(t, s, byUser)
		if diff := cmp.Diff(map[string]any{"input": user, "user_id": user}, at(got.body, "contacts", 0)); diff != "" {
			t.Error(diff)
		}
		send(t, s, strings.Replace(byUser, user, "IT.131026", 1))
		idle(t, s)
		for _, n := range rec.told(t) {
			if _, ok := n.item["recipient_id"]; ok || n.item["recipient_user_id"] == nil {
				t.Errorf("a person without a phone: %v", n.item)
			}
			_, has := n.value["contacts"]
			if failed := n.item["status"] == "failed"; has == failed || at(n.value["contacts"], 0, "wa_id") != nil {
				t.Errorf("%v has contacts %v", n.item["status"], n.value["contacts"])
			}
		}
		both := send(t, s, strings.Replace(offer("+393331112223"), `"to"`, `"recipient":"`+user+`","to"`, 1))
		if at(both.body, "contacts", 0, "wa_id") != "393331112223" {
			t.Errorf("to must win over recipient: %s", both.raw)
		}
	})
}

func TestUnitedStates(t *testing.T) {
	t.Parallel()
	utility := strings.Replace(with("order_update", body(named("first_name", "Ada"), named("order", "A-1"))), `"code":"it"`, `"code":"en"`, 1)
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"New York":           {offer("+12125550100"), []string{"failed 131049"}},
		"Toronto":            {offer("+14165550100"), []string{"sent", "delivered", "read"}},
		"Jamaica":            {offer("+18765550100"), []string{"sent", "delivered", "read"}},
		"New York, utility":  {strings.Replace(utility, "+393331112223", "+12125550100", 1), []string{"sent", "delivered", "read"}},
		"New York, own fate": {offer("+12125131026"), []string{"failed 131026"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, rec := running(t, nil)
				if got := send(t, s, c.body); got.code() != 0 {
					t.Fatal(got.raw)
				}
				idle(t, s)
				if diff := cmp.Diff(c.want, words(rec.told(t))); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestSuffixes has one row for every special number: what the caller is told,
// whether the message exists, and what the webhooks say.
func TestSuffixes(t *testing.T) {
	t.Parallel()
	usual := []string{"sent", "delivered", "read"}
	rows := map[string]struct {
		codes    []int // of successive tries; -1 = no readable answer
		accepted int
		told     []string
	}{
		"130472": {[]int{0}, 1, []string{"failed 130472"}},
		"130497": {[]int{0}, 1, []string{"failed 130497"}},
		"131000": {[]int{0}, 1, []string{"failed 131000"}},
		"131026": {[]int{0}, 1, []string{"failed 131026"}},
		"131042": {[]int{0}, 1, []string{"failed 131042"}},
		"131049": {[]int{0}, 1, []string{"failed 131049"}},
		"131050": {[]int{0}, 1, []string{"failed 131050"}},
		"130429": {[]int{130429, 0}, 1, usual},
		"131056": {[]int{131056, 131056, 0}, 1, usual},
		"990190": {[]int{190, 190}, 0, nil},
		"990500": {[]int{131000, 131000}, 0, nil},
		"990502": {[]int{-1, -1}, 0, nil},
		"990101": {[]int{-1}, 1, usual},
		"990102": {[]int{-1}, 0, nil},
		"990103": {[]int{0}, 1, usual},
		"990104": {[]int{-1}, 1, usual},
		"990105": {[]int{-1}, 1, usual},
		"990106": {[]int{0}, 1, usual},
		"990001": {[]int{0}, 1, []string{"sent", "read"}},
		"990002": {[]int{0}, 1, []string{"sent"}},
		"990003": {[]int{0}, 1, []string{"sent", "sent", "delivered", "delivered", "read", "read"}},
		"990004": {[]int{0}, 1, []string{"read", "delivered", "sent"}},
		"990005": {[]int{0}, 1, nil},
		"990006": {[]int{0}, 1, usual},
		"990007": {[]int{0}, 1, []string{"failed 132015"}},
		"990008": {[]int{0}, 1, []string{"failed 131000", "delivered"}},
		"990011": {[]int{0}, 1, []string{"sent", "delivered", "text STOP"}},
		"990012": {[]int{0}, 1, []string{"sent", "delivered", "button stop:42"}},
		"990013": {[]int{0}, 1, []string{"sent", "delivered", "preference stop"}},
		"990014": {[]int{0}, 1, []string{"sent", "delivered", "button stop:42"}},
		"990015": {[]int{0}, 1, []string{"sent", "delivered", "text Grazie, a sabato!"}},
	}
	for _, suffix := range sandbox.Suffixes() {
		row, ok := rows[suffix.Digits]
		if !ok || suffix.Description == "" || len(suffix.Digits) != 6 {
			t.Errorf("suffix %s has no row here, no description or no six digits", suffix.Digits)
			continue
		}
		delete(rows, suffix.Digits)
		t.Run(suffix.Digits, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, rec := running(t, nil)
				for i, want := range row.codes {
					if got := send(t, s, offer("+39333"+suffix.Digits)); got.code() != want {
						t.Errorf("try %d: code %d, want %d: %d %s %v", i, got.code(), want, got.status, got.raw, got.err)
					}
				}
				idle(t, s)
				if s.Count() != row.accepted || len(s.Received()) != row.accepted {
					t.Errorf("%d accepted, %d recorded, want %d", s.Count(), len(s.Received()), row.accepted)
				}
				if diff := cmp.Diff(row.told, words(rec.told(t))); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
	for digits := range rows {
		t.Errorf("suffix %s is not in the table", digits)
	}
}

func TestIgnoreSuffixes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, func(o *sandbox.Options) { o.IgnoreSuffixes = true })
		if got := send(t, s, offer("+39333130429")); got.code() != 0 {
			t.Error(got.raw)
		}
		idle(t, s)
		if diff := cmp.Diff([]string{"sent", "delivered", "read"}, words(rec.told(t))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnswersThatGoWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		for suffix, want := range map[string]struct {
			status int
			broken bool
		}{"990101": {0, true}, "990102": {0, true}, "990104": {200, false}, "990105": {500, false}, "990502": {502, false}, "990500": {500, false}, "990190": {401, false}} {
			got := send(t, s, offer("+39333"+suffix))
			if got.status != want.status || errors.Is(got.err, io.ErrUnexpectedEOF) != want.broken {
				t.Errorf("%s: %d %v", suffix, got.status, got.err)
			}
		}
		started := time.Now()
		send(t, s, offer("+39333990103"))
		if took := time.Since(started); took != 30*time.Second {
			t.Errorf("hung for %s", took)
		}
		held := send(t, s, offer("+39333990006"))
		if at(held.body, "messages", 0, "message_status") != "held_for_quality_assessment" {
			t.Error(held.raw)
		}
		idle(t, s)
		before := rec.count()
		send(t, s, offer("+39333990106"))
		if rec.count() != before+1 {
			t.Errorf("%d webhooks before the answer, want 1", rec.count()-before)
		}
	})
}

func TestHangEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := running(t, nil)
		client := &http.Client{Transport: s.Transport(), Timeout: 3 * time.Second}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, graph+"/v25.0/"+number+"/messages", strings.NewReader(offer("+39333990103")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		started := time.Now()
		if res, err := client.Do(r); err == nil {
			_ = res.Body.Close()
			t.Error("an answer came")
		}
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("the caller waited %s", took)
		}
		if s.Count() != 1 {
			t.Error("the message must exist")
		}
	})
}

func TestTapsCarryTheMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		sent := map[string]string{
			send(t, s, offer("+39333990012")).wamid(): "39333990012",
			send(t, s, offer("+39333990014")).wamid(): "",
		}
		bare := strings.Replace(offer("+39334990012"), `,{"type":"button","sub_type":"quick_reply","index":1,"parameters":[{"type":"payload","payload":"stop:42"}]}`, "", 1)
		unlabelled := send(t, s, bare).wamid()
		idle(t, s)
		taps := 0
		for _, n := range rec.told(t) {
			if n.kind != "messages" {
				continue
			}
			taps++
			wamid, _ := at(n.item, "context", "id").(string)
			if at(n.item, "button", "text") != "Stop offerte" || at(n.item, "context", "from") != "390611122233" {
				t.Errorf("tap %v", n.item)
			}
			if wamid == unlabelled {
				if at(n.item, "button", "payload") != "Stop offerte" {
					t.Errorf("without a payload the label is sent: %v", n.item)
				}
				continue
			}
			phone, known := sent[wamid]
			from, _ := n.item["from"].(string)
			shown, _ := at(n.value["contacts"], 0, "wa_id").(string)
			if !known || from != phone || shown != phone || n.item["from_user_id"] == "" {
				t.Errorf("tap on %q from %q (contact %q), want %q", wamid, from, shown, phone)
			}
		}
		if taps != 3 {
			t.Errorf("%d taps", taps)
		}
	})
}

func TestMetaStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		const phone = "+393331112223"
		last := func(body string) string {
			t.Helper()
			if got := send(t, s, body); got.code() != 0 {
				t.Fatal(got.raw)
			}
			idle(t, s)
			w := words(rec.told(t))
			return w[len(w)-1]
		}
		prefer := func(who, wish string) {
			t.Helper()
			if status, err := s.InboundPreference(t.Context(), who, wish); status != http.StatusOK || err != nil {
				t.Fatal(status, err)
			}
		}
		if got := last(offer(phone)); got != "read" {
			t.Error(got)
		}
		prefer(phone, "stop")
		if got := last(offer(phone)); got != "failed 131050" {
			t.Errorf("after the stop: %s", got)
		}
		if got := last(strings.Replace(offer("X"), `"to":"X"`, `"recipient":"`+s.UserID(phone)+`"`, 1)); got != "failed 131050" {
			t.Errorf("the same person by user id: %s", got)
		}
		utility := strings.Replace(with("order_update", body(named("first_name", "Ada"), named("order", "A-1"))), `"code":"it"`, `"code":"en"`, 1)
		if got := last(utility); got != "read" {
			t.Errorf("utility: %s", got)
		}
		prefer(s.UserID(phone), "resume")
		if got := last(offer(phone)); got != "read" {
			t.Errorf("after resume: %s", got)
		}
		last(offer("+39333990013"))
		if got := last(offer("+39333990013")); got != "failed 131050" {
			t.Errorf("second message to one who stopped: %s", got)
		}
		if _, err := s.InboundPreference(t.Context(), phone, "pause"); err == nil {
			t.Error("an unknown wish was taken")
		}
	})
}

func TestEveryNthAnswersStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, func(o *sandbox.Options) { o.OptOutEvery = 3 })
		for _, to := range []string{"+393330000001", "+393330000002", "+393330000003", "+39333131026", "+393330000004", "+393330000005", "+393330000006"} {
			send(t, s, offer(to))
		}
		idle(t, s)
		var from []string
		for _, n := range rec.told(t) {
			if n.kind == "messages" {
				phone, _ := n.item["from"].(string)
				from = append(from, phone)
			}
		}
		slices.Sort(from)
		if diff := cmp.Diff([]string{"393330000003", "393330000006"}, from); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTextNeedsAnOpenWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		const text = `{"messaging_product":"whatsapp","to":"+393331112223","type":"text","text":{"body":"Fatto: niente più messaggi."}}`
		got := send(t, s, text)
		if got.code() != 0 || at(got.body, "messages", 0, "message_status") != nil {
			t.Error(got.raw)
		}
		if _, err := s.InboundText(t.Context(), "+393331112223", "Basta"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(23 * time.Hour)
		send(t, s, text)
		time.Sleep(2 * time.Hour)
		send(t, s, text)
		idle(t, s)
		if diff := cmp.Diff([]string{"text Basta", "failed 131047", "sent", "delivered", "read", "failed 131047"}, words(rec.told(t))); diff != "" {
			t.Error(diff)
		}
		if r := s.Received()[0]; r.Text != "Fatto: niente più messaggi." || r.Template != "" {
			t.Errorf("recorded %+v", r)
		}
	})
}
