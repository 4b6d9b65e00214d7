package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/internal/spelling"
)

// helpVerb stands in the place of cobra's own.
func (s *session) helpVerb() *cobra.Command {
	cmd := s.verb(&cobra.Command{
		Use:               "help [VERB]",
		Short:             "help about a verb, or about an error",
		Example:           "  permesso help runs resume\n  permesso help error database_locked",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeVerb,
	}, func(cmd *cobra.Command, args []string) error {
		about, left, err := cmd.Root().Find(args)
		switch {
		case err != nil:
			return misuse(errcode.UnknownVerb, "%w", err)
		case len(left) > 0 && !about.HasAvailableSubCommands():
			return misuse(errcode.SurplusArgument, "%q is one argument too many: `%s` has no verbs below it", left[0], about.CommandPath())
		case len(left) > 0:
			return unknownVerb(about, left[0])
		}
		about.InitDefaultHelpFlag()
		about.InitDefaultVersionFlag()
		return about.Help()
	})
	cmd.AddCommand(s.helpErrorVerb())
	return cmd
}

func completeVerb(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	about, _, err := cmd.Root().Find(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, c := range about.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name()+"\t"+c.Short)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// errorLine is a code as JSON.
type errorLine struct {
	Code    errcode.Code `json:"code"`
	Area    errcode.Area `json:"area"`
	Title   string       `json:"title"`
	Means   string       `json:"means"`
	Do      string       `json:"do"`
	Example string       `json:"example,omitempty"`
	Exit    int          `json:"exit,omitempty"` // absent when it varies
}

func (s *session) helpErrorVerb() *cobra.Command {
	return s.verb(&cobra.Command{
		Use:   "error [CODE]",
		Short: "what an error means and what to do about it",
		Long: "Explains the code that an error ends with, the reason in a line of the log, or one of Meta's numbers. Without CODE it\n" +
			"lists them all. It needs no configuration.",
		Example: "  permesso help error database_locked\n  permesso help error frequency_cap\n  permesso help error 131049",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse(errcode.SurplusArgument, "%q is one argument too many: name one code, or none for all", args[1])
			}
			return nil
		},
		ValidArgsFunction: completeCode,
	}, func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return s.listErrors()
		}
		return s.tellError(args[0])
	})
}

// explainedCodes is what docs/ERRORS.md has a section for.
func explainedCodes() []errcode.Entry { return append(errcode.All(), graph.Entries()...) }

func completeCode(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var codes []string
	for _, e := range explainedCodes() {
		codes = append(codes, string(e.Code)+"\t"+e.Title)
	}
	return codes, cobra.ShellCompDirectiveNoFileComp
}

func (s *session) listErrors() error {
	t := s.table("CODE", "EXIT", "MEANS").numbers(1)
	for _, e := range explainedCodes() {
		if s.json {
			if err := s.object(errorLine(e)); err != nil {
				return err
			}
			continue
		}
		exit := ""
		if e.Exit != 0 {
			exit = fmt.Sprint(e.Exit)
		}
		t.row(string(e.Code), exit, e.Title)
	}
	if s.json {
		return nil
	}
	return t.flush()
}

// tellError explains a code as people copy it: with its brackets, in capitals, or Meta's bare number.
func (s *session) tellError(word string) error {
	entries := explainedCodes()
	code := strings.ToLower(strings.Trim(word, "[]#. "))
	i := slices.IndexFunc(entries, func(e errcode.Entry) bool { return string(e.Code) == code || string(e.Code) == "meta_"+code })
	if i < 0 {
		return noSuchCode(word, entries)
	}
	if s.json {
		return s.object(errorLine(entries[i]))
	}
	return s.print("%s", strings.TrimSuffix(entries[i].Text(), "\n"))
}

func noSuchCode(word string, entries []errcode.Entry) error {
	var codes []string
	for _, e := range entries {
		codes = append(codes, string(e.Code))
	}
	if near := spelling.Nearest(word, codes); near != "" {
		return misuse(errcode.NoSuchCode, "there is no error %q; did you mean %q?", word, near)
	}
	return misuse(errcode.NoSuchCode, "there is no error %q; `permesso help error` lists them", word)
}
