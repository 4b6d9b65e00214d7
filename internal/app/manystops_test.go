package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

// saidAt is a message of Meta's messages[].
func saidAt(from phone.Number, id string, at time.Time, text string) string {
	return fmt.Sprintf(`{"from":%q,"id":"wamid.%s","timestamp":"%d","type":"text","text":{"body":%q}}`, strings.TrimPrefix(string(from), "+"), id, at.Unix(), text)
}

// told is a body with messages.
func told(messages ...string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"500600700800","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",` +
		`"metadata":{"phone_number_id":"111222333444"},"messages":[` + strings.Join(messages, ",") + `]}}]}]}`
}

// stopped are the numbers whose stop of everything is in force.
func stopped(t *testing.T, a *App) map[phone.Number]bool {
	t.Helper()
	all := map[phone.Number]bool{}
	for s, err := range a.Store.Suppressions(t.Context(), true) {
		if err != nil {
			t.Fatal(err)
		}
		all[phone.Number(s.Phone)] = s.Scope == policy.ScopeAll
	}
	return all
}

// Every stop of one body of 3 MiB is in force when it is answered, nobody else is stopped by it, and the journal has them all.
func TestEveryStopOfALargeBodyHolds(t *testing.T) {
	t.Parallel()
	a, base := peoplesApp(t)
	const size, people = 3 << 20, 1000
	var messages []string
	want := map[phone.Number]bool{}
	for i := range people {
		number, text := phone.Number(fmt.Sprintf("+39347%07d", i)), "STOP"
		if i%10 == 3 {
			text = "Grazie, a sabato!"
		} else {
			want[number] = true
		}
		message := saidAt(number, fmt.Sprint(i), time.Now(), text)
		// What Meta adds tomorrow, and permesso does not read, makes it large.
		messages = append(messages, message[:len(message)-1]+`,"tomorrow":"`+strings.Repeat("x", size/people-len(message)-12)+`"}`)
	}
	body := told(messages...)
	if len(body) < size-people || len(body) > 4<<20 {
		t.Fatalf("the body is of %d bytes", len(body))
	}
	if status := metaPosts(t, base, body); status != http.StatusOK {
		t.Fatalf("it is answered %d", status)
	}
	got := stopped(t, a)
	for number := range want {
		if !got[number] {
			t.Fatalf("of %d stops %d are in force, and one that was in the body is not", len(want), len(got))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d people are stopped, want the %d who asked for it", len(got), len(want))
	}
	through, err := a.home.journal.Through()
	last, dbErr := a.Store.LastStopChange(t.Context())
	if err != nil || dbErr != nil || through < last {
		t.Errorf("the journal goes to %d, the database to %d: %v %v", through, last, err, dbErr)
	}
}

// What a person said last holds, whatever comes last: an old START lifts no later STOP, and a STOP that Meta repeats after a START,
// in the same body or another, does not stop again.
func TestWhatWasSaidLastHolds(t *testing.T) {
	t.Parallel()
	a, base := peoplesApp(t)
	const number, other = phone.Number("+393471234567"), phone.Number("+393471234568")
	began := time.Now().Add(-time.Minute)
	stop, later := saidAt(number, "stop", began.Add(10*time.Second), "STOP"), saidAt(number, "later", began.Add(20*time.Second), "START")
	for _, step := range []struct {
		what, body string
		holds      bool
	}{
		{"a stop", told(stop), true},
		{"a START from before it", told(saidAt(number, "old", began, "START")), true},
		{"a START from after it", told(later), false},
		{"the same body again", told(stop), false},
		{"the same stop in another body", told(saidAt(other, "hello", began.Add(30*time.Second), "Ciao"), stop), false},
		{"the old START once more", told(saidAt(number, "old", began, "START")), false},
		{"another stop", told(saidAt(number, "again", began.Add(30*time.Second), "STOP")), true},
		{"the later START again", told(later), true},
	} {
		if status := metaPosts(t, base, step.body); status != http.StatusOK {
			t.Fatalf("%s is answered %d", step.what, status)
		}
		if got := stopped(t, a)[number]; got != step.holds {
			t.Errorf("after %s the stop holds: %t, want %t", step.what, got, step.holds)
		}
	}
}
