package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite" // to be the other program that holds the database

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/graph"
)

// failure is a line that must fail with a code.
type failure struct {
	w    *world
	args string
	code errcode.Code
	exit int
}

func TestEveryFailureHasACodeAndItsExit(t *testing.T) {
	w := filled(t)
	var table []failure
	table = append(table, wrongLines(w)...)
	table = append(table, wrongFiles(w)...)
	table = append(table, wrongConfigurations(t)...)
	table = append(table, wrongDatabases(t)...)
	table = append(table, refusals(t, w)...)
	if len(table) < 60 {
		t.Fatalf("only %d failures", len(table))
	}
	for _, tt := range table {
		t.Run(string(tt.code)+"/"+tt.args, func(t *testing.T) {
			a := tt.w.run(strings.Fields(tt.args)...)
			check(t, a, tt.code, tt.exit)
		})
	}
}

var endsWithCode = regexp.MustCompile(`\[([a-z0-9_]+)\]\n$`)

// check sees to it that what was printed ends with the code, and that its section tells the exit code.
func check(t *testing.T, a answer, code errcode.Code, exit int) {
	t.Helper()
	found := endsWithCode.FindStringSubmatch(a.err)
	if found == nil || found[1] != string(code) {
		t.Errorf("it does not end with [%s]:\n%s", code, a.err)
	}
	if a.code != exit {
		t.Errorf("exit %d, want %d:\n%s", a.code, exit, a.err)
	}
	entry, ok := entryOf(code)
	if !ok || code == errcode.Internal || entry.Exit != 0 && entry.Exit != exit {
		t.Errorf("docs/ERRORS.md says of %s exit %d, it is %d", code, entry.Exit, exit)
	}
}

func entryOf(code errcode.Code) (errcode.Entry, bool) {
	for _, e := range explainedCodes() {
		if e.Code == code {
			return e, true
		}
	}
	return errcode.Entry{}, false
}

func wrongLines(w *world) []failure {
	var table []failure
	for _, line := range []struct {
		args string
		code errcode.Code
	}{
		{"nope", errcode.UnknownVerb},
		{"ceck", errcode.UnknownVerb},
		{"help ceck", errcode.UnknownVerb},
		{"help runs pse", errcode.UnknownVerb},
		{"help plan weekend-offer", errcode.SurplusArgument},
		{"contacts", errcode.MissingVerb},
		{"templates", errcode.MissingVerb},
		{"plan --fish", errcode.UnknownFlag},
		{"plan -x", errcode.UnknownFlag},
		{"suppress list --limit many", errcode.InvalidFlagValue},
		{"log --follow=perhaps", errcode.InvalidFlagValue},
		{"run", errcode.MissingArgument},
		{"contacts show", errcode.MissingArgument},
		{"run weekend-offer more", errcode.SurplusArgument},
		{"plan a b", errcode.SurplusArgument},
		{"completion bash more", errcode.SurplusArgument},
		{"help error no_run more", errcode.SurplusArgument},
		{"help error no_runs_at_all", errcode.NoSuchCode},
		{"plan weekend-ofer", errcode.NoSuchCampaign},
		{"run zzzzzzzzzz", errcode.NoSuchCampaign},
		{"explain zzzzzzzzzz +393471234567", errcode.NoSuchCampaign},
		{"log --campaign zzzzzzzzzz", errcode.NoSuchCampaign},
		{"runs list --campaign zzzzzzzzzz", errcode.NoSuchCampaign},
		{"templates show weekend_offer it --preview +393471000020 --campaign zzz", errcode.NoSuchCampaign},
		{"consent grant +393471234567 gifts --source web_form --wording x", errcode.NoSuchCategory},
		{"suppress add +393471234567 --scope category:ofers", errcode.NoSuchCategory},
		{"suppress add +393471234567 --scope some", errcode.InvalidScope},
		{"suppress remove +393471234567", errcode.MissingFlag},
		{"consent grant +393471234567 offers --wording x", errcode.MissingFlag},
		{"consent grant +393471234567 offers --source web_form", errcode.MissingFlag},
		{"consent grant +393471234567 offers --source wb_form --wording x", errcode.NoSuchSource},
		{"consent revoke +393471234567 offers --at 2099-01-01", errcode.FutureTime},
		{"consent revoke +393471234567 offers --at tomorrow", errcode.InvalidTime},
		{"templates show weekend_offer it --preview +393471234567", errcode.MissingFlag},
		{"report --csv --json=false --limit -1", errcode.InvalidLimit},
		{"log --limit -1", errcode.InvalidLimit},
		{"suppress list --limit -1", errcode.InvalidLimit},
		{"log --state delivred", errcode.NoSuchState},
		{"runs list --state zzz", errcode.NoSuchState},
		{"log --reason nope", errcode.NoSuchReason},
		{"log --since whenever", errcode.InvalidTime},
		{"serve --only cook", errcode.NoSuchRole},
		{"plan --at yesterday", errcode.InvalidTime},
		{"run weekend-offer --at 2026-13-01", errcode.InvalidTime},
		{"plan --at 2027-03-28T02:30", errcode.SkippedTime},
		{"plan --at 2027-10-31T02:30", errcode.AmbiguousTime},
		{"plan --next soon", errcode.InvalidSpan},
		{"plan --next 99999999d", errcode.InvalidSpan},
		{"explain weekend-offer fish", errcode.PhoneLetters},
		{"consent revoke +999123456789 offers", errcode.PhoneCountryCode},
		{"contacts show +39347", errcode.PhoneTooShort},
		{"consent show 3.93471E+11", errcode.PhoneScientific},
		{"suppress add 347,348", errcode.PhoneList},
		{"sandbox --messages-per-second fast", errcode.InvalidFlagValue},
		{"sandbox --templates " + w.path("none.json"), errcode.FileMissing},
		{"sandbox --templates " + w.path("contacts.csv"), errcode.FileNotJSON},
		{"init --force --country Italy", errcode.InvalidFlagValue},
	} {
		table = append(table, failure{w, line.args, line.code, exitWrongUse})
	}
	return table
}

