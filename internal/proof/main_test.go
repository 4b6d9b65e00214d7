package proof

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The environment of the scenarios.
const (
	envBinary = "PERMESSO_PROOF_BINARY" // a program to judge in place of the one that is built here
	envSeed   = "PERMESSO_PROOF_SEED"   // the one seed to play
	envSoak   = "PERMESSO_SOAK"         // 1 plays every scenario at length
)

// binary is the program that is judged; it is no part of the tests' process, and not under the race detector.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	// The scenarios wait, for leases and paces, far more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if binary = os.Getenv(envBinary); binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "permesso-proof-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "permesso")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "github.com/permesso/permesso/cmd/permesso")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
