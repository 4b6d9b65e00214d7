package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
)

// halted is what halt and resume print as JSON.
type halted struct {
	Halted bool `json:"halted"`
	Runs   int  `json:"runs"`
}

func (s *session) haltVerb() *cobra.Command {
	var reason string
	cmd := s.verb(&cobra.Command{
		Use:   "halt [--reason WHY]",
		Short: "stop all sending, in every process, until resume",
		Args:  exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			held, err := a.Halt(ctx, s.actor(), reason)
			if err != nil {
				return err
			}
			return s.done(halted{true, held}, "Everything is halted, also after a restart; it holds %s. `permesso resume` takes that back.", count(held, "run"))
		})
	})
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, shown to whoever tries to send")
	return cmd
}