func wrongFiles(w *world) []failure {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte("phone\n+393471000777\n"))
	_ = zip.Close()
	wrong := w.write("wrong.csv", "phone,name\nabc,Ann\n")
	closed := w.path("closed")
	if err := errors.Join(os.Mkdir(closed, 0o700), os.WriteFile(closed+"/wrong.csv", []byte("phone\nabc\n"), 0o600), os.MkdirAll(closed+"/wrong.csv.rejected.csv/full", 0o700)); err != nil {
		w.t.Fatal(err)
	}
	file := func(name, text string) string { return "contacts import " + w.write(name, text) }
	return []failure{
		{w, "contacts import " + w.path("none.csv"), errcode.FileMissing, exitWrongUse},
		{w, "contacts import " + w.dir, errcode.FileIsFolder, exitWrongUse},
		{w, file("empty.csv", ""), errcode.FileEmpty, exitFailed},
		{w, file("half.csv", "name,language\nAnn,it\n"), errcode.ColumnMissing, exitFailed},
		{w, file("bare.csv", "+393471000777,Ann\n"), errcode.HeaderMissing, exitFailed},
		{w, file("twice.csv", "phone,name,name\n+393471000777,Ann,Ann\n"), errcode.ColumnTwice, exitFailed},
		{w, file("open.csv", "phone,\"name\n"), errcode.HeaderUnreadable, exitFailed},
		{w, file("packed.csv.gz", packed.String()), errcode.FileCompressed, exitFailed},
		{w, file("utf32.csv", "\xff\xfe\x00\x00p\x00\x00\x00"), errcode.FileUTF32, exitFailed},
		{w, file("sep.csv", "sep=#\nphone#name\n"), errcode.FileSeparator, exitFailed},
		{w, file("wide.csv", "phone"+strings.Repeat(",a", 5000)+"\n"), errcode.HeaderTooWide, exitFailed},
		{w, file("book.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 a workbook"), errcode.WorkbookOther, exitFailed},
		{w, file("binary.csv", "ph\x00\x01\x02one\n"), errcode.FileNotText, exitFailed},
		{w, "suppress import " + w.write("stops.csv", "phone,at,ponies\n+393471000777,2026-03-01T10:00:00Z,1\n"), errcode.ColumnUnknown, exitFailed},
		{w, "contacts import --strict " + wrong, errcode.RowsRejected, exitIncomplete},
		{w, "contacts import " + closed + "/wrong.csv", errcode.RejectedUnwritten, exitFailed},
		{w, "sandbox --listen 127.0.0.1:0 --ledger " + w.dir, errcode.FileUnwritable, exitFailed},
		{w, "sandbox --listen nowhere", errcode.AddressUnusable, exitFailed},
		{w, "init", errcode.ConfigurationThere, exitFailed},
	}
}

