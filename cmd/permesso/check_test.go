package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

// checkedFile runs check on a copy of a file of testdata/check, in its folder.
func checkedFile(t *testing.T, file string, args ...string) answer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "check", file))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, file), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return checkedIn(t, folder, file, args...)
}

func checkedIn(t *testing.T, folder, file string, args ...string) answer {
	t.Helper()
	back, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	var out, errs bytes.Buffer
	code := run(t.Context(), append([]string{"check", "--config", file}, args...), strings.NewReader(""), &out, &errs, func(name string) (string, bool) {
		return "x", name == "WHATSAPP_ACCESS_TOKEN" || name == "WHATSAPP_APP_SECRET" || name == "WHATSAPP_VERIFY_TOKEN"
	})
	t.Chdir(back)
	return answer{code, out.String(), errs.String()}
}

// golden compares with testdata/check/NAME byte by byte.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "check", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestCheckPrintsAllTenMistakes(t *testing.T) {
	a := checkedFile(t, "ten.yaml")
	if a.code != exitConfig || a.out != "" {
		t.Errorf("exit %d, stdout %q", a.code, a.out)
	}
	golden(t, "ten.txt", a.err)
	codes := map[string]bool{}
	for line := range strings.Lines(a.err) {
		if strings.HasPrefix(line, "ten.yaml:") {
			codes[line[strings.LastIndex(line, "["):]] = true
		}
	}
	if len(codes) != 10 {
		t.Errorf("%d kinds of mistakes, want 10: %v", len(codes), codes)
	}
}

func TestCheckFormats(t *testing.T) {
	for _, format := range []string{"json", "sarif", "github"} {
		t.Run(format, func(t *testing.T) {
			a := checkedFile(t, "ten.yaml", "--format", format)
			if a.code != exitConfig {
				t.Errorf("exit %d, %s", a.code, a.err)
			}
			if !strings.Contains(a.err, "10 mistakes in the configuration") {
				t.Errorf("stderr does not count the mistakes: %s", a.err)
			}
			if format != "json" && strings.Contains(a.err, "ten.yaml") {
				t.Errorf("stderr has again what stdout says: %s", a.err)
			}
			if strings.Contains(a.out+a.err, "EAABsbCS1234ZBrQ") {
				t.Error("a secret is shown")
			}
			golden(t, "ten."+format, strings.Replace(a.out, `"version": `+quoted(version().Version), `"version": "VERSION"`, 1))
		})
	}
	if one, other := checkedFile(t, "ten.yaml", "--json"), checkedFile(t, "ten.yaml", "--format", "json"); one != other {
		t.Errorf("--json says\n%v, --format json\n%v", one, other)
	}
}

func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

