package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/store"
)

func TestExitCodes(t *testing.T) {
	w := filled(t)
	broken := newWorld(t)
	broken.edit("version: 1", "version: 1\nvershun: 2\nbusines: x")
	dry := newWorld(t)
	dry.edit("version: 1", "version: 1\ndry_run: true")
	half := w.write("half.csv", "name,language\nAnn,it\n")
	bad := w.write("bad.csv", "phone,name\n+39347,Ann\n+393471199999,Bob\n")
	for _, tt := range []struct {
		w    *world
		args string
		code int
		want string // part of what is said
	}{
		{w, "", 0, "Usage:"},
		{w, "version", 0, "permesso "},
		{w, "--help", 0, "explain"},
		{w, "completion bash", 0, "bash completion"},
		{w, "check", 0, "4 campaigns, 2 categories, 1 number"},
		{w, "contacts import " + half, 1, "phone"},
		{w, "runs show nope", 1, "`permesso runs list`"},
		{w, "contacts show +393471234567", 1, "no contact"},
		{w, "suppress remove +393471234567 --reason x", 1, "nothing was lifted"},
		{w, "init", 1, "--force"},
		{w, "nope", 2, `no verb "nope"`},
		{w, "nope --help", 2, `no verb "nope"`},
		{w, "help nope", 2, `no verb "nope"`},
		{w, "help plan", 0, "--next"},
		{w, "doctor", 2, "`permesso doctor`, a look at the whole installation, is not in this version"},
		{w, "doctor --help", 2, "`permesso doctor`, a look at the whole installation, is not in this version"},
		{w, "doctor of database --help", 2, "`permesso doctor`, a look at the whole installation, is not in this version"},
		{w, "help doctor", 2, "`permesso doctor`, a look at the whole installation, is not in this version"},
		{w, "ceck", 2, "did you mean `permesso check`"},
		{w, "contacts", 2, "wants a verb: erase, export, import, imports, link, show"},
		{w, "contacts imprt x", 2, "did you mean `permesso contacts import`"},
		{w, "plan --fish", 2, "unknown flag: --fish"},
		{w, "run", 2, "CAMPAIGN is missing"},
		{w, "run weekend-offer more", 2, `"more" is one argument too many`},
		{w, "plan a b", 2, "one argument too many"},
		{w, "plan weekend-ofer", 2, `did you mean "weekend-offer"?`},
		{w, "plan zzzzzzzzzz", 2, "order-ready"},
		{w, "run zzzzzzzzzz", 2, "there is no campaign"},
		{w, "explain zzzzzzzzzz +393471234567", 2, "there is no campaign"},
		{w, "explain weekend-offer fish", 2, "PHONE: the phone number contains letters"},
		{w, "plan --at yesterday", 2, "is no time"},
		{w, "plan --at 2027-03-28T02:30", 2, "skip this time"},
		{w, "plan --at 2027-10-31T02:30", 2, "twice"},
		{w, "plan --next soon", 2, "no span of time"},
		{w, "plan --next -3d", 2, "no span of time"},
		{w, "log --state delivred", 2, `did you mean "delivered"?`},
		{w, "log --reason nope", 2, "is no reason"},
		{w, "log --since whenever", 2, "neither a time"},
		{w, "log --limit -1", 2, "--limit"},
		{w, "log --campaign zzzzzzzzzz", 2, "there is no campaign"},
		{w, "runs list --state zzz", 2, "no state of a run"},
		{w, "report --csv --json", 2, "choose one"},
		{w, "serve --only cook", 2, `no role "cook"`},
		{w, "suppress add +393471234567 --scope category:ofers", 2, `did you mean "offers"?`},
		{w, "suppress add +393471234567 --scope some", 2, "--scope"},
		{w, "suppress remove +393471234567", 2, "--reason is missing"},
		{w, "consent grant +393471234567 offers --wording x", 2, "--source is missing"},
		{w, "consent grant +393471234567 offers --source web_form", 2, "--wording is missing"},
		{w, "consent grant +393471234567 offers --source wb_form --wording x", 2, `did you mean "web_form"?`},
		{w, "consent grant +393471234567 gifts --source web_form --wording x", 2, "no category"},
		{w, "consent revoke +393471234567 offers --at 2099-01-01", 2, "in the future"},
		{w, "templates show weekend_offer it --preview +393471234567", 2, "belong together"},
		{w, "contacts import " + w.path("none.csv"), 2, "there is no file"},
		{w, "contacts import " + w.dir, 2, "is a folder"},
		{dry, "run weekend-offer --test --at 2026-13-01", 2, "is no time"},
		{broken, "check", 3, "2 mistakes in the configuration; nothing was done [invalid_configuration]"},
		{broken, "plan", 3, `did you mean "business"`},
		{w, "contacts import --strict " + bad, 4, "1 of 2 rows were rejected [rows_rejected]"},
		{dry, "run weekend-offer", 4, "dry_run is true"},
		{w, "run later-offer", 4, "permesso serve"},
		{w, "run winter", 5, "only APPROVED is sent [template_not_approved]"},
		{w, "check --online", 5, "winter_preview"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			a := tt.w.run(strings.Fields(tt.args)...)
			if a.code != tt.code {
				t.Errorf("exit %d, want %d\n%s%s", a.code, tt.code, a.out, a.err)
			}
			if !strings.Contains(a.out+a.err, tt.want) {
				t.Errorf("says nothing of %q:\n%s%s", tt.want, a.out, a.err)
			}
			if strings.Contains(a.out+a.err, "token-of-tests") || strings.Contains(a.out+a.err, "secret-of-tests") {
				t.Errorf("a secret is shown:\n%s%s", a.out, a.err)
			}
			if tt.code != 0 && a.err == "" {
				t.Error("stderr says nothing")
			}
		})
	}
	if code := exitCode(fmt.Errorf("opening: %w", store.ErrNotMigrated)); code != 1 || !strings.Contains(store.ErrNotMigrated.Error(), "`permesso migrate`") {
		t.Errorf("a database that wants migrations: exit %d, %v", code, store.ErrNotMigrated)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if a := w.runContext(ctx, "contacts", "import", w.path("contacts.csv")); a.code != 4 || !strings.HasSuffix(a.err, "interrupted after 0 rows; importing the file again does no harm [interrupted]\n") {
		t.Errorf("an interrupted import: exit %d, %s", a.code, a.err)
	}
	if code := exitCode(errors.Join(app.ErrNoTestPhones)); code != 2 {
		t.Errorf("a test without phones: exit %d", code)
	}
}

