package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// built is what is known of this binary.
type built struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// String is one line for people.
func (b built) String() string {
	commit := ""
	if b.Commit != "" {
		commit = " (" + b.Commit[:min(12, len(b.Commit))] + ")"
	}
	return b.Version + commit + ", " + b.Go
}

// version reads what the go tool wrote into the binary.
func version() built {
	b := built{Version: "(devel)", Go: runtime.Version()}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(build.Main.Version, b.Version)
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			b.Commit = setting.Value
		}
	}
	return b
}

func (s *session) versionVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  exactly(),
	}, func(_ *cobra.Command, _ []string) error {
		if s.json {
			return s.object(version())
		}
		return s.print("permesso %s", version())
	})
}
