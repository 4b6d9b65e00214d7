package proof

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// The environment of the scenarios.
const (
	envBinary = "PERMESSO_PROOF_BINARY" // a program to judge in place of the one that is built here
	envSeed   = "PERMESSO_PROOF_SEED"   // the one seed to play, or a range as 1-10
	envSoak   = "PERMESSO_SOAK"         // 1 plays every scenario at length
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The scenarios wait, for leases and paces, far more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // a temporary folder
	}
	os.Exit(code)
}

// built is where the program was built.
var built struct{ dir string }

// binary is the program that is judged, built at its first use; it is no part of the tests' process, and not under the race
// detector.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(envBinary); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "permesso-proof-")
	if err != nil {
		return "", err
	}
	built.dir = dir
	path := filepath.Join(dir, "permesso")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/permesso/permesso/cmd/permesso")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})
