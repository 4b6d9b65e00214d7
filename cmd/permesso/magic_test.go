package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/sandbox"
)

// outcomes are what the log says in the end of people whose numbers have an ending of the sandbox's: state, and code of the error.
var outcomes = map[string]string{
	"130472": "failed 130472", "130497": "failed 130497", "131000": "failed 131000", "131026": "failed 131026",
	"131049": "failed 131049", "131050": "failed 131050", "130429": "read", "990502": "unknown", "990101": "read", "990102": "unknown",
	"990104": "read", "990105": "read", "990106": "read", "990001": "read", "990002": "sent", "990003": "read", "990004": "read", "990005": "accepted",
	"990006": "read", "990008": "delivered", "990011": "delivered", "990012": "delivered", "990013": "delivered",
	"990014": "delivered", "990015": "delivered",
}

// slow are the endings whose outcome takes longer than a test may: sandbox.TestSuffixes has them in a time of its own.
var slow = map[string]string{"131056": "waits 4 s, then 16 s", "990103": "answers after 30 s", "990500": "is tried again after 2 s, 8 s and 32 s"}

// pausing are the endings that stand for what would meet everybody, and the breaker that they open. Each has a test of its own.
var pausing = map[string]string{"131042": "account", "990007": "template weekend_offer", "990190": "token"}

// stopsThen are the endings after which the person has a stop, and its scope.
var stopsThen = map[string]string{"131050": "kind:marketing", "990011": "all", "990012": "kind:marketing", "990013": "kind:marketing", "990014": "kind:marketing"}

var magicLine = regexp.MustCompile(`(?m)^  ([0-9]{6})  (\S.*)$`)

// Whoever tries the sandbox out finds each ending in its help, and in the log what the help says.
func TestMagicNumbersDoWhatTheHelpSays(t *testing.T) {
	w := newWorld(t)
	listed := map[string]string{}
	for _, line := range magicLine.FindAllStringSubmatch(w.must("sandbox", "--help"), -1) {
		listed[line[1]] = line[2]
	}
	for _, suffix := range sandbox.Suffixes() {
		if listed[suffix.Digits] != suffix.Description || suffix.Description == "" {
			t.Errorf("the help says of %s: %q, want %q", suffix.Digits, listed[suffix.Digits], suffix.Description)
		}
		delete(listed, suffix.Digits)
		if outcomes[suffix.Digits] == "" && slow[suffix.Digits] == "" && pausing[suffix.Digits] == "" {
			t.Errorf("%s has no outcome here", suffix.Digits)
		}
	}
	if len(listed) > 0 {
		t.Errorf("the help lists what the sandbox does not know: %v", listed)
	}

	contacts, consents := "phone,points,coupon\n", "phone,category,action,at,source,wording\n"
	phone := func(digits string) string { return "+393471" + digits }
	for digits := range outcomes {
		contacts += phone(digits) + ",50,c\n"
		consents += phone(digits) + ",offers,granted,2026-01-02T10:00:00Z,web_form,Libreria Aurora\n"
	}
	w.must("contacts", "import", w.write("magic.csv", contacts))
	w.must("consent", "import", w.write("agreed.csv", consents))
	run := w.object("run", "weekend-offer")["run"].(string)
	for _, line := range w.lines("log", "--run", run) {
		digits := strings.TrimPrefix(line["phone"].(string), "+393471")
		got := line["state"].(string)
		if failure, ok := line["error"].(map[string]any); ok {
			got += fmt.Sprintf(" %.0f", failure["code"])
		}
		if got != outcomes[digits] {
			t.Errorf("%s: %s, want %s", digits, got, outcomes[digits])
		}
	}
	for digits := range outcomes {
		e := w.object("explain", "weekend-offer", phone(digits))
		refused := ""
		for _, rule := range e["rules"].([]any) {
			if r := rule.(map[string]any); r["rule"] == "suppressed" {
				refused = r["reason"].(string)
			}
		}
		if (refused == "suppressed") != (stopsThen[digits] != "") {
			t.Errorf("%s: suppressed: %q, want a stop %q", digits, refused, stopsThen[digits])
		}
	}
	scopes := map[string]string{}
	for _, line := range w.lines("suppress", "list") {
		scopes[strings.TrimPrefix(line["phone"].(string), "+393471")] = line["scope"].(string)
	}
	for digits, scope := range stopsThen {
		if scopes[digits] != scope {
			t.Errorf("%s: the stop's scope is %q, want %q", digits, scopes[digits], scope)
		}
	}
}

// What Meta says of one message, and would of everybody's, holds back all that it stands before.
func TestMagicNumbersThatPause(t *testing.T) {
	for digits, breaker := range pausing {
		t.Run(digits, func(t *testing.T) {
			w := newWorld(t)
			w.must("contacts", "import", w.write("magic.csv", "phone,points,coupon\n+393471"+digits+",50,c\n"))
			w.must("consent", "import", w.write("agreed.csv", "phone,category,action,at,source,wording\n+393471"+digits+",offers,granted,2026-01-02T10:00:00Z,web_form,Libreria Aurora\n"))
			w.run("run", "weekend-offer") // it may be done before the webhook comes
			if list := w.must("runs", "list"); !strings.Contains(list, ": "+breaker+": Meta answered") {
				t.Errorf("nothing says that %s is held back:\n%s", breaker, list)
			}
		})
	}
}

// A token that Meta refuses pauses the run: nobody's fault, and nobody's attempt.
func TestMagicNumberOfARefusedToken(t *testing.T) {
	w := newWorld(t)
	w.withStranger("+393471990190")
	a := w.run("run", "order-ready", "--json")
	if a.code != 4 || !strings.Contains(a.err, "190") {
		t.Errorf("exit %d: %s", a.code, a.err)
	}
	if line := w.object("log"); line["state"] != "queued" || line["attempts"] != 0.0 {
		t.Errorf("the log says %v", line)
	}
}
