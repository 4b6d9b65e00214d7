package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

// session is one call of permesso: where it reads and writes, and the flags that every verb takes.
type session struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)
	terminal bool // out is one
	answers  bool // in is one as well: somebody can be asked
	colour   bool
	logText  bool // err is a terminal

	configFile  string
	json, quiet bool

	entered bool  // a verb has begun: what fails now is no longer a wrong line
	late    error // what cobra would not take: it reports nothing of a request for help
}

func newSession(in io.Reader, out, errs io.Writer, env func(string) (string, bool)) *session {
	s := &session{in: in, out: out, err: errs, env: env, terminal: isTerminal(out), logText: isTerminal(errs)}
	s.answers = s.terminal && isTerminal(in)
	noColour, _ := env("NO_COLOR")
	dumb, _ := env("TERM")
	s.colour = s.terminal && noColour == "" && dumb != "dumb"
	return s
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// verb completes a command: its work counts as begun only once cobra has accepted the line.
func (s *session) verb(cmd *cobra.Command, work func(cmd *cobra.Command, args []string) error) *cobra.Command {
	cmd.DisableFlagsInUseLine = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s.entered = true
		return work(cmd, args)
	}
	return cmd
}

// group is a word with verbs below it.
func (s *session) group(cmd *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(verbs...)
	return s.verb(cmd, func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownVerb(cmd, args[0])
		}
		if !cmd.HasParent() {
			return cmd.Help()
		}
		return misuse(errcode.MissingVerb, "%s wants a verb: %s", cmd.CommandPath(), verbNames(cmd))
	})
}

func unknownVerb(cmd *cobra.Command, word string) error {
	path := cmd.CommandPath() + " " + word
	if what, ok := unbuilt[strings.TrimPrefix(path, cmd.Root().Name()+" ")]; ok {
		return misuse(errcode.UnknownVerb, "`%s`, %s, is not in this version", path, what)
	}
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return misuse(errcode.UnknownVerb, "there is no verb %q; did you mean `%s %s`?", word, cmd.CommandPath(), near[0])
	}
	return misuse(errcode.UnknownVerb, "there is no verb %q; `%s` has %s", word, cmd.CommandPath(), verbNames(cmd))
}

func verbNames(cmd *cobra.Command) string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return strings.Join(names, ", ")
}

// exactly wants these arguments, and names the one that is missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return misuse(errcode.MissingArgument, "%s is missing: `%s`", names[len(args)], cmd.UseLine())
		case len(args) > len(names):
			return misuse(errcode.SurplusArgument, "%q is one argument too many: `%s`", args[len(names)], cmd.UseLine())
		}
		return nil
	}
}

// config loads the configuration.
func (s *session) config() (*config.Config, error) {
	cfg, _, err := s.tracedConfig()
	return cfg, err
}

// tracedConfig loads the configuration, and tells what it was read from.
func (s *session) tracedConfig() (*config.Config, config.Trail, error) {
	cfg, trail, err := config.Trace(s.configFile, s.env)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, trail, &noConfig{fmt.Sprintf("there is no configuration at %s: `permesso init` writes one, --config names another", s.configFile), errcode.ConfigurationMissing}
	}
	if err == nil {
		return cfg, trail, nil
	}
	if _, ok := errors.AsType[*config.Problems](err); ok {
		return nil, trail, err
	}
	return nil, trail, &noConfig{err.Error(), errcode.ConfigurationUnreadable}
}

// noConfig says that the configuration could not be read at all.
type noConfig struct {
	why  string
	code errcode.Code
}

// Error says why.
func (e *noConfig) Error() string { return e.why }

// ErrorCode returns its code.
func (e *noConfig) ErrorCode() errcode.Code { return e.code }

// logger writes to stderr: text on a terminal, else JSON.
func (s *session) logger(level slog.Level) *slog.Logger {
	if s.quiet {
		level = max(level, slog.LevelWarn)
	}
	o := &slog.HandlerOptions{Level: level}
	if s.logText {
		return slog.New(slog.NewTextHandler(s.err, o))
	}
	return slog.New(slog.NewJSONHandler(s.err, o))
}

// with loads the configuration, opens everything it names, and closes it after work. Verbs that do one thing and end log
// only what went wrong: what they did is in their output.
func (s *session) with(cmd *cobra.Command, work func(ctx context.Context, a *app.App) error) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	return s.withConfig(cmd, cfg, slog.LevelWarn, work)
}

func (s *session) withConfig(cmd *cobra.Command, cfg *config.Config, level slog.Level, work func(ctx context.Context, a *app.App) error) (err error) {
	a, err := app.Open(cmd.Context(), cfg, s.logger(level))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	defer a.KeepStops(cmd.Context())
	defer a.KeepLedger(cmd.Context())
	return work(cmd.Context(), a)
}

// campaign checks that the configuration has the campaign.
func campaign(cfg *config.Config, id string) error {
	if _, ok := cfg.Campaign(id); ok {
		return nil
	}
	ids := make([]string, len(cfg.Campaigns))
	for i, c := range cfg.Campaigns {
		ids[i] = c.ID
	}
	return misuse(errcode.NoSuchCampaign, "there is no campaign %q in %s%s", id, cfg.File, among(id, ids))
}

// campaignAt reads the configuration, and the campaign and the time that a line names.
func (s *session) campaignAt(id, at string) (*config.Config, time.Time, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := campaign(cfg, id); err != nil {
		return nil, time.Time{}, err
	}
	start, err := when("--at", at, zoneOf(cfg))
	return cfg, start, err
}

// category checks that the configuration has the category.
func category(cfg *config.Config, id string) error {
	if _, ok := cfg.Rules.Categories[id]; ok {
		return nil
	}
	return misuse(errcode.NoSuchCategory, "there is no category %q in %s%s", id, cfg.File, among(id, categoryIDs(cfg)))
}

// number reads a phone number as people write it.
func number(cfg *config.Config, text string) (phone.Number, error) {
	n, err := phone.Parse(text, cfg.Business.Country)
	if err != nil {
		return "", &usageError{fmt.Errorf("PHONE: %w", err)}
	}
	return n, nil
}

// anyNumber also takes a number that no numbering plan has: WhatsApp knows some, and a stop must not fail for it.
func anyNumber(cfg *config.Config, text string) (n phone.Number, planned bool, err error) {
	n, err = number(cfg, text)
	if err == nil {
		return n, true, nil
	}
	if foreign, ok := phone.FromWhatsApp(text); ok && strings.HasPrefix(strings.TrimSpace(text), "+") {
		return foreign, false, nil
	}
	return "", false, err
}

// scope reads what a stop is to cover.
func scope(cfg *config.Config, text string) (policy.Scope, error) {
	sc, err := policy.ParseScope(text)
	if err != nil {
		return "", misuse(errcode.InvalidScope, "--scope: %w", err)
	}
	if id, ok := strings.CutPrefix(string(sc), "category:"); ok {
		return sc, category(cfg, id)
	}
	return sc, nil
}

// actor names who did something, for the audit log.
func (s *session) actor() string {
	user, _ := s.env("USER")
	return cmp.Or(user, "operator")
}

func zoneOf(cfg *config.Config) *time.Location {
	zone, err := time.LoadLocation(cfg.Business.Timezone)
	if err != nil {
		return time.UTC // config.Load has checked it
	}
	return zone
}
