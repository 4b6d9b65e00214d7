package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/permesso/permesso/internal/sandbox"
)

// changes says of every flag of every verb by what it is seen to change. Two lines, without and with the flag, must give
// different answers, or leave a difference that the third shows.
var changes = map[string]struct{ without, with, shown string }{
	"permesso --json":  {"plan weekend-offer", "plan weekend-offer --json", ""},
	"permesso --quiet": {"check", "check --quiet", ""},

	"permesso check --online": {"check", "check --online", ""},
	"permesso check --format": {"check", "check --format sarif", ""},

	"permesso init --name":       {"init --force", "init --force --name Bottega", "check --json; config"},
	"permesso init --country":    {"init --force", "init --force --country FR", "config"},
	"permesso init --timezone":   {"init --force", "init --force --timezone Europe/Paris", "config"},
	"permesso init --language":   {"init --force", "init --force --language pt_BR", "config"},
	"permesso init --account-id": {"init --force", "init --force --account-id 77", "config"},
	"permesso init --number-id":  {"init --force", "init --force --number-id 88", "config"},
	"permesso init --database":   {"init --force", "init --force --database sqlite:other.db", "config"},
	"permesso init --force":      {"init", "init --force", ""},

	"permesso contacts import --dry-run": {"contacts import NEW", "contacts import NEW --dry-run", "contacts export"},
	"permesso contacts import --strict":  {"contacts import BAD", "contacts import BAD --strict", ""},
	"permesso contacts import --tag":     {"contacts import NEW", "contacts import NEW --tag vip", "contacts show +393471000777"},
	"permesso contacts import --undo":    {"contacts imports", "contacts import --undo FIRST", "contacts export"},
	"permesso contacts imports --limit":  {"contacts imports", "contacts imports --limit 1", ""},
	"permesso consent import --dry-run":  {"consent import CONSENT", "consent import CONSENT --dry-run", "consent show +393471000045"},
	"permesso consent import --strict":   {"consent import BAD", "consent import BADCONSENT --strict", ""},
	"permesso suppress import --dry-run": {"suppress import STOPS", "suppress import STOPS --dry-run", "suppress list"},
	"permesso suppress import --strict":  {"suppress import BADSTOPS", "suppress import BADSTOPS --strict", ""},

	"permesso contacts export --phone":  {"contacts export", "contacts export --phone +393471000041", ""},
	"permesso contacts erase --reason":  {"", "", ""}, // TestErase
	"permesso contacts erase --user-id": {"contacts erase +393471000041", "contacts erase --user-id IT.1", ""},

	"permesso consent grant --source":       {"consent grant +393471000045 offers --wording x", "consent grant +393471000045 offers --wording x --source web_form", ""},
	"permesso consent grant --wording":      {"consent grant +393471000045 offers --source web_form", "consent grant +393471000045 offers --source web_form --wording x", ""},
	"permesso consent grant --evidence":     {grant, grant + " --evidence form-9", "consent show +393471000045"},
	"permesso consent grant --at":           {grant, grant + " --at 2026-02-01", "consent show +393471000045"},
	"permesso consent grant --language":     {grant, grant + " --language it", "consent export +393471000045"},
	"permesso consent revoke --language":    {revoke, revoke + " --language it", "consent export +393471000045"},
	"permesso consent show --at":            {"consent show +393471000001", "consent show +393471000001 --at 2026-01-03", ""},
	"permesso consent export --format":      {"consent export +393471000001", "consent export +393471000001 --format html", ""},
	"permesso consent export --out":         {"consent export +393471000001", "consent export +393471000001 --out /dev/null", ""},
	"permesso consent verify --checkpoints": {"consent verify", "consent verify --checkpoints NEW", ""},
	"permesso consent verify --accept":      {"consent verify", "consent verify --accept moved", ""},
	"permesso consent revoke --source":      {revoke, revoke + " --source email", "consent show +393471000045"},
	"permesso consent revoke --wording":     {revoke, revoke + " --wording no", "consent show +393471000045"},
	"permesso consent revoke --evidence":    {revoke, revoke + " --evidence mail-9", "consent show +393471000045"},
	"permesso consent revoke --at":          {revoke, revoke + " --at 2026-02-01", "consent show +393471000045"},

	"permesso suppress add --scope":       {"suppress add +393471000045", "suppress add +393471000045 --scope kind:marketing", ""},
	"permesso suppress add --reason":      {"suppress add +393471000045", "suppress add +393471000045 --reason mail", "suppress list"},
	"permesso suppress remove --reason":   {"suppress remove +393471000044", "suppress remove +393471000044 --reason mistake", ""},
	"permesso reviews close --stop":       {"reviews close +393471000041 --not-a-stop --reason x", "reviews close +393471000041 --stop --reason x", "suppress list"},
	"permesso reviews close --not-a-stop": {"reviews close +393471000041 --stop --reason x", "reviews close +393471000041 --not-a-stop --reason x", "suppress list"},
	"permesso reviews close --scope":      {"reviews close +393471000041 --stop --reason x", "reviews close +393471000041 --stop --reason x --scope kind:marketing", ""},
	"permesso reviews close --reason":     {"reviews close +393471000041 --stop", "reviews close +393471000041 --stop --reason x", ""},
	"permesso reviews list --limit":       {"reviews list", "reviews list --limit 1", ""},
	"permesso suppress list --all":        {"suppress list", "suppress list --all", ""},
	"permesso suppress list --limit":      {"suppress list", "suppress list --limit 1", ""},

	"permesso templates show --preview":  {"templates show weekend_offer it", "templates show weekend_offer it --campaign weekend-offer --preview +393471000020", ""},
	"permesso templates show --campaign": {"templates show weekend_offer it --preview +393471000020", "templates show weekend_offer it --preview +393471000020 --campaign weekend-offer", ""},

	"permesso plan --at":   {"plan weekend-offer", "plan weekend-offer --at 2026-01-01", ""},
	"permesso plan --next": {"plan weekend-offer", "plan weekend-offer --next 30d", ""},
	"permesso plan --ics":  {"plan --next 30d", "plan --next 30d --ics", ""},

	"permesso run --at":     {"run order-ready --at 2020-01-01", "run order-ready --at 2099-01-01", ""},
	"permesso run --detach": {"run order-ready --json", "run order-ready --json --detach", ""},
	"permesso run --test":   {"run later-offer", "run later-offer --test", ""},

	"permesso runs list --campaign":   {"runs list", "runs list --campaign order-ready", ""},
	"permesso runs list --state":      {"runs list", "runs list --state paused", ""},
	"permesso runs list --limit":      {"runs list", "runs list --limit 1", ""},
	"permesso runs pause --reason":    {"runs pause OPEN", "runs pause OPEN --reason lunch", "runs list"},
	"permesso runs cancel --reason":   {"runs cancel OPEN", "runs cancel OPEN --reason lunch", "runs list"},
	"permesso runs approve --hash":    {"", "", ""}, // TestApproval
	"permesso halt --reason":          {"halt", "halt --reason lunch", "run order-ready"},
	"permesso explain --at":           {"explain later-offer +393471000020", "explain later-offer +393471000020 --at 2028-01-01", ""},
	"permesso log --campaign":         {"log", "log --campaign order-ready", ""},
	"permesso log --run":              {"log", "log --run DONE", ""},
	"permesso log --phone":            {"log", "log --phone +393471000020", ""},
	"permesso log --state":            {"log", "log --state skipped", ""},
	"permesso log --reason":           {"log", "log --reason no_consent", ""},
	"permesso log --since":            {"log --since 7d", "log --since 2099-01-01", ""},
	"permesso log --limit":            {"log", "log --limit 3", ""},
	"permesso notify list --limit":    {"notify list", "notify list --limit 1", ""},
	"permesso report --run":           {"report", "report --run DONE", ""},
	"permesso report --csv":           {"report", "report --csv", ""},
	"permesso report --limit":         {"report", "report --limit 1", ""},
	"permesso runs resume --reason":   {"", "", ""}, // TestResumeKeepsTheReason
	"permesso runs resume --detach":   {"", "", ""}, // TestOperatorsHands
	"permesso log --follow":           {"", "", ""}, // TestFollowTheLog
	"permesso demo *":                 {"", "", ""}, // the demo's own tests
	"permesso serve --only":           {"", "", ""}, // TestStopsAndWhoMayLiftThem, TestOneServeToAFile
	"permesso --config":               {"", "", ""}, // every test: none runs in the folder of its configuration
	"permesso sandbox *":              {"", "", ""}, // TestSandboxFlags
	"permesso completion bash *":      {"", "", ""}, // cobra's own
	"permesso completion zsh *":       {"", "", ""},
	"permesso completion fish *":      {"", "", ""},
	"permesso completion powershell":  {"", "", ""},
	"permesso resume --after-restore": {"", "", ""}, // TestRestoredBackup, from outside
	"permesso resume --join":          {"", "", ""}, // TestCloneNeverSends, from outside
	"permesso resume --yes":           {"resume --after-restore", "resume --after-restore --yes", ""},
	"permesso runs resend *":          {"", "", ""}, // TestResend
	"permesso keys create --scope":    {"keys create shop", "keys create shop --scope runs", "keys list"},
	"permesso keys create --expires":  {"keys create shop", "keys create shop --expires 365d", "keys list"},
	"permesso retention --dry-run":    {"retention", "retention --dry-run", ""},
}

