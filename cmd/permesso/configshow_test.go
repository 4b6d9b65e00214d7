package main

import (
	"strings"
	"testing"
)

func TestConfigShow(t *testing.T) {
	w := newWorld(t)
	w.write("app-secret", "secret-of-tests")
	w.edit("app_secret: ${WHATSAPP_APP_SECRET}", "app_secret: ${file:app-secret}")
	w.edit("messages_per_second: 500", "messages_per_second: 2000") // a warning

	settings := map[string]map[string]any{}
	for _, line := range w.lines("config", "show") {
		if len(line) != 3 {
			t.Errorf("a line has other fields than path, value and origin: %v", line)
		}
		settings[line["path"].(string)] = line
	}
	file := w.path("config.yaml")
	for path, want := range map[string][2]any{
		"--config":                       {file, "flag --config"},
		"business.name":                  {"Libreria Aurora", file + ":2"},
		"database":                       {"sqlite:" + w.path("permesso.db"), file + ":3"},
		"public_url":                     {nil, "default"},
		"dry_run":                        {false, "default"},
		"policy.quiet_hours":             {nil, "default"},
		"numbers[0].messages_per_second": {2000.0, file + ":12"},
		"graph.access_token":             {"<secret>", "environment variable WHATSAPP_ACCESS_TOKEN"},
		"graph.app_secret":               {"<secret>", "file app-secret"},
		"campaigns[0].schedule.catch_up": {"once", "default"},
		"campaigns[0].audience":          {`country = "IT" AND attributes.points >= 10`, file + ":27"},
	} {
		if got := settings[path]; got == nil || got["value"] != want[0] || got["origin"] != want[1] {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}

	human := w.must("config", "show")
	for _, want := range []string{"PATH ", "(none)", "environment variable WHATSAPP_VERIFY_TOKEN", "file app-secret", "flag --config", "<secret>"} {
		if !strings.Contains(human, want) {
			t.Errorf("the table has no %q:\n%s", want, human)
		}
	}
	columns := strings.Split(human, "\n")
	if at := strings.Index(columns[0], "VALUE"); at < 0 || !strings.HasPrefix(columns[1][at:], file) {
		t.Errorf("the columns are not aligned:\n%s", human)
	}
	for _, secret := range []string{"token-of-tests", "secret-of-tests"} {
		if strings.Contains(human, secret) || strings.Contains(w.must("config", "show", "--json"), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

func TestConfigShowOfAWrongFile(t *testing.T) {
	w := newWorld(t)
	w.edit("version: 1", "version: 1\nvershun: 2")
	if a := w.run("config", "show"); a.code != exitConfig || a.out != "" || !strings.Contains(a.err, `did you mean "version"?`) {
		t.Errorf("exit %d\n%s%s", a.code, a.out, a.err)
	}
	nowhere := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
	if a := nowhere.run("config", "show"); a.code != exitConfig || !strings.Contains(a.err, "permesso init") {
		t.Errorf("exit %d %s", a.code, a.err)
	}
	if a := w.run("config"); a.code != exitWrongUse || !strings.Contains(a.err, "show") {
		t.Errorf("exit %d %s", a.code, a.err)
	}
}
