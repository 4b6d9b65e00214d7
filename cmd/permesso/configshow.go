package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/config"
)

func (s *session) configVerb() *cobra.Command {
	return s.group(&cobra.Command{Use: "config", Short: "the configuration: show"}, s.configShowVerb())
}

func (s *session) configShowVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "show",
		Short: "print every value that holds, and where it comes from",
		Long: "Prints every value of the configuration that holds, those of absent keys included, with its origin: file and line, default,\n" +
			"an environment variable, or a file that it is read from. Secrets are masked.",
		Example: "  permesso config show\n  permesso config show --json",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.configShow(cmd)
	})
}

func (s *session) configShow(cmd *cobra.Command) error {
	if _, err := s.config(); err != nil {
		return err
	}
	settings, err := config.Effective(s.configFile, s.env)
	if err != nil {
		return err
	}
	file := config.Setting{Path: "--config", Value: s.configFile, Origin: config.OriginDefault}
	if cmd.Flags().Changed("config") {
		file.Origin = "flag --config"
	}
	t := s.table("PATH", "VALUE", "ORIGIN")
	for _, setting := range append([]config.Setting{file}, settings...) {
		if s.json {
			if err := s.object(setting); err != nil {
				return err
			}
			continue
		}
		t.row(setting.Path, shownValue(setting.Value), setting.Origin)
	}
	if s.json {
		return nil
	}
	return t.flush()
}

// shownValue writes a value as the file would, and says so when there is none.
func shownValue(value any) string {
	switch value := value.(type) {
	case nil:
		return "(none)"
	case string:
		return value
	case float64, int, bool:
		return fmt.Sprint(value)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value) // only empty lists and mappings come here
	}
	return string(text)
}
