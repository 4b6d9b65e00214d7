package app_test

import (
	"bytes"
	"image/png"
	"regexp"
	"strings"
	"testing"
)

// Each linter guards something that is named beside it, and each setting says why it is as it is.
func TestLintersSayWhy(t *testing.T) {
	section, path, linters := "", []string{}, 0
	lines := strings.Split(string(readFile(t, ".golangci.yml")), "\n")
	for n, line := range lines {
		text := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		for len(path) > 0 && indent <= len(path[len(path)-1])-len(strings.TrimLeft(path[len(path)-1], " ")) {
			path = path[:len(path)-1]
		}
		if strings.HasSuffix(text, ":") {
			path = append(path, line)
			section = strings.Join(strings.Fields(strings.Join(path, "")), "")
			continue
		}
		said := strings.Contains(text, " # ") || strings.HasPrefix(strings.TrimSpace(lines[n-1]), "#")
		switch {
		case strings.HasPrefix(section, "linters:enable:"), strings.HasPrefix(section, "formatters:"):
			linters++
			if !strings.Contains(text, " # ") {
				t.Errorf(".golangci.yml:%d: %q does not say what it is for", n+1, text)
			}
			if name := strings.Fields(text)[1]; strings.Contains(text, "see the settings") && !strings.Contains(string(readFile(t, ".golangci.yml")), "\n    "+name+":\n") {
				t.Errorf(".golangci.yml:%d: %s has no settings to see", n+1, name)
			}
		case strings.Contains(section, "forbid:"):
			if strings.HasPrefix(text, "- pattern:") && !strings.HasPrefix(strings.TrimSpace(lines[n+1]), "msg: ") {
				t.Errorf(".golangci.yml:%d: what is forbidden does not say what to do instead", n+1)
			}
		case strings.HasPrefix(section, "linters:settings:"), strings.HasPrefix(section, "issues:"):
			if !said {
				t.Errorf(".golangci.yml:%d: the setting %q does not say why", n+1, text)
			}
		}
	}
	if linters < 20 {
		t.Errorf("%d linters were read", linters)
	}
}

// What runs on a build machine is what a developer runs, with everything that finds mistakes on.
func TestBuildMachineRunsMakeTest(t *testing.T) {
	for file, wants := range map[string][]string{
		".ci/run":  {`(?m)^exec make test`},
		"Makefile": {`(?m)^test:.*\n\t@\.ci/install compiler postgresql chromium axe\n\t@\.ci/lint\n\t@\.ci/with-postgres \.ci/test`},
		".ci/test": {`go test .*-race.*-shuffle=on`, `PERMESSO_TEST_REQUIRED=1`},
		".ci/lint": {`(?m)^go vet `, `staticcheck "`, `govulncheck \./\.\.\.`, `gofmt -l`},
	} {
		text := readFile(t, file)
		for _, want := range wants {
			if !regexp.MustCompile(want).Match(text) {
				t.Errorf("%s has nothing like %s", file, want)
			}
		}
	}
}

func TestLicence(t *testing.T) {
	text := string(readFile(t, "LICENSE"))
	if !strings.Contains(text, "Apache License") || !strings.Contains(text, "Version 2.0, January 2004") || !strings.Contains(string(readFile(t, "README.md")), "[LICENSE](LICENSE)") {
		t.Error("LICENSE is not the Apache License 2.0, or README.md does not lead there")
	}
}

// README.md shows the console, in a picture that says in words what is on it.
func TestReadmeShowsTheConsole(t *testing.T) {
	found := regexp.MustCompile(`!\[([^\]]+)\]\((docs/console\.png)\)`).FindSubmatch(readFile(t, "README.md"))
	if found == nil || len(found[1]) < 40 {
		t.Fatal("README.md has no picture of the console, or it says too little of it")
	}
	picture, err := png.Decode(bytes.NewReader(readFile(t, string(found[2]))))
	if err != nil || picture.Bounds().Dx() < 800 {
		t.Errorf("%s: %v", found[2], err)
	}
}