func TestWithoutAConfiguration(t *testing.T) {
	w := newWorld(t)
	if err := os.Remove(w.path("config.yaml")); err != nil {
		t.Fatal(err)
	}
	a := w.run("plan")
	if a.code != 3 || !strings.Contains(a.err, "`permesso init` writes one, --config names another [configuration_missing]\n") || strings.Count(a.err, "\n") != 1 {
		t.Errorf("exit %d: %s", a.code, a.err)
	}
	w.must("init", "--name", "Bottega Blu")
	w.must("check")
	if a := w.run("init", "--force", "--country", "Italy"); a.code != 2 {
		t.Errorf("a wrong country: exit %d, %s", a.code, a.err)
	}
	if text, _ := os.ReadFile(w.path("config.yaml")); !strings.Contains(string(text), "Bottega Blu") {
		t.Error("a refused init replaced the file")
	}
}

func TestImportsTwice(t *testing.T) {
	w := newWorld(t)
	for _, file := range []struct {
		verb, name string
		rows       float64
	}{{"contacts", "contacts.csv", people}, {"consent", "consents.csv", consented + revoked + people}, {"suppress", "stops.csv", 2}} {
		w.write("stops.csv", fmt.Sprintf("phone,reason,at,source,scope\n%s,asked,2026-03-01T10:00:00Z,shop,\n%s,asked,2026-03-01T10:00:00Z,shop,category:offers\n", phoneOf(1), phoneOf(2)))
		first := w.object(file.verb, "import", w.path(file.name))
		again := w.object(file.verb, "import", w.path(file.name))
		for _, key := range []string{"rows", "added", "changed", "unchanged", "rejected", "by_reason", "rejected_file"} {
			if _, there := first[key]; !there {
				t.Errorf("%s: no %s in %v", file.name, key, first)
			}
		}
		if first["added"] != file.rows || again["added"] != 0.0 || again["changed"] != 0.0 || again["unchanged"] != file.rows {
			t.Errorf("%s: %v, then %v", file.name, first, again)
		}
	}
	exported := w.must("contacts", "export")
	w.write("exported.csv", exported)
	if again := w.object("contacts", "import", w.path("exported.csv")); again["unchanged"] != float64(people) {
		t.Errorf("an export is not what import reads: %v", again)
	}
	if n := len(w.lines("contacts", "export")); n != people {
		t.Errorf("%d contacts exported as JSON", n)
	}
}

