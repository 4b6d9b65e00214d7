package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/config"
)

func (s *session) initVerb() *cobra.Command {
	var o config.InitOptions
	var force bool
	cmd := s.verb(&cobra.Command{
		Use:     "init [flags]",
		Short:   "write a commented configuration with the safe values",
		Long:    "Writes a commented configuration, with caps, quiet hours and dry_run on. On a terminal it asks for what no flag says.",
		Example: "  permesso init --name \"Libreria Aurora\" --country IT --timezone Europe/Rome",
		Args:    exactly(),
	}, func(_ *cobra.Command, _ []string) error {
		return s.init(o, force)
	})
	flags := cmd.Flags()
	flags.StringVar(&o.Name, "name", "", "the `NAME` of the business, as people know it")
	flags.StringVar(&o.Country, "country", "", "its `COUNTRY`, two letters: numbers without a country code are read as this country's")
	flags.StringVar(&o.Timezone, "timezone", "", "its IANA time `ZONE`, such as Europe/Rome")
	flags.StringVar(&o.AccountID, "account-id", "", "the `ID` of its WhatsApp Business Account")
	flags.StringVar(&o.NumberID, "number-id", "", "Meta's `ID` of the phone number that sends")
	flags.StringVar(&o.Database, "database", "", "the `DATABASE`: sqlite:PATH, or postgres://…")
	flags.BoolVar(&force, "force", false, "replace a configuration that is there")
	return cmd
}

func (s *session) init(o config.InitOptions, force bool) error {
	if _, err := os.Stat(s.configFile); err == nil && !force {
		return fmt.Errorf("%s is there already: --force replaces it, --config writes another", s.configFile)
	}
	if s.terminal && isTerminal(s.in) && !s.quiet {
		if err := s.askInit(&o); err != nil {
			return err
		}
	}
	var text strings.Builder
	if err := config.WriteInit(&text, o); err != nil {
		if problems, ok := errors.AsType[*config.Problems](err); ok {
			var messages []string
			for _, p := range problems.All {
				messages = append(messages, p.Message)
			}
			return wrongUse("%s", strings.Join(messages, "\n"))
		}
		return err
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	if err := writeNew(s.configFile, mode, text.String()); err != nil {
		return err
	}
	return s.done(map[string]string{"file": s.configFile},
		"%s is written. Set WHATSAPP_ACCESS_TOKEN, WHATSAPP_APP_SECRET and WHATSAPP_VERIFY_TOKEN, edit it, then run `permesso check`.", s.configFile)
}

func writeNew(path string, mode int, text string) error {
	file, err := os.OpenFile(path, mode, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: --force replaces it, --config writes another", path)
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// askInit asks for what no flag said; an empty answer takes the example.
func (s *session) askInit(o *config.InitOptions) error {
	lines := bufio.NewReader(s.in)
	for _, q := range []struct {
		into           *string
		what, fallback string
	}{
		{&o.Name, "Name of the business", "Libreria Aurora"},
		{&o.Country, "Its country, two letters", "IT"},
		{&o.Timezone, "Its time zone", "Europe/Rome"},
		{&o.AccountID, "WhatsApp Business Account id", "500600700800"},
		{&o.NumberID, "Phone number id", "111222333444"},
	} {
		if *q.into != "" {
			continue
		}
		if _, err := fmt.Fprintf(s.out, "%s [%s]: ", q.what, q.fallback); err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		answer, err := lines.ReadString('\n')
		if err != nil && answer == "" {
			return errors.New("no answer: nothing was written")
		}
		*q.into = strings.TrimSpace(answer)
	}
	return nil
}
