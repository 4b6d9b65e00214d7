package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/config"
)

var update = flag.Bool("update", false, "write testdata/bad/*.txt from what Load says now")

// secrets answers for the variables that the examples and the museum name.
func secrets(name string) (string, bool) {
	switch name {
	case "WHATSAPP_ACCESS_TOKEN", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN":
		return "value-of-" + name, true
	case "EMPTY":
		return "", true
	}
	return "", false
}

func TestMuseumOfMistakes(t *testing.T) {
	t.Chdir("testdata/bad")
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("found %d wrong files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			_, err := config.Load(file, secrets)
			problems, wrong := errors.AsType[*config.Problems](err)
			if !wrong {
				t.Fatalf("Load says %v, want problems", err)
			}
			for _, problem := range problems.All {
				checkPlace(t, problem)
			}
			got := problems.Error() + "\n"
			want := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			text, err := os.ReadFile(want)
			if err != nil {
				t.Fatalf("%v; run go test -run Museum -update and read what it wrote", err)
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("the message differs (-want +got):\n%s", diff)
			}
		})
	}
}

// checkPlace checks that a problem points into its file and shows no secret.
func checkPlace(t *testing.T, p config.Problem) {
	t.Helper()
	data, err := os.ReadFile(p.File)
	if err != nil {
		t.Fatal(err)
	}
	if p.Line < 1 || p.Line > strings.Count(string(data), "\n")+1 || p.Column < 1 || p.Column > len([]rune(p.Source))+1 {
		t.Errorf("%d:%d is not inside %s", p.Line, p.Column, p.File)
	}
	for _, secret := range []string{"EAABsbCS1234ZBrQ", "0123456789abcdef", "hunter2", "value-of-"} {
		if strings.Contains(p.String(), secret) {
			t.Errorf("%s shows the secret %s", p, secret)
		}
	}
}