func TestCheckRefusesFormats(t *testing.T) {
	for _, args := range [][]string{{"--format", "xml"}, {"--format", ""}, {"--format", "sarif", "--json"}, {"--format", "github", "--json"}} {
		if a := checkedFile(t, "ten.yaml", args...); a.code != exitWrongUse || a.out != "" {
			t.Errorf("%v: exit %d, %s", args, a.code, a.out)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	a := checkedFile(t, "ten.yaml", "--format", "json")
	var got struct {
		Valid    *bool
		Problems []map[string]any
		Warnings []map[string]any
	}
	if err := json.Unmarshal([]byte(a.out), &got); err != nil || strings.Count(a.out, "\n") != 1 {
		t.Fatalf("%v: %s", err, a.out)
	}
	if got.Valid == nil || *got.Valid || len(got.Problems) != 10 || len(got.Warnings) != 1 {
		t.Errorf("%d problems, %d warnings", len(got.Problems), len(got.Warnings))
	}
	for i, p := range slices.Concat(got.Problems, got.Warnings) {
		for _, key := range []string{"file", "line", "column", "path", "severity", "code", "message", "source"} {
			if _, there := p[key]; !there {
				t.Errorf("problem %d has no %s: %v", i, key, p)
			}
		}
		if _, known := errcode.Find(errcode.Code(fmt.Sprint(p["code"]))); !known {
			t.Errorf("the code %v is not in docs/ERRORS.md", p["code"])
		}
	}
	right := checkedFile(t, "right.yaml", "--format", "json")
	if right.code != 0 || right.out != `{"valid":true,"problems":[],"warnings":[]}`+"\n" {
		t.Errorf("exit %d, %s", right.code, right.out)
	}
}

// TestCheckSARIF looks at every field that code scanning reads, and at each that it requires.
func TestCheckSARIF(t *testing.T) {
	a := checkedFile(t, "ten.yaml", "--format", "sarif")
	source, err := os.ReadFile(filepath.Join("testdata", "check", "ten.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(source), "\n")
	var log sarifLog
	decoder := json.NewDecoder(strings.NewReader(a.out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-2.1.0") || len(log.Runs) != 1 {
		t.Fatalf("version %q, schema %q, %d runs", log.Version, log.Schema, len(log.Runs))
	}
	run := log.Runs[0]
	driver := run.Tool.Driver
	if driver.Name != "permesso" || driver.Version == "" || run.ColumnKind != "unicodeCodePoints" {
		t.Errorf("driver %q %q, columns in %q", driver.Name, driver.Version, run.ColumnKind)
	}
	for i, rule := range driver.Rules {
		entry, known := errcode.Find(errcode.Code(rule.ID))
		if !known || rule.ShortDescription.Text != entry.Title || rule.FullDescription.Text != entry.Means || !strings.HasPrefix(rule.Help.Text, entry.Do) {
			t.Errorf("rule %d is %+v", i, rule)
		}
		if level := rule.DefaultConfiguration.Level; level != "error" && level != "warning" {
			t.Errorf("rule %s has the level %q", rule.ID, level)
		}
	}
	if len(run.Results) != 11 || len(driver.Rules) != 11 {
		t.Errorf("%d results of %d rules, want 10 mistakes and a warning", len(run.Results), len(driver.Rules))
	}
	pointedAt := map[string]string{}
	for i, result := range run.Results {
		if result.RuleIndex < 0 || result.RuleIndex >= len(driver.Rules) || driver.Rules[result.RuleIndex].ID != result.RuleID {
			t.Fatalf("result %d is of rule %d, %s", i, result.RuleIndex, result.RuleID)
		}
		if result.Message.Text == "" || (result.Level != "error" && result.Level != "warning") || len(result.Locations) != 1 {
			t.Errorf("result %d is %+v", i, result)
		}
		where := result.Locations[0].PhysicalLocation
		if where.ArtifactLocation.URI != "ten.yaml" {
			t.Errorf("result %d is in %q", i, where.ArtifactLocation.URI)
		}
		at := where.Region
		if at.StartLine < 1 || at.StartLine > len(lines) || at.StartColumn < 1 || at.EndColumn <= at.StartColumn || at.EndColumn > utf8.RuneCountInString(lines[at.StartLine-1])+1 {
			t.Fatalf("result %d is at %+v", i, at)
		}
		pointedAt[result.RuleID] = string([]rune(lines[at.StartLine-1])[at.StartColumn-1 : at.EndColumn-1])
	}
	for code, want := range map[string]string{"unknown_key": "busines", "unquoted_number": "500600700800", "unset_variable": "${WHATSAPP_VERIFY_TOKEM}", "impossible_hours": `"20:00"`, "undeclared_category": "ofers", "unknown_language": "it_it"} {
		if pointedAt[code] != want {
			t.Errorf("%s points at %q, want %q", code, pointedAt[code], want)
		}
	}
	var right sarifLog
	if a := checkedFile(t, "right.yaml", "--format", "sarif"); a.code != 0 || json.Unmarshal([]byte(a.out), &right) != nil || !strings.Contains(a.out, `"results": []`) || !strings.Contains(a.out, `"rules": []`) {
		t.Errorf("a file without mistakes closes no alerts: exit %d, %s", a.code, a.out)
	}
}

func TestCheckPathsAreRelative(t *testing.T) {
	folder := t.TempDir()
	below := filepath.Join(folder, "with space", "a,b:c%")
	if err := os.MkdirAll(below, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(below, "config.yaml"), []byte("versio: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join("with space", "a,b:c%", "config.yaml"), filepath.Join(below, "config.yaml"), filepath.Join(".", "with space", "..", "with space", "a,b:c%", "config.yaml")} {
		if a := checkedIn(t, folder, file, "--format", "sarif"); !strings.Contains(a.out, `"uri": "with%20space/a,b:c%25/config.yaml"`) {
			t.Errorf("%s: %s", file, a.out)
		}
		if a := checkedIn(t, folder, file, "--format", "github"); !strings.HasPrefix(a.out, "::error file=with space/a%2Cb%3Ac%25/config.yaml,line=1,col=1,title=") {
			t.Errorf("%s: %s", file, a.out)
		}
	}
	if a := checkedIn(t, t.TempDir(), filepath.Join(below, "config.yaml"), "--format", "sarif"); !strings.Contains(a.out, `"uri": "file:///`) {
		t.Errorf("a file elsewhere: %s", a.out)
	}
}

func TestCheckWithoutAFile(t *testing.T) {
	for format, want := range map[string]string{
		"json": `"code":"configuration_missing"`, "sarif": `"ruleId": "configuration_missing"`, "github": "::error file=config.yaml,line=1,col=1,",
	} {
		if a := checkedIn(t, t.TempDir(), "config.yaml", "--format", format); a.code != exitConfig || !strings.Contains(a.out, want) {
			t.Errorf("%s: exit %d, %s", format, a.code, a.out)
		}
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "config.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if a := checkedIn(t, folder, "config.yaml", "--format", "json"); a.code != exitConfig || !strings.Contains(a.out, `"code":"configuration_unreadable"`) || !strings.Contains(a.out, "it is a folder") {
		t.Errorf("a folder: exit %d, %s", a.code, a.out)
	}
}

func TestGitHubEscapes(t *testing.T) {
	var out bytes.Buffer
	s := newSession(strings.NewReader(""), &out, &out, os.LookupEnv)
	if err := s.tellGitHub([]config.Problem{{File: "a:b,c%.yaml", Line: 2, Column: 3, Severity: config.SeverityWarning, Code: "like,none:of%them", Message: "50%: one,\r\ntwo"}}); err != nil {
		t.Fatal(err)
	}
	if want := "::warning file=a%3Ab%2Cc%25.yaml,line=2,col=3,title=like%2Cnone%3Aof%25them::50%25: one,%0D%0Atwo [like,none:of%25them]\n"; out.String() != want {
		t.Errorf("got  %qwant %q", out.String(), want)
	}
}

// BenchmarkCheck500 is `permesso check` on 500 campaigns, as text, with the next times of each.
func BenchmarkCheck500(b *testing.B) {
	var text strings.Builder
	head, err := os.ReadFile(filepath.Join("testdata", "check", "right.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	text.Write(head)
	for i := range 500 {
		fmt.Fprintf(&text, `  - id: weekend-offer-%d
    category: offers
    template: weekend_offer
    languages: [it, en]
    number: "111222333444"
    schedule: {cron: "0 18 * * FRI", timezone: Europe/Rome, catch_up: once, catch_up_within: 2h, overlap: skip, starts_at: 2026-12-01T00:00:00+01:00}
    window: {from: "18:00", to: "20:00", in: recipient}
    audience: country = "IT" AND (tags:vip OR sent_days > 30)
    parameters:
      header: {image: {link: "https://aurora.example/libri.jpg"}}
      body: [{field: name, default: lettore}, {text: "30 novembre"}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}
    priority: 10
    not_after: 2099-12-31T20:00:00+01:00
`, i)
	}
	path := filepath.Join(b.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var out, errs bytes.Buffer
		if code := run(b.Context(), []string{"check", "--config", path}, strings.NewReader(""), &out, &errs, func(string) (string, bool) { return "x", true }); code != 0 {
			b.Fatalf("exit %d: %s", code, errs.String())
		}
	}
}

// TestCheckOnlineWithoutAnAnswer holds that a Meta which cannot be asked is not one that has no numbers and no templates.
func TestCheckOnlineWithoutAnAnswer(t *testing.T) {
	w := newWorld(t)
	w.env["WHATSAPP_ACCESS_TOKEN"] = "another-token"
	if a := w.run("check", "--online"); a.code != exitFailed || strings.Contains(a.out, "NUMBER") || strings.Contains(a.out, "0 templates") || !strings.Contains(a.err, "[meta_190]") {
		t.Errorf("exit %d\n%s%s", a.code, a.out, a.err)
	}
	a := w.run("check", "--online", "--json")
	if a.code != exitFailed || strings.Contains(a.out, `"online"`) || !strings.Contains(a.err, `"meta_190"`) {
		t.Errorf("exit %d\n%s%s", a.code, a.out, a.err)
	}
}