const (
	grant  = "consent grant +393471000045 offers --source web_form --wording x"
	revoke = "consent revoke +393471000045 offers"
)

func TestEveryFlagIsInTheTable(t *testing.T) {
	s := newSession(strings.NewReader(""), io.Discard, io.Discard, os.LookupEnv)
	known := map[string]bool{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { known[cmd.CommandPath()+" --"+f.Name] = true })
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	root := s.root()
	walk(root)
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { known["permesso --"+f.Name] = true })
	for flag := range known {
		_, listed := changes[flag]
		_, group := changes[flag[:strings.LastIndex(flag, " ")]+" *"]
		if !listed && !group {
			t.Errorf("%s has no line in changes that shows what it does", flag)
		}
	}
	for flag := range changes {
		if !known[flag] && !strings.HasSuffix(flag, "*") && !strings.HasPrefix(flag, "permesso completion") {
			t.Errorf("%s is tested and does not exist", flag)
		}
	}
}

// What a flag wants is named in capitals, as in the line that uses it: a bare "string" tells nobody anything.
func TestEveryFlagNamesWhatItWants(t *testing.T) {
	s := newSession(strings.NewReader(""), io.Discard, io.Discard, os.LookupEnv)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			wants, usage := pflag.UnquoteUsage(f)
			if f.Value.Type() != "bool" && (wants == "" || wants != strings.ToUpper(wants)) {
				t.Errorf("%s --%s wants a %q: name it in backquotes and capitals in %q", cmd.CommandPath(), f.Name, wants, usage)
			}
		})
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(s.root())
}