func TestRejectedRowsAreExplainedAndKept(t *testing.T) {
	w := newWorld(t)
	var text strings.Builder
	text.WriteString("phone,name\n+393471000777,Good\n")
	for range 12 {
		text.WriteString("abc,Bad\n")
	}
	path := w.write("mixed.csv", text.String())
	out := w.must("contacts", "import", path)
	for _, part := range []string{"1 added", "12 rejected", "letters", "phone_letters", "and 2 more", "mixed.csv.rejected.csv"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
	if strings.Contains(out, "Bad") {
		t.Error("a name is shown that no reader needs")
	}
	if _, err := os.Stat(path + ".rejected.csv"); err != nil {
		t.Error(err)
	}
}

func TestPlanNextOpensNothing(t *testing.T) {
	w := newWorld(t)
	w.edit("base_url: http://", "base_url: http://127.0.0.1:1/") // nobody answers there
	fires := w.lines("plan", "--next", "15d", "--at", "2027-03-20T00:00:00+01:00")
	if len(fires) != 2 {
		t.Fatalf("%d fires, want 2: %v", len(fires), fires)
	}
	want := map[string]any{"campaign": "weekend-offer", "fire_at": "2027-04-02T18:00:00+02:00", "local": "2027-04-02T18:00"}
	if !maps.Equal(fires[1], want) {
		t.Errorf("got %v, want %v", fires[1], want)
	}
	if _, err := os.Stat(w.path("permesso.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the database was opened: %v", err)
	}
	if a := w.run("plan", "order-ready", "--next", "30d"); a.code != 0 || !strings.Contains(a.out, "Nothing fires") {
		t.Errorf("a campaign without a schedule: %d %s", a.code, a.out)
	}
	w.edit(`cron: "0 18 * * FRI"`, `cron: "30 2 * * SUN"`)
	if fires := w.lines("plan", "weekend-offer", "--next", "3d", "--at", "2027-03-27"); len(fires) != 1 || fires[0]["note"] != "dst_gap" {
		t.Errorf("a time that the clocks skip: %v", fires)
	}
}

func TestEndToEnd(t *testing.T) {
	w := filled(t)
	if synced := w.object("templates", "sync"); synced["templates"] != 4.0 || synced["approved"] != 3.0 {
		t.Errorf("sync: %v", synced)
	}
	w.must("suppress", "add", phoneOf(12), "--reason", "asked in the shop")
	plan := w.object("plan", "weekend-offer")
	if !slices.Equal(slices.Sorted(maps.Keys(plan)), []string{"allowed", "at", "campaign", "deferred", "denied", "filter", "finish_at", "hash", "holdout", "matched", "sample"}) {
		t.Errorf("plan's fields: %v", slices.Sorted(maps.Keys(plan)))
	}
	if fmt.Sprint(plan["matched"], plan["allowed"], plan["denied"]) != "40 29 map[no_consent:10 suppressed:1]" {
		t.Errorf("plan: %v", plan)
	}
	if plans := w.lines("plan"); len(plans) != 4 {
		t.Errorf("plan of everything: %d lines", len(plans))
	}

	report := w.object("run", "weekend-offer")
	for _, key := range []string{"run", "campaign", "fire_at", "started_at", "finished_at", "states", "reasons", "opted_out", "replied", "rate"} {
		if _, there := report[key]; !there {
			t.Errorf("no %s in %v", key, report)
		}
	}
	if fmt.Sprint(report["reasons"]) != "map[no_consent:10 suppressed:1]" || w.meta.Count() != 29 {
		t.Errorf("the run: %v, %d sent", report, w.meta.Count())
	}
	for _, m := range w.meta.Received() {
		if m.Template != "weekend_offer" || m.Language != "it" || m.WaID == strings.TrimPrefix(phoneOf(12), "+") {
			t.Errorf("a wrong message: %s %s", m.Template, m.Language)
		}
	}

	second := w.object("run", "weekend-offer")
	if fmt.Sprint(second["reasons"]) != "map[frequency_cap:29 no_consent:10 suppressed:1]" || w.meta.Count() != 29 {
		t.Errorf("the second run: %v, %d sent", second, w.meta.Count())
	}

	id := report["run"].(string)
	lines := w.lines("log", "--run", id)
	if len(lines) != 40 {
		t.Errorf("%d lines in the log of the run", len(lines))
	}
	for _, key := range []string{"run", "campaign", "phone", "user_id", "template", "language", "category", "state", "reason", "attempts", "wamid", "test", "queued_at"} {
		if _, there := lines[0][key]; !there {
			t.Errorf("no %s in %v", key, lines[0])
		}
	}
	if out := w.must("log", "--phone", phoneOf(12)); strings.Count(out, "asked not to be written to") != 2 {
		t.Errorf("the log of a suppressed person:\n%s", out)
	}
	if shown := w.object("report", "--run", id); fmt.Sprint(shown["reasons"]) != fmt.Sprint(report["reasons"]) {
		t.Errorf("report says %v", shown)
	}
	if all := w.lines("report"); len(all) != 2 || all[1]["run"] != id {
		t.Errorf("report of everything: %v", all)
	}
	if shown := w.object("runs", "show", id); shown["state"] != "done" || shown["plan"] == nil {
		t.Errorf("runs show: %v", shown)
	}

	explained := w.object("explain", "weekend-offer", phoneOf(20))
	if !slices.Equal(slices.Sorted(maps.Keys(explained)), []string{"reason", "rules", "verdict"}) || explained["reason"] != "frequency_cap" {
		t.Errorf("explain: %v %v", slices.Sorted(maps.Keys(explained)), explained["reason"])
	}
}

// What explain says of one person is what the plan counted of everybody.
func TestExplainAgreesWithThePlan(t *testing.T) {
	w := filled(t)
	w.must("suppress", "add", phoneOf(15), "--scope", "category:orders")
	w.must("contacts", "import", w.write("extra.csv", fmt.Sprintf("phone,points\n%s,11\n", phoneOf(60)))) // without a coupon
	w.must("consent", "grant", phoneOf(60), "offers", "--source", "in_store", "--wording", "Libreria Aurora may write")
	plan := w.object("plan", "weekend-offer")
	counted := map[string]float64{}
	for i := range people + 11 {
		e := w.object("explain", "weekend-offer", phoneOf(i))
		key := e["verdict"].(string)
		if key != "allow" {
			key = e["reason"].(string)
		}
		counted[key]++
		first := ""
		for _, r := range e["rules"].([]any) {
			rule := r.(map[string]any)
			if !slices.Equal(slices.Sorted(maps.Keys(rule)), []string{"because", "reason", "rule", "verdict"}) {
				t.Fatalf("a rule's fields: %v", rule)
			}
			if first == "" {
				first = rule["reason"].(string)
			}
		}
		if first != e["reason"] {
			t.Errorf("person %d: the first refusal is %s, the reason %s", i, first, e["reason"])
		}
	}
	if counted["unknown_contact"] != 10 || counted["not_in_audience"] != 10 {
		t.Errorf("explain counted %v", counted)
	}
	delete(counted, "unknown_contact")
	delete(counted, "not_in_audience")
	want := map[string]float64{"allow": plan["allowed"].(float64)}
	for reason, n := range plan["denied"].(map[string]any) {
		want[reason] = n.(float64)
	}
	if !maps.Equal(counted, want) || want["missing_parameter"] != 1 {
		t.Errorf("explain counted %v, the plan %v", counted, want)
	}
	later := w.object("explain", "later-offer", phoneOf(3))
	if later["verdict"] != "defer" || later["reason"] != "window" || later["until"] == nil {
		t.Errorf("a window that is not open yet: %v", later["verdict"])
	}
	if out := w.must("explain", "later-offer", phoneOf(15)); !strings.Contains(out, "✗  suppressed") || !strings.Contains(out, "…  window") || !strings.Contains(out, "✓  country") {
		t.Errorf("explain for people:\n%s", out)
	}
}

func TestTerminalOutput(t *testing.T) {
	w := filled(t)
	w.must("templates", "sync")
	on := func(env map[string]string, args ...string) string {
		var out bytes.Buffer
		s := newSession(strings.NewReader(""), &out, io.Discard, func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok || env[name] != ""
		})
		s.terminal, s.colour = true, env["NO_COLOR"] == ""
		if code := s.run(t.Context(), append(args, "--config", w.path("config.yaml"))); code != 0 {
			t.Fatalf("exit %d: %s", code, out.String())
		}
		return out.String()
	}
	plainEnv := maps.Clone(w.env)
	plainEnv["NO_COLOR"] = "1"
	if out := on(w.env, "explain", "weekend-offer", phoneOf(20)); !strings.Contains(out, green) {
		t.Error("no colour on a terminal")
	}
	if out := on(plainEnv, "explain", "weekend-offer", phoneOf(20)); strings.Contains(out, "\x1b[3") {
		t.Error("NO_COLOR is not honoured")
	}
	if out := on(plainEnv, "run", "weekend-offer"); !strings.Contains(out, "%") || !strings.Contains(out, "\r") {
		t.Errorf("no progress bar on a terminal:\n%q", out)
	}
	stops := w.write("stops.csv", "phone,at\n+393471000045,2026-03-01T10:00:00Z\n")
	for _, args := range [][]string{{"contacts", "import", w.path("contacts.csv")}, {"consent", "import", w.path("consents.csv")}, {"suppress", "import", stops}} {
		if out := on(plainEnv, args...); !strings.Contains(out, "%") || !strings.Contains(out, "\r") {
			t.Errorf("%v: no progress bar on a terminal:\n%q", args, out)
		}
		if out := w.must(args...); strings.ContainsAny(out, "\r\x1b%") {
			t.Errorf("%v: a bar without a terminal:\n%q", args, out)
		}
		if out := on(plainEnv, append(args, "--json")...); strings.Contains(out, "\r") {
			t.Errorf("%v: a bar amid the JSON:\n%q", args, out)
		}
	}
	if out := on(plainEnv, "run", "weekend-offer", "--quiet"); strings.Contains(out, "\r") {
		t.Errorf("a progress bar though quiet:\n%q", out)
	}
	if out := w.must("run", "weekend-offer"); strings.ContainsAny(out, "\r\x1b") {
		t.Errorf("a bar or colours without a terminal:\n%q", out)
	}
}
