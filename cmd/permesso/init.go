package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

func (s *session) initVerb() *cobra.Command {
	var o config.InitOptions
	var force bool
	cmd := s.verb(&cobra.Command{
		Use:   "init [flags]",
		Short: "write a commented configuration with the safe values",
		Long: "Writes a commented configuration, with caps, quiet hours and dry_run on, and beside it the schema by which\n" +
			"editors explain it. On a terminal it asks five questions; with any flag that answers one, or where nobody can\n" +
			"answer, it asks none and takes an example for what no flag says.",
		Example: "  permesso init\n  permesso init --name \"Libreria Aurora\" --country IT --timezone Europe/Rome",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		return s.init(cmd, o, force)
	})
	flags := cmd.Flags()
	flags.StringVar(&o.Name, "name", "", "the `NAME` of the business, as people know it")
	flags.StringVar(&o.Country, "country", "", "its `COUNTRY`, two letters: numbers without a country code are read as this country's")
	flags.StringVar(&o.Timezone, "timezone", "", "its IANA time `ZONE`, such as Europe/Rome; else the country's")
	flags.StringVar(&o.Language, "language", "", "the `LANGUAGE` of its templates, such as it or pt_BR; else the country's")
	flags.StringVar(&o.AccountID, "account-id", "", "the `ID` of its WhatsApp Business Account")
	flags.StringVar(&o.NumberID, "number-id", "", "Meta's `ID` of the phone number that sends")
	flags.StringVar(&o.Database, "database", "", "the `DATABASE`: sqlite:PATH, or postgres://…")
	flags.BoolVar(&force, "force", false, "replace a configuration that is there")
	return cmd
}

func (s *session) init(cmd *cobra.Command, o config.InitOptions, force bool) error {
	if _, err := os.Lstat(s.configFile); err == nil && !force {
		return there(s.configFile)
	}
	answered := false
	cmd.Flags().Visit(func(f *pflag.Flag) {
		answered = answered || f.Name != "force" && cmd.LocalNonPersistentFlags().Lookup(f.Name) != nil
	})
	if s.answers && !answered && !s.quiet && !s.json {
		if err := s.askInit(cmd.Context(), &o); err != nil {
			return err
		}
	}
	var text strings.Builder
	if err := config.WriteInit(&text, o); err != nil {
		if messages := sentences(err); messages != "" {
			return misuse(errcode.InvalidFlagValue, "%s", messages)
		}
		return err
	}
	takeBack, err := writeSchema(s.configFile, force)
	if err != nil {
		return err
	}
	if err := writeNew(s.configFile, text.String(), force); err != nil {
		return errors.Join(err, takeBack())
	}
	return s.done(map[string]string{"file": s.configFile},
		"%s is written. Set WHATSAPP_ACCESS_TOKEN, WHATSAPP_APP_SECRET and WHATSAPP_VERIFY_TOKEN, edit it, then run `permesso check`.", s.configFile)
}

// sentences are the messages of the mistakes in what init was told; "" when the error is another one.
func sentences(err error) string {
	problems, ok := errors.AsType[*config.Problems](err)
	if !ok {
		return ""
	}
	var messages []string
	for _, p := range problems.All {
		messages = append(messages, p.Message)
	}
	return strings.Join(messages, "\n")
}

func there(path string) error {
	return errcode.With(fmt.Errorf("%s is there already: --force replaces it, --config writes another", path), errcode.ConfigurationThere)
}

// writeNew writes a whole file or none: one that is there is replaced only by one that is complete, and only if asked to.
func writeNew(path, text string, replace bool) error {
	if !replace {
		claim, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return there(path)
		}
		if err != nil {
			return unwritable(err)
		}
		if err := errors.Join(claim.Close(), writeOver(path, text)); err != nil {
			return unwritable(errors.Join(err, os.Remove(path)))
		}
		return nil
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays one
	}
	if err := writeOver(path, text); err != nil {
		return unwritable(err)
	}
	return nil
}

func unwritable(err error) error {
	return errcode.With(fmt.Errorf("writing the configuration: %w", err), errcode.FileUnwritable)
}

func writeOver(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // errs once it has its name, as it should
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// exampleCountry stands in init's file where nobody has said another.
const exampleCountry = "IT"

// homeCountry is the country of the machine's own language settings, as in LANG=it_IT.UTF-8.
func (s *session) homeCountry() string {
	language, _ := s.env("LANG")
	language, _, _ = strings.Cut(language, ".")
	_, country, _ := strings.Cut(language, "_")
	if zone, _ := config.Home(country); zone != "" {
		return country
	}
	return exampleCountry
}