func TestUnbuiltVerbsAreNotThere(t *testing.T) {
	root := newSession(strings.NewReader(""), io.Discard, io.Discard, os.LookupEnv).root()
	for path := range unbuilt {
		if cmd, rest, err := root.Find(strings.Fields(path)); err != nil || len(rest) == 0 {
			t.Errorf("%s is refused, and there is %s, %v", path, cmd.CommandPath(), err)
		}
	}
}

// lived is a world in which something has happened, so that lists can be narrowed.
func lived(t *testing.T) (w *world, done, open string) {
	t.Helper()
	w = filled(t)
	w.must("templates", "sync")
	w.must("suppress", "add", phoneOf(44))
	w.must("suppress", "add", phoneOf(43))
	w.must("suppress", "add", phoneOf(42))
	w.must("suppress", "remove", phoneOf(42), "--reason", "mistake")
	done = w.object("run", "weekend-offer")["run"].(string)
	w.must("run", "weekend-offer")
	open = strings.TrimSpace(w.must("run", "order-ready", "--detach"))
	w.must("halt")
	w.must("resume")
	w.unclear(map[string]string{phoneOf(41): "make it stop", phoneOf(40): "so many messages"})
	w.write("NEW", "phone,name\n+393471000777,New\n")
	w.write("BAD", "phone,name\nabc,New\n")
	w.write("CONSENT", "phone,category,action,at,source,wording\n+393471000045,offers,granted,2026-03-01T10:00:00Z,email,Libreria Aurora\n")
	w.write("BADCONSENT", "phone,category,action,at,source,wording\nabc,offers,granted,2026-03-01T10:00:00Z,email,Libreria Aurora\n")
	w.write("STOPS", "phone,at\n+393471000045,2026-03-01T10:00:00Z\n")
	w.write("BADSTOPS", "phone,at\nabc,2026-03-01T10:00:00Z\n")
	return w, done, open
}

