package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
)

// sql writes into the world's database behind permesso's back.
func (w *world) sql(statements ...string) {
	w.t.Helper()
	db, err := sqlx.Open("sqlite", w.path("permesso.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			w.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// findings runs verify, which must find something, and returns the kinds of what it found.
func (w *world) findings(args ...string) []string {
	w.t.Helper()
	a := w.run(append([]string{"consent", "verify", "--json"}, args...)...)
	var r verified
	if err := json.Unmarshal([]byte(a.out), &r); err != nil {
		w.t.Fatalf("verify printed %q: %v", a.out+a.err, err)
	}
	if r.Whole != (a.code == 0) || !r.Whole && (a.code != 1 || !strings.Contains(a.err, "ledger_broken")) {
		w.t.Errorf("whole is %t, and verify exits %d: %s", r.Whole, a.code, a.err)
	}
	kinds := []string{}
	for _, f := range r.Findings {
		if f.Why == "" {
			w.t.Errorf("a finding of kind %s says nothing", f.Kind)
		}
		kinds = append(kinds, string(f.Kind))
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// TestVerifyFindsTheAttacks has somebody who may write in the database, and not in state_dir, do what the ledger must show.
func TestVerifyFindsTheAttacks(t *testing.T) {
	const last, headIsLast = "(SELECT MAX(event) FROM consents)", "UPDATE consent_chains SET seq = (SELECT MAX(event) % 4294967296 FROM consents), link = (SELECT link FROM consents ORDER BY event DESC LIMIT 1)"
	for name, tt := range map[string]struct {
		attack []string
		want   []string
	}{
		"the last row deleted":                   {[]string{"DELETE FROM consents WHERE event = " + last}, []string{"truncated"}},
		"the last row deleted, and the head too": {[]string{"DELETE FROM consents WHERE event = " + last, headIsLast}, []string{"truncated"}},
		"the rows deleted":                       {[]string{"DELETE FROM consents"}, []string{"truncated"}},
		"the rows and chains deleted":            {[]string{"DELETE FROM consents", "DELETE FROM consent_chains", "DELETE FROM consent_checkpoints", "DELETE FROM wordings"}, []string{"chain_gone"}},
		"the table dropped":                      {[]string{"DROP TABLE consents"}, []string{"table_gone"}},
		"two rows swapped": {[]string{"UPDATE consents SET event = -1 WHERE event % 4294967296 = 5", "UPDATE consents SET event = event - 2 WHERE event % 4294967296 = 7",
			"UPDATE consents SET event = (SELECT MAX(event) FROM consents WHERE event % 4294967296 = 8) - 1 WHERE event = -1"}, []string{"swapped"}},
		"a row edited":     {[]string{"UPDATE consents SET at = at - 1000000 WHERE event % 4294967296 = 9"}, []string{"edited"}},
		"a refusal hidden": {[]string{"UPDATE consents SET action = 'granted' WHERE action = 'revoked'"}, []string{"edited"}},
		"cut off and chained anew": {[]string{"DELETE FROM consents WHERE event % 4294967296 > 20", "UPDATE consents SET source = 'paper', link = randomblob(32) WHERE event % 4294967296 > 10", headIsLast},
			[]string{"edited", "truncated"}},
		"a text edited": {[]string{"UPDATE wordings SET text = 'Yes to everything'"}, []string{"wording_edited"}},
		"a row slipped in": {[]string{`INSERT INTO consents (person_id, category, at, event_id, action, source, recorded_at) SELECT person_id, 'offers', at, randomblob(16), 'granted', source, recorded_at
			FROM consents LIMIT 1`}, []string{"unchained"}},
		"evidence made to look erased": {[]string{"UPDATE consents SET evidence = '', salt = NULL, personal = randomblob(32) WHERE evidence <> ''"}, []string{"edited", "erasure_unrecorded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := filled(t)
			if got := w.findings(); len(got) > 0 {
				t.Fatalf("before: %q", got)
			}
			w.sql(tt.attack...)
			if got := w.findings(); !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

func TestVerifyFindsWhatHappenedToItsFiles(t *testing.T) {
	w := filled(t)
	w.must("consent", "revoke", phoneOf(20), "offers")
	path := filepath.Join(w.dir, ".permesso", "consent.checkpoints")
	whole, err := os.ReadFile(path)
	if err != nil || strings.Count(string(whole), "\n") != 2 {
		t.Fatalf("an import and a verb left %q, %v", whole, err)
	}
	copied := w.write("copy", string(whole))
	first, second, _ := strings.Cut(string(whole), "\n")
	for name, tt := range map[string]struct{ content, want string }{
		"shortened":       {first + "\n", "checkpoints_shortened"},
		"its first taken": {second, "checkpoint_edited"},
		"edited":          {strings.Replace(string(whole), `"n":1`, `"n": 1`, 1), "checkpoint_edited"},
		"torn at its end": {string(whole) + "AAAA", ""},
	} {
		w.write(".permesso/consent.checkpoints", tt.content)
		if got := strings.Join(w.findings(), " "); got != tt.want {
			t.Errorf("%s: found %q, want %q", name, got, tt.want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := w.findings(); !slices.Equal(got, []string{"checkpoints_missing"}) {
		t.Errorf("removed: found %q", got)
	}
	// What is recorded now gets no checkpoint that would make good what is missing.
	if a := w.run("consent", "revoke", phoneOf(21), "offers"); a.code != 0 || !strings.Contains(a.err, "no checkpoint of them was written") {
		t.Errorf("exit %d: %s", a.code, a.err)
	}
	if got := w.findings("--checkpoints", copied); len(got) > 0 {
		t.Errorf("by a copy: found %q", got)
	}
	if a := w.run("consent", "verify", "--checkpoints", w.path("nothing")); a.code != 2 {
		t.Errorf("by a file that is not there: exit %d", a.code)
	}
	w.must("consent", "verify", "--accept", "the disk was lost")
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "the disk was lost, by ada") {
		t.Errorf("the acceptance is not in a checkpoint: %q, %v", text, err)
	}

	if err := os.Rename(w.path(".permesso/consent.key"), w.path("consent.key")); err != nil {
		t.Fatal(err)
	}
	if got := w.findings(); !slices.Contains(got, "unknown_key") {
		t.Errorf("without the key: found %q", got)
	}
	w.must("consent", "revoke", phoneOf(22), "offers") // makes a key of its own
	key, err := os.ReadFile(w.path("consent.key"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(w.path(".permesso/consent.key"))
	if err != nil {
		t.Fatal(err)
	}
	w.write(".permesso/consent.key", string(own)+string(key)) // as of another machine
	if a := w.run("consent", "verify"); a.code != 0 {
		t.Errorf("with both keys: exit %d\n%s", a.code, a.out)
	}
}

// TestVerifyExplainsARestoredBackup puts an older database under a state_dir that has seen more of it.
func TestVerifyExplainsARestoredBackup(t *testing.T) {
	w := filled(t)
	w.must("run", "order-ready")
	older, err := os.ReadFile(w.path("permesso.db"))
	if err != nil {
		t.Fatal(err)
	}
	w.must("suppress", "add", phoneOf(30))
	w.must("consent", "revoke", phoneOf(20), "offers")
	w.must("consent", "revoke", phoneOf(21), "offers")
	for _, gone := range []string{"-wal", "-shm"} {
		_ = os.Remove(w.path("permesso.db" + gone)) // there may be none
	}
	w.write("permesso.db", string(older))

	if got := w.findings(); !slices.Equal(got, []string{"database_older"}) {
		t.Errorf("found %q", got)
	}
	a := w.run("consent", "verify")
	if a.code != 1 || !strings.Contains(a.out, "a backup was put back, and 2 events of then are not in it") {
		t.Errorf("exit %d: %s", a.code, a.out)
	}
	w.must("consent", "revoke", phoneOf(22), "offers") // the chain goes on from the backup
	w.must("resume", "--after-restore", "--yes")
	w.must("consent", "revoke", phoneOf(23), "offers")
	if out := w.must("consent", "verify"); !strings.Contains(out, "whole and unaltered") || !strings.Contains(out, "backup was put back") {
		t.Errorf("after it was accepted: %s", out)
	}
	w.sql("UPDATE consents SET source = 'paper' WHERE event % 4294967296 = 3")
	if got := w.findings(); !slices.Equal(got, []string{"edited"}) {
		t.Errorf("an edit after it was accepted: found %q", got)
	}
}

func TestConsentExport(t *testing.T) {
	w := filled(t)
	w.must("consent", "grant", phoneOf(20), "offers", "--source", "paper", "--wording", `<script>alert("Libreria Aurora")</script>`, "--language", "it", "--evidence", `form "7" & <b>`)
	w.must("run", "weekend-offer")
	decode := func(text string) {
		t.Helper()
		var form struct {
			Events   []map[string]any
			Messages []map[string]any
		}
		if err := json.Unmarshal([]byte(text), &form); err != nil || len(form.Events) != 3 || len(form.Messages) != 1 {
			t.Fatalf("%v, %d events, %d messages: %s", err, len(form.Events), len(form.Messages), text)
		}
		granted := form.Events[2]
		if form.Messages[0]["consent_event"] != granted["event"] || granted["event"] == "" {
			t.Errorf("the message relied on %v, want %v", form.Messages[0]["consent_event"], granted["event"])
		}
		if granted["intact"] != "yes" || granted["sealed_by"] == nil || granted["language"] != "it" || granted["business"] != "Libreria Aurora" || granted["wording_sha256"] == "" {
			t.Errorf("the event is %v", granted)
		}
	}
	decode(w.must("consent", "export", phoneOf(20)))
	w.must("consent", "export", phoneOf(20), "--out", w.path("proof.json"), "--json")
	text, err := os.ReadFile(w.path("proof.json"))
	if err != nil {
		t.Fatal(err)
	}
	decode(string(text))

	page := w.must("consent", "export", phoneOf(20), "--format", "html")
	for _, want := range []string{"&lt;script&gt;alert(&#34;Libreria Aurora&#34;)", "form &#34;7&#34; &amp; &lt;b&gt;", "weekend-offer", "may be written to", phoneOf(20)[1:]} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "<b>", "src=", "http://", "https://"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	w.sql("UPDATE consents SET evidence = 'form-8' WHERE evidence LIKE 'form \"7%'")
	if page := w.must("consent", "export", phoneOf(20), "--format", "html"); !strings.Contains(page, "does not fit its link") {
		t.Error("the page says nothing of an edited event")
	}
	if a := w.run("consent", "export", phoneOf(20), "--format", "pdf"); a.code != 2 {
		t.Errorf("another format: exit %d", a.code)
	}
}

func TestConsentShowAtAMoment(t *testing.T) {
	w := filled(t)
	state := func(list any) map[string]any {
		states := map[string]any{}
		for _, stand := range list.([]any) {
			states[stand.(map[string]any)["category"].(string)] = stand.(map[string]any)["state"]
		}
		return states
	}
	for at, want := range map[string]any{"2026-01-01": nil, "2026-01-03": "granted", "2026-02-03": "revoked", "2030-01-01": "revoked"} {
		shown := w.object("consent", "show", phoneOf(1), "--at", at)
		if got := state(shown["stands"])["offers"]; got != want {
			t.Errorf("on %s: %v, want %v", at, got, want)
		}
		if known := state(shown["on_record"]); at < "2026-06" && len(known) > 0 {
			t.Errorf("on %s, before the import, %v was on record", at, known)
		}
		if len(shown["events"].([]any)) != 3 {
			t.Errorf("on %s: %v", at, shown["events"])
		}
	}
	if out := w.must("consent", "show", phoneOf(1), "--at", "2026-01-03"); !strings.Contains(out, "offers: consent, granted") || !strings.Contains(out, "By what was on record then") {
		t.Errorf("it says %s", out)
	}
	w.edit("offers: {kind: marketing,", "offers: {kind: marketing, consent_expires_after: 30d,")
	if shown := w.object("consent", "show", phoneOf(10), "--at", "2026-03-01"); state(shown["stands"])["offers"] != "expired" {
		t.Errorf("after 30 days it stands as %v", shown["stands"])
	}
}