func wrongConfigurations(t *testing.T) []failure {
	broken := newWorld(t)
	broken.edit("version: 1", "version: 1\nvershun: 2\nbusines: x")
	absent := newWorld(t)
	if err := os.Remove(absent.path("config.yaml")); err != nil {
		t.Fatal(err)
	}
	folder := newWorld(t)
	if err := errors.Join(os.Remove(folder.path("config.yaml")), os.Mkdir(folder.path("config.yaml"), 0o700)); err != nil {
		t.Fatal(err)
	}
	phoneless := newWorld(t)
	phoneless.edit(fmt.Sprintf("test_phones: [%q]\n", phoneOf(0)), "")
	dry := newWorld(t)
	dry.edit("version: 1", "version: 1\ndry_run: true")
	return []failure{
		{broken, "check", errcode.InvalidConfiguration, exitConfig},
		{broken, "plan", errcode.InvalidConfiguration, exitConfig},
		{broken, "serve", errcode.InvalidConfiguration, exitConfig},
		{absent, "plan", errcode.ConfigurationMissing, exitConfig},
		{absent, "migrate status", errcode.ConfigurationMissing, exitConfig},
		{folder, "check", errcode.ConfigurationUnreadable, exitConfig},
		{phoneless, "run weekend-offer --test", errcode.NoTestPhones, exitWrongUse},
		{phoneless, "contacts link +393471234567", errcode.NoPublicURL, exitWrongUse},
		{dry, "run weekend-offer", errcode.DryRun, exitIncomplete},
	}
}