func TestEveryFlagChangesSomething(t *testing.T) {
	// Both lines of a flag start from the same state: a copy of one installation.
	template, done, open := lived(t)
	first := template.firstImport()
	for flag, c := range changes {
		if c.with == "" {
			continue
		}
		t.Run(flag, func(t *testing.T) {
			line := func(text string) string {
				w := template.copied(t)
				replaced := strings.NewReplacer("FIRST", first, "OPEN", open, "DONE", done, "BADCONSENT", w.path("BADCONSENT"), "BADSTOPS", w.path("BADSTOPS"),
					"CONSENT", w.path("CONSENT"), "STOPS", w.path("STOPS"), "NEW", w.path("NEW"), "BAD", w.path("BAD"))
				a := w.run(strings.Fields(replaced.Replace(text))...)
				if c.shown == "" {
					return fmt.Sprint(a.code) + strings.ReplaceAll(a.out+a.err, w.dir, "")
				}
				if a.code != 0 {
					t.Fatalf("%s: exit %d %s", text, a.code, a.err)
				}
				if strings.HasSuffix(c.shown, "config") {
					text, _ := os.ReadFile(w.path("config.yaml"))
					return string(text)
				}
				after := w.run(strings.Fields(c.shown)...)
				return after.out + after.err
			}
			without, with := line(c.without), line(c.with)
			if without == with {
				t.Errorf("no difference between %q and %q:\n%s", c.without, c.with, with)
			}
			if strings.HasPrefix(with, "2") && c.shown == "" {
				t.Errorf("%q is wrong use:\n%s", c.with, with)
			}
		})
	}
}

// copied is the same installation in another folder.
func (w *world) copied(t *testing.T) *world {
	t.Helper()
	c := &world{t: t, dir: t.TempDir(), env: w.env, meta: w.meta}
	if err := os.CopyFS(c.dir, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	return c
}

// firstImport is the id of the oldest import.
func (w *world) firstImport() string {
	lines := strings.Split(strings.TrimSpace(w.must("contacts", "imports", "--json")), "\n")
	id := struct{ ID string }{}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &id); err != nil || id.ID == "" {
		w.t.Fatalf("the first import is %q, %v", lines[len(lines)-1], err)
	}
	return id.ID
}

func TestResumeKeepsTheReason(t *testing.T) {
	w := filled(t)
	id := strings.TrimSpace(w.must("run", "order-ready", "--detach"))
	w.must("runs", "pause", id)
	w.must("runs", "resume", id, "--detach", "--reason", "lunch is over")
	if !audited(t, w, "lunch is over") {
		t.Error("the reason is not in the audit log")
	}
}

