package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

const (
	runsOffered   = 100
	runsSoughtFor = time.Second // a shell waits for its line
)

// offer is what may stand in one place of the line, each with an explanation behind a tab. What it asks for and does not
// get, it leaves out: a person who presses TAB has not asked for an error.
type offer func(cmd *cobra.Command, written string) []string

// addCompletions gives every verb the words that its arguments and flags may have, by the names that they have in its line
// of use.
func (s *session) addCompletions(cmd *cobra.Command) {
	arguments := map[string]offer{"CAMPAIGN": s.campaignsOffered, "RUN": s.runsOffered, "CATEGORY": s.categoriesOffered}
	names := argumentNames(cmd.Use)
	if !slices.Contains(names, "FILE") && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, written string) ([]string, cobra.ShellCompDirective) {
			if len(args) >= len(names) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return offered(arguments[names[len(args)]], cmd, written)
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		of := s.flagOffer(cmd.CommandPath(), flag.Name)
		if of == nil {
			return
		}
		// This flag is there and has no words yet, which is all that could be wrong.
		_ = cmd.RegisterFlagCompletionFunc(flag.Name, func(cmd *cobra.Command, _ []string, written string) ([]string, cobra.ShellCompDirective) {
			return offered(of, cmd, written)
		})
	})
	for _, verb := range cmd.Commands() {
		s.addCompletions(verb)
	}
}

// argumentNames are the arguments of a line of use, in order: log has none, consent grant PHONE and CATEGORY.
func argumentNames(use string) []string {
	var names []string
	for _, word := range strings.Fields(use)[1:] {
		name := strings.Trim(word, "[]")
		if strings.HasPrefix(name, "-") {
			break
		}
		if name != "" && !strings.ContainsFunc(name, unicode.IsLower) {
			names = append(names, name)
		}
	}
	return names
}

func (s *session) flagOffer(verb, flag string) offer {
	switch flag {
	case "campaign":
		return s.campaignsOffered
	case "run":
		return s.runsOffered
	case "only":
		return rolesOffered
	case "scope":
		return s.scopesOffered
	case "source":
		return fixed(policy.Sources())
	}
	switch strings.TrimPrefix(verb, "permesso ") + " --" + flag {
	case "log --state":
		return fixed(words(sender.States()))
	case "runs list --state":
		return fixed(runStates)
	case "log --reason":
		return reasonsOffered
	}
	return nil
}

// offered keeps of an offer what begins with what is written, in its own order.
func offered(of offer, cmd *cobra.Command, written string) ([]string, cobra.ShellCompDirective) {
	if of == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all := slices.DeleteFunc(of(cmd, written), func(word string) bool { return !strings.HasPrefix(word, written) })
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

func fixed(words []string) offer {
	return func(*cobra.Command, string) []string { return slices.Clone(words) }
}

func reasonsOffered(*cobra.Command, string) []string {
	var all []string
	for _, reason := range report.Reasons() {
		all = append(all, string(reason)+"\t"+report.Sentence(reason))
	}
	return all
}

// rolesOffered goes on behind the last comma.
func rolesOffered(_ *cobra.Command, written string) []string {
	before := written[:strings.LastIndexByte(written, ',')+1]
	taken := strings.Split(before, ",")
	var all []string
	for _, role := range app.Roles() {
		if !slices.Contains(taken, string(role)) {
			all = append(all, before+string(role))
		}
	}
	return all
}

// configOffered is the configuration as far as it can be read: a shell in which TAB is pressed often has no secrets.
func (s *session) configOffered() (config.Config, bool) {
	cfg, err := config.Load(s.configFile, func(name string) (string, bool) {
		found, _ := s.env(name)
		return cmp.Or(found, name), true
	})
	if err != nil {
		return config.Config{}, false
	}
	return *cfg, true
}

func (s *session) campaignsOffered(*cobra.Command, string) []string {
	cfg, _ := s.configOffered()
	var all []string
	for _, c := range cfg.Campaigns {
		all = append(all, c.ID+"\t"+c.Message.Template)
	}
	return all
}

func (s *session) categoriesOffered(*cobra.Command, string) []string {
	cfg, _ := s.configOffered()
	var all []string
	for _, id := range categoryIDs(&cfg) {
		all = append(all, id+"\t"+string(cfg.Rules.Categories[id].Kind))
	}
	return all
}

func (s *session) scopesOffered(cmd *cobra.Command, written string) []string {
	all := []string{string(policy.ScopeAll), "kind:" + string(policy.Marketing), "kind:" + string(policy.Utility), "kind:" + string(policy.Authentication)}
	for _, category := range s.categoriesOffered(cmd, written) {
		all = append(all, "category:"+category)
	}
	return all
}

// runsOffered are the newest runs; for a verb that moves a run, those that may be moved so.
func (s *session) runsOffered(cmd *cobra.Command, _ string) []string {
	cfg, ok := s.configOffered()
	if !ok {
		return nil
	}
	if !strings.HasPrefix(cfg.Database, "sqlite:") {
		// Nobody knocks at a server with a password that is not one.
		strict, err := config.Load(s.configFile, s.env)
		if err != nil {
			return nil
		}
		cfg = *strict
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), runsSoughtFor)
	defer cancel()
	runs, err := store.RunNames(ctx, cfg.Database, runsOffered)
	if err != nil {
		return nil
	}
	var all []string
	for _, r := range runs {
		if movable(cmd.Name(), r.State) {
			all = append(all, r.ID+"\t"+r.Campaign+", "+string(r.State))
		}
	}
	return all
}

func movable(verb string, state scheduler.RunState) bool {
	switch verb {
	case "pause":
		return app.Goes(state)
	case "resume":
		return app.Goes(state) || state == scheduler.Paused
	case "approve":
		return state == scheduler.Waiting
	case "cancel":
		return app.Goes(state) || state == scheduler.Paused || state == scheduler.Waiting
	}
	return true
}
