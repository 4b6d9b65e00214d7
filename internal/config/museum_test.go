package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

var update = flag.Bool("update", false, "write testdata/*/*.txt from what Load says now")

// secrets answers for the variables that the examples and the museum name.
func secrets(name string) (string, bool) {
	switch name {
	case "WHATSAPP_ACCESS_TOKEN", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN", "DATABASE_PASSWORD":
		return "value-of-" + name, true
	case "NOTIFY_SECRET":
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte("value-of-NOTIFY_SECRET-that-is-long")), true
	case "REPLIES_SECRET":
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte("value-of-REPLIES_SECRET-that-is-long")), true
	case "SHORT_SECRET":
		return "value-of-SHORT", true
	case "BROKEN_SECRET":
		return "whsec_value-of-BROKEN_SECRET!", true
	case "EMPTY":
		return "", true
	}
	return "", false
}

// cast are the pieces of the museum that are made, not kept: bytes that editors and version control would mend, and sizes.
func cast() map[string][]byte {
	whole := head + tail
	utf16Of := func(order binary.AppendByteOrder, text string) (data []byte) {
		for _, unit := range utf16.Encode([]rune(text)) {
			data = order.AppendUint16(data, unit)
		}
		return data
	}
	return map[string][]byte{
		"carriage-returns":        []byte(strings.ReplaceAll(strings.Replace(whole, "template:", "templat:", 1), "\n", "\r\n")),
		"byte-order-mark":         []byte("\ufeff" + strings.Replace(whole, "version: 1", "verson: 1", 1)),
		"utf16-little-endian":     utf16Of(binary.LittleEndian, "\ufeff"+whole),
		"utf16-big-endian":        utf16Of(binary.BigEndian, "\ufeff"+whole),
		"utf16-without-a-mark":    utf16Of(binary.LittleEndian, whole),
		"windows-1252":            []byte(strings.Replace(whole, "Libreria", "Citt\xe0", 1)),
		"larger-than-8-mebibytes": []byte(whole + strings.Repeat("# nothing\n", 900_000)),
		"megabyte-of-text":        []byte(strings.Replace(whole, "template: weekend_offer", "template: "+strings.Repeat("A b", 1<<19), 1)),
		"key-that-fills-pages":    []byte(whole + strings.Repeat("x", 1<<16) + ": 1\n"),
		"brackets-without-end":    []byte(whole + "segments: " + strings.Repeat("[", 1<<16)),
		"aliases-of-aliases":      []byte(billionLaughs()),
		"nothing-at-all":          {},
		"zero-bytes":              []byte("version: 1\nname: \x00\x00\x00\n"),
	}
}

func billionLaughs() string {
	text := "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n"
	for i := range 40 {
		from, to := string(rune('a'+i%26))+strings.Repeat("x", i), string(rune('a'+(i+1)%26))+strings.Repeat("x", i+1)
		if i == 0 {
			from = "a0"
		}
		text += to + ": &" + to + " [" + strings.Repeat("*"+from+", ", 9) + "*" + from + "]\n"
	}
	return text
}

// hang brings a museum into a folder of its own, its made pieces too, and goes there. golden is where its labels are.
func hang(t *testing.T, name string, made map[string][]byte) (files []string, golden string) {
	t.Helper()
	golden, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	for piece, data := range made {
		if err := os.WriteFile(filepath.Join(folder, piece+".yaml"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
	files, err = filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return files, golden
}

func TestMuseumOfMistakes(t *testing.T) {
	files, golden := hang(t, "bad", cast())
	if len(files) < 190 {
		t.Fatalf("found %d wrong files", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			_, err := config.Load(file, secrets)
			problems, wrong := errors.AsType[*config.Problems](err)
			if !wrong {
				t.Fatalf("Load says %v, want problems", err)
			}
			for _, problem := range problems.All {
				checkProblem(t, problem, config.SeverityError)
			}
			compareLabel(t, golden, file, problems.Error())
		})
	}
	checkLabels(t, golden, files)
}

// TestMuseumOfDoubts shows what is allowed and probably not meant.
func TestMuseumOfDoubts(t *testing.T) {
	files, golden := hang(t, "doubtful", nil)
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			c, err := config.Load(file, secrets)
			if err != nil || len(c.Warnings) == 0 {
				t.Fatalf("Load says %v, want warnings alone", err)
			}
			for _, warning := range c.Warnings {
				checkProblem(t, warning, config.SeverityWarning)
			}
			compareLabel(t, golden, file, (&config.Problems{All: c.Warnings}).Error())
		})
	}
	checkLabels(t, golden, files)
}