func TestSandboxFlags(t *testing.T) {
	w := newWorld(t)
	ledger := w.path("ledger")
	s := newSession(strings.NewReader(""), io.Discard, io.Discard, func(name string) (string, bool) { v, ok := w.env[name]; return v, ok })
	one := sandboxFlags{numbers: []string{"1", "2"}, perSecond: 3, o: sandbox.Options{Token: "t", AccountID: "9"}}
	o, err := s.sandboxOptions(one)
	if err != nil || len(o.Numbers) != 2 || o.Numbers[1].MessagesPerSecond != 3 || o.Token != "t" || o.AppSecret != "secret-of-tests" || len(o.Templates) != 4 {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := s.sandboxOptions(sandboxFlags{templates: w.path("none.json")}); exitCode(err) != exitWrongUse {
		t.Errorf("a file of templates that is not there: %v", err)
	}

	base := "http://" + freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan answer, 1)
	told := make(chan int, 1)
	receiver := &http.Server{Addr: freeAddress(t), ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case told <- 1:
		default:
		}
	})}
	go func() { _ = receiver.ListenAndServe() }()
	defer func() { _ = receiver.Close() }()
	w.write("templates.json", `[{"id":"1","name":"only_one","language":"en","status":"APPROVED","category":"UTILITY","components":[{"type":"BODY","text":"Hello"}]}]`)
	go func() {
		ended <- w.runContext(ctx, "sandbox", "--listen", strings.TrimPrefix(base, "http://"), "--token", "tok", "--app-secret", "sec", "--account-id", "42", "--number", "77",
			"--ledger", ledger, "--templates", w.path("templates.json"), "--webhook-url", "http://"+receiver.Addr+"/webhook",
			"--latency", "30ms", "--status-delay", "1ms", "--opt-out-every", "1", "--messages-per-second", "1000", "--messaging-limit", "1")
	}()
	ask := func(method, path, token, body string) (int, string, time.Duration) {
		request, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		start := time.Now()
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err.Error(), 0
		}
		defer func() { _ = response.Body.Close() }()
		text, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(text), time.Since(start)
	}
	const message = `{"messaging_product":"whatsapp","to":"+393471000001","type":"template","template":{"name":"only_one","language":{"code":"en"}}}`
	status, text, _ := ask("GET", "/v25.0/42/message_templates", "tok", "")
	for deadline := time.Now().Add(time.Minute); status == 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		status, text, _ = ask("GET", "/v25.0/42/message_templates", "tok", "")
	}
	if status != 200 || !strings.Contains(text, "only_one") || strings.Contains(text, "weekend_offer") {
		t.Errorf("--account-id, --templates: %d %s", status, text)
	}
	if status, _, _ := ask("GET", "/v25.0/42/message_templates", "other", ""); status != 401 {
		t.Errorf("--token: another token got %d", status)
	}
	if status, text, took := ask("POST", "/v25.0/77/messages", "tok", message); status != 200 || took < 30*time.Millisecond {
		t.Errorf("--number, --latency: %d after %s: %s", status, took, text)
	}
	if _, text, _ := ask("POST", "/v25.0/77/messages", "tok", strings.Replace(message, "000001", "000002", 1)); !strings.Contains(text, "131048") {
		t.Errorf("--messaging-limit: %s", text)
	}
	select {
	case <-told:
	case <-time.After(time.Minute):
		t.Error("--webhook-url: nothing was told")
	}
	stop()
	if a := <-ended; a.code != 0 || !strings.Contains(a.out, base) {
		t.Errorf("the sandbox ended with %d: %s%s", a.code, a.out, a.err)
	}
	if kept, _ := os.ReadFile(ledger); !strings.Contains(string(kept), "393471000001") {
		t.Errorf("--ledger: %q", kept)
	}
}
