package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

func (s *session) schemaVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of config.yaml, for editors",
		Long: "Prints the JSON Schema (draft 2020-12) of config.yaml as this version reads it. `init` writes it beside the configuration,\n" +
			"which names it in its first line, so that editors explain keys and show mistakes as you type. After an update of permesso,\n" +
			"this renews it. An included file of campaigns names the part " + config.SchemaIncluded + " of it.",
		Example: "  permesso schema > " + config.SchemaFile,
		Args:    exactly(),
	}, func(*cobra.Command, []string) error {
		schema, err := config.Schema()
		if err != nil {
			return err
		}
		if _, err := s.out.Write(schema); err != nil {
			return errcode.With(fmt.Errorf("printing the schema: %w", err), errcode.OutputFailed)
		}
		return nil
	})
}

// writeSchema puts the schema beside the configuration at path. One of permesso's, however old, is replaced: it is
// generated, and nobody's work is in it. Another program's stays, unless force. takeBack removes one that was not there.
func writeSchema(path string, force bool) (takeBack func() error, err error) {
	schema, err := config.Schema()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(filepath.Dir(path), config.SchemaFile)
	there, err := os.ReadFile(file)
	switch {
	case err == nil && !force && !config.IsSchema(there):
		return nil, errcode.With(fmt.Errorf("%s is there already and is not permesso's: move it away, or --force replaces it", file), errcode.ConfigurationThere)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, errcode.With(fmt.Errorf("looking at %s, which the schema of the configuration is written to: %w", file, err), errcode.FileUnreadable)
	}
	if err := os.WriteFile(file, schema, 0o644); err != nil {
		return nil, errcode.With(fmt.Errorf("writing the schema of the configuration: %w", err), errcode.FileUnwritable)
	}
	if err == nil {
		return func() error { return nil }, nil
	}
	return func() error { return os.Remove(file) }, nil
}