var codeAtEnd = regexp.MustCompile(`(?m) \[([a-z0-9_]+)\]$`)

// TestEveryCodeOfTheConfigurationIsShown holds that no code is in the catalogue of which nobody has seen the message.
func TestEveryCodeOfTheConfigurationIsShown(t *testing.T) {
	shown := map[errcode.Code]bool{
		// They are of a configuration as a whole: TestAMissingFileSaysHowToBegin shows the last two.
		errcode.InvalidConfiguration: true, errcode.ConfigurationMissing: true, errcode.ConfigurationUnreadable: true,
	}
	labels, err := filepath.Glob("testdata/*/*.txt") // the tests above hold that they are what is said
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range labels {
		text, err := os.ReadFile(label)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range codeAtEnd.FindAllStringSubmatch(string(text), -1) {
			shown[errcode.Code(code[1])] = true
		}
	}
	for _, entry := range errcode.All() {
		if entry.Area == errcode.AreaConfiguration && !shown[entry.Code] {
			t.Errorf("no piece of the museum shows %s", entry.Code)
		}
	}
}

func compareLabel(t *testing.T, golden, file, said string) {
	t.Helper()
	got, label := said+"\n", filepath.Join(golden, strings.TrimSuffix(file, ".yaml")+".txt")
	if *update {
		if err := os.WriteFile(label, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(label)
	if err != nil {
		t.Fatalf("%v; run go test -run Museum -update and read what it wrote", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the message differs (-want +got):\n%s", diff)
	}
}

// checkLabels finds labels whose piece is gone.
func checkLabels(t *testing.T, golden string, files []string) {
	t.Helper()
	labels, err := filepath.Glob(filepath.Join(golden, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range labels {
		if piece := strings.TrimSuffix(filepath.Base(label), ".txt") + ".yaml"; !slices.Contains(files, piece) {
			t.Errorf("%s describes no piece", label)
		}
	}
}

// checkProblem checks that a problem points into its file, has a code that docs/ERRORS.md explains, and shows no secret.
func checkProblem(t *testing.T, p config.Problem, severity config.Severity) {
	t.Helper()
	data, err := os.ReadFile(p.File)
	if err != nil {
		t.Fatal(err)
	}
	if p.Line < 1 || p.Line > bytes.Count(data, []byte("\n"))+1 || p.Column < 1 || p.Column > len([]rune(p.Source))+1 {
		t.Errorf("%d:%d is not inside %s", p.Line, p.Column, p.File)
	}
	if entry, known := errcode.Find(p.Code); !known || entry.Area != errcode.AreaConfiguration {
		t.Errorf("%s has the code %q, which is none of the configuration", p, p.Code)
	}
	if p.Severity != severity {
		t.Errorf("%s is of severity %q, want %q", p, p.Severity, severity)
	}
	if len(p.Message) > 1000 || strings.ContainsAny(p.Message, "\n\x1b") {
		t.Errorf("the message does not fit a screen: %.200q", p.Message)
	}
	for _, secret := range []string{"EAABsbCS1234ZBrQ", "0123456789abcdef", "hunter2", "value-of-"} {
		if strings.Contains(p.String(), secret) {
			t.Errorf("%s shows the secret %s", p, secret)
		}
	}
}
