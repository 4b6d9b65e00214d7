package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

func (s *session) serveVerb() *cobra.Command {
	var only string
	cmd := s.verb(&cobra.Command{
		Use:   "serve [--only ROLES]",
		Short: "run the service: schedules, sending, webhooks, console",
		Long: "Runs the service until it is told to stop. On PostgreSQL more processes are more workers; each opens only the\n" +
			"listeners of its roles, and metrics. The first Ctrl-C stops in good order, the second at once.\n\n" +
			"Changes of the configuration are taken up within seconds, and at once on SIGHUP; a file with mistakes is not. A run\n" +
			"keeps what it began with.",
		Example: "  permesso serve\n  permesso serve --only sender,webhook",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		roles, err := app.ParseRoles(only)
		if err != nil {
			return misuse(errcode.NoSuchRole, "%w", err)
		}
		cfg, trail, err := s.tracedConfig()
		if err != nil {
			return err
		}
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGHUP)
		defer signal.Stop(asked)
		return s.withConfig(cmd, cfg, slog.LevelInfo, func(ctx context.Context, a *app.App) error {
			for _, warning := range cfg.Warnings {
				a.Log.Warn(warning.Message, "file", warning.File, "line", warning.Line)
			}
			a.Follow(s.configFile, s.env, trail, asked)
			var told error
			err := a.Serve(ctx, roles, func() { told = s.tellAddresses(cfg, roles) })
			if err == nil {
				err = told
			}
			return err
		})
	})
	cmd.Flags().StringVar(&only, "only", "", "only these `ROLES`: scheduler, sender, webhook, console")
	return cmd
}

// addresses is what serve listens on, and what `serve --json` prints once it does.
type addresses struct {
	Roles   []app.Role `json:"roles"`
	Webhook string     `json:"webhook,omitempty"`
	Public  string     `json:"public,omitempty"`
	Console string     `json:"console,omitempty"`
	Metrics string     `json:"metrics"`
}

func (s *session) tellAddresses(cfg *config.Config, roles []app.Role) error {
	at := addresses{Roles: roles, Metrics: "http://" + cfg.Listen.Metrics + "/metrics"}
	if slices.Contains(roles, app.RoleWebhook) {
		at.Webhook = "http://" + cfg.Listen.Webhook + "/webhook"
		if cfg.PublicURL != "" {
			at.Public = cfg.PublicURL + "/webhook"
		}
	}
	if slices.Contains(roles, app.RoleConsole) {
		at.Console = "http://" + cfg.Listen.Console + "/"
	}
	if s.json {
		return s.object(at)
	}
	if s.quiet {
		return nil
	}
	t := s.table("permesso is serving", "")
	for _, line := range [][2]string{{"console", at.Console}, {"webhooks", at.Webhook}, {"as Meta reaches them", at.Public}, {"metrics", at.Metrics}} {
		if line[1] != "" {
			t.row("  "+line[0], line[1])
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if cfg.DryRun {
		return s.say("dry_run is true: nothing leaves.")
	}
	return s.say("Ctrl-C stops it in good order; what is under way is finished first.")
}