func wrongDatabases(t *testing.T) []failure {
	at := func(database string) *world {
		w := newWorld(t)
		w.edit("sqlite:permesso.db", database)
		return w
	}
	unreachable := at(`"postgres://permesso@127.0.0.1:1/permesso?sslmode=disable"`)
	homeless := at("sqlite:none/permesso.db")
	foreign := newWorld(t)
	foreign.write("permesso.db", "Dear customer, this is a letter and no database at all, whatever its name may say.")
	newer := filled(t)
	statement(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	damaged := filled(t)
	statement(t, damaged, "DROP TABLE suppressions")
	locked := newWorld(t)
	hold := statement(t, locked, "CREATE TABLE held (a)", "BEGIN EXCLUSIVE")
	t.Cleanup(func() { _ = hold.Close() })
	return []failure{
		{unreachable, "plan", errcode.DatabaseUnreachable, exitFailed},
		{unreachable, "migrate", errcode.DatabaseUnreachable, exitFailed},
		{unreachable, "contacts import " + unreachable.path("contacts.csv"), errcode.DatabaseUnreachable, exitFailed},
		{homeless, "serve", errcode.DatabaseFolder, exitFailed},
		{foreign, "log", errcode.DatabaseForeign, exitFailed},
		{newer, "report", errcode.DatabaseNewer, exitFailed},
		{newer, "migrate", errcode.DatabaseNewer, exitFailed},
		{damaged, "suppress list", errcode.DatabaseFailed, exitFailed},
		{locked, "contacts export", errcode.DatabaseLocked, exitFailed},
	}
}

// statement changes the database of a world behind permesso's back, and returns the connection that did.
func statement(t *testing.T, w *world, texts ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("permesso.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, text := range texts {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if len(texts) == 1 {
		_ = db.Close()
	}
	return db
}

func refusals(t *testing.T, w *world) []failure {
	other := func(edits ...string) *world {
		c := w.copied(t)
		for i := 0; i < len(edits); i += 2 {
			c.edit(edits[i], edits[i+1])
		}
		return c
	}
	page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>It works!</html>")) }))
	t.Cleanup(page.Close)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	text, _ := os.ReadFile(w.path("config.yaml"))
	base := regexp.MustCompile(`base_url: \S+`).FindString(string(text))
	console := regexp.MustCompile(`console: "[^"]*"`).FindString(string(text))

	expired := other()
	expired.env = maps.Clone(w.env)
	expired.env["WHATSAPP_ACCESS_TOKEN"] = "another-token"
	spaced := other()
	spaced.env = maps.Clone(w.env)
	spaced.env["WHATSAPP_ACCESS_TOKEN"] = "two words"
	silent := other(base, "base_url: http://127.0.0.1:1")
	strange := other(base, "base_url: "+page.URL)
	ghost := other("template: order_update", "template: ghost_template")
	speechless := other("template: order_update\n    languages: [en]", "template: order_update\n    languages: [fr]")
	drifted := other("body: {first_name: {field: name, default: reader}, order: {text: A-1}}", "body: {first_name: {field: name, default: reader}}")
	halted := other()
	halted.must("halt", "--reason", "fire drill")
	busy := other(console, fmt.Sprintf("console: %q", taken.Addr()))
	away := other(console, `console: "192.0.2.1:8081"`)
	stateless := other("version: 1", "version: 1\nstate_dir: contacts.csv")
	synced := other()
	synced.must("templates", "sync")
	moved := other()
	id := strings.TrimSpace(moved.must("run", "order-ready", "--detach"))
	moved.must("runs", "cancel", id)

	return []failure{
		{expired, "templates sync", "meta_190", exitFailed},
		{expired, "check --online", "meta_190", exitFailed},
		{spaced, "templates sync", errcode.TokenMalformed, exitFailed},
		{silent, "templates sync", errcode.MetaUnreachable, exitFailed},
		{silent, "run order-ready", errcode.MetaUnreachable, exitFailed},
		{strange, "check --online", errcode.MetaStrange, exitFailed},
		{w, "run winter", errcode.TemplateNotApproved, exitRefused},
		{w, "check --online", errcode.TemplateNotApproved, exitRefused},
		{ghost, "run order-ready", errcode.NoTemplate, exitRefused},
		{speechless, "run order-ready", errcode.NoTemplate, exitRefused},
		{drifted, "run order-ready", errcode.TemplateParameters, exitRefused},
		{other(), "templates show weekend_offer it", errcode.TemplatesNeverRead, exitFailed},
		{synced, "templates show weekend_ofer it", errcode.TemplateAbsent, exitFailed},
		{synced, "templates show weekend_offer fr", errcode.TemplateLanguage, exitFailed},
		{synced, "templates show weekend_offer it --campaign weekend-offer --preview +393471234567", errcode.UnknownContact, exitFailed},
		{synced, "templates show weekend_offer it --campaign weekend-offer --preview " + phoneOf(people-1), errcode.MissingParameter, exitFailed},
		{w, "contacts show +393471234567", errcode.UnknownContact, exitFailed},
		{w, "suppress remove +393471234567 --reason x", errcode.NothingToLift, exitFailed},
		{w, "reviews close +393471234567 --stop --reason x", errcode.NoReview, exitFailed},
		{w, "runs show nope", errcode.NoSuchRun, exitFailed},
		{w, "log --run nope", errcode.NoSuchRun, exitFailed},
		{w, "report --run nope", errcode.NoSuchRun, exitFailed},
		{w, "runs cancel nope", errcode.NoSuchRun, exitFailed},
		{moved, "runs pause " + id, errcode.WrongRunState, exitFailed},
		{moved, "runs resume " + id, errcode.WrongRunState, exitFailed},
		{halted, "run order-ready", errcode.Halted, exitRefused},
		{w, "run later-offer", errcode.RunWaits, exitIncomplete},
		{busy, "serve --only console", errcode.AddressInUse, exitFailed},
		{away, "serve --only console", errcode.AddressUnusable, exitFailed},
		{stateless, "serve", errcode.StateDirUnusable, exitFailed},
		{w, "sandbox --listen " + taken.Addr().String(), errcode.AddressInUse, exitFailed},
	}
}

func TestAFlagWithoutItsValue(t *testing.T) {
	var errs bytes.Buffer
	code := run(t.Context(), []string{"plan", "--next"}, strings.NewReader(""), io.Discard, &errs, func(string) (string, bool) { return "", false })
	check(t, answer{code: code, err: errs.String()}, errcode.MissingFlagValue, exitWrongUse)
}

func TestEachOfSeveralErrorsHasItsCode(t *testing.T) {
	w := filled(t)
	w.edit("template: order_update", "template: ghost_template")
	a := w.run("check", "--online")
	check(t, a, errcode.TemplateNotApproved, exitRefused)
	if lines := strings.Split(strings.TrimSpace(a.err), "\n"); len(lines) != 2 || !strings.HasSuffix(lines[0], "["+string(errcode.NoTemplate)+"]") {
		t.Errorf("two campaigns with two mistakes:\n%s", a.err)
	}
}

func TestErrorsAsJSON(t *testing.T) {
	w := newWorld(t)
	broken := newWorld(t)
	broken.edit("version: 1", "version: 1\nvershun: 2\nbusines: x")
	for _, tt := range []struct {
		w        *world
		args     string
		code     string
		exit     float64
		message  string
		problems int
	}{
		{w, "runs show nope --json", "no_such_run", 1, "run \"nope\": there is no such run: `permesso runs list` shows them", 0},
		{w, "plan --fish --json", "unknown_flag", 2, "unknown flag: --fish: `permesso plan --help` lists what there is", 0},
		{w, "plan weekend-ofer --json", "no_such_campaign", 2, `did you mean "weekend-offer"?`, 0},
		{broken, "plan --json", "invalid_configuration", 3, "2 mistakes in the configuration; nothing was done", 2},
		{broken, "check --json", "invalid_configuration", 3, "2 mistakes in the configuration; nothing was done", 2},
	} {
		t.Run(tt.args, func(t *testing.T) {
			a := tt.w.run(strings.Fields(tt.args)...)
			var said struct {
				Error map[string]any `json:"error"`
			}
			if err := json.Unmarshal([]byte(a.err), &said); err != nil {
				t.Fatalf("not one JSON object: %v\n%s", err, a.err)
			}
			problems, _ := said.Error["problems"].([]any)
			if said.Error["code"] != tt.code || said.Error["exit"] != tt.exit || float64(a.code) != tt.exit || len(problems) != tt.problems ||
				!strings.Contains(said.Error["message"].(string), tt.message) {
				t.Errorf("exit %d: %s", a.code, a.err)
			}
		})
	}
}

// What no table of lines can bring about is told apart all the same.
func TestCodesOfErrorsFromElsewhere(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want errcode.Code
	}{
		"nobody foresaw it":    {errors.New("the sky fell"), errcode.Internal},
		"a pipe is closed":     {&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, errcode.OutputFailed},
		"a pipe within":        {fmt.Errorf("printing: %w", io.ErrClosedPipe), errcode.OutputFailed},
		"interrupted":          {fmt.Errorf("reading: %w", context.Canceled), errcode.Interrupted},
		"interrupted import":   {&interrupted{"far"}, errcode.Interrupted},
		"incomplete":           {fmt.Errorf("%w: for some reason", app.ErrIncomplete), errcode.RunIncomplete},
		"halted under way":     {fmt.Errorf("%w: %w (fire)", app.ErrIncomplete, app.ErrHalted), errcode.Halted},
		"cobra's own":          {misread(errors.New("something about the line")), errcode.WrongUse},
		"unknown code of Meta": {errcode.With(errors.New("(#999999)"), graph.Code(999999)), errcode.MetaRefused},
		"any permission":       {errcode.With(errors.New("(#201)"), graph.Code(201)), "meta_200"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := codeOf(tt.err); got != tt.want {
				t.Errorf("%v has the code %s, want %s", tt.err, got, tt.want)
			}
			if _, ok := entryOf(tt.want); !ok {
				t.Errorf("%s has no section", tt.want)
			}
		})
	}
	if code := exitCode(errors.New("the sky fell")); code != exitFailed {
		t.Errorf("an unforeseen error: exit %d", code)
	}
}

// On a terminal the last line says where more is to be read; a script's stderr is not made longer.
func TestOnATerminalTheHintNamesTheCode(t *testing.T) {
	w := newWorld(t)
	for _, quiet := range []bool{false, true} {
		var errs bytes.Buffer
		s := newSession(strings.NewReader(""), io.Discard, &errs, func(name string) (string, bool) { v, ok := w.env[name]; return v, ok })
		s.logText = true
		args := []string{"runs", "show", "nope", "--config", w.path("config.yaml")}
		if quiet {
			args = append(args, "--quiet")
		}
		if code := s.run(t.Context(), args); code != exitFailed {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		if hinted := strings.HasSuffix(errs.String(), "`permesso help error no_such_run` says what to do\n"); hinted == quiet {
			t.Errorf("quiet %v:\n%s", quiet, errs.String())
		}
	}
}
