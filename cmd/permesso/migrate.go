package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/store"
)

func (s *session) migrateVerb() *cobra.Command {
	cmd := s.verb(&cobra.Command{
		Use:   "migrate",
		Short: "bring the database to this program's version",
		Long: "Applies every migration that the database wants. SQLite and an empty PostgreSQL database are migrated by themselves;\n" +
			"on a PostgreSQL database that is in use, this verb does it.",
		Args: exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		applied, err := store.Migrate(cmd.Context(), cfg.Database)
		if err != nil {
			return err
		}
		list := make([]migration, len(applied))
		for i, m := range applied {
			list[i] = migration(m)
		}
		if s.json {
			return s.object(map[string][]migration{"applied": list})
		}
		for _, m := range list {
			if err := s.say("applied %s", m.Name); err != nil {
				return err
			}
		}
		if len(list) == 0 {
			return s.say("The database is up to date.")
		}
		return nil
	})
	cmd.AddCommand(s.verb(&cobra.Command{
		Use:   "status",
		Short: "list the migrations, applying none",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		all, newer := store.Migrations(cmd.Context(), cfg.Database)
		if newer != nil && !errors.Is(newer, store.ErrNewer) {
			return newer
		}
		t := s.table("VERSION", "MIGRATION", "APPLIED")
		for _, m := range all {
			if s.json {
				if err := s.object(migration(m)); err != nil {
					return err
				}
				continue
			}
			t.row(number64(m.Version), m.Name, yesNo(m.Applied))
		}
		if s.json {
			return newer
		}
		return errors.Join(t.flush(), newer)
	}))
	return cmd
}

// migration is one step of the database's shape, as JSON.
type migration struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}
