// Command permesso asks before it writes: a scheduler and sender of WhatsApp template campaigns. This package owns the
// command line alone: flags, printing and exit codes.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	_ "time/tzdata" // a static binary finds every zone on machines without a zone database

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
)

func main() {
	app.BoundMemory(os.LookupEnv)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal asks to stop; the second, no longer caught, ends at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	stop()
	os.Exit(code)
}

// run does what args ask and returns the exit code (CONTRACT §4). It is the whole program, without the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	s := newSession(stdin, stdout, stderr, env)
	return s.run(ctx, args)
}

func (s *session) run(ctx context.Context, args []string) int {
	root := s.root()
	root.SetArgs(args)
	err := cmp.Or(root.ExecuteContext(ctx), s.late)
	if err != nil && !s.entered {
		err = misread(err)
		s.json = s.json || slices.Contains(args, "--json") // the flag may stand behind the mistake
	}
	s.complain(err)
	return exitCode(err)
}

// root is the verb without a name, which has all the others.
func (s *session) root() *cobra.Command {
	root := s.group(&cobra.Command{
		Use:   "permesso",
		Short: "May I? WhatsApp campaigns that ask for everybody's permission first",
		Long: "permesso schedules and sends WhatsApp template campaigns, and asks before each message:\n" +
			"did this person consent, have they said stop, is it a fitting hour, have they had enough?",
		Example: "  permesso init && permesso check\n  permesso plan weekend-offer\n  permesso explain weekend-offer +393471234567\n  permesso serve",
		Version: version().String(),
	},
		s.initVerb(), s.checkVerb(), s.schemaVerb(), s.configVerb(), s.serveVerb(), s.migrateVerb(), s.contactsVerb(), s.consentVerb(), s.suppressVerb(), s.reviewsVerb(), s.templatesVerb(),
		s.planVerb(), s.runVerb(), s.runsVerb(), s.haltVerb(), s.resumeVerb(), s.explainVerb(), s.logVerb(), s.reportVerb(), s.notifyVerb(), s.retentionVerb(), s.keysVerb(),
		s.demoVerb(), s.versionVerb(), s.sandboxVerb(),
	)
	root.SetHelpCommand(s.helpVerb())
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetVersionTemplate("permesso {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misread(fmt.Errorf("%w: `%s --help` lists what there is", err, cmd.CommandPath()))
	})
	s.strictHelp(root)
	flags := root.PersistentFlags()
	flags.StringVar(&s.configFile, "config", "config.yaml", "the configuration `FILE`")
	flags.BoolVar(&s.json, "json", false, "print JSON: one object, or one line for each thing of a list")
	flags.BoolVar(&s.quiet, "quiet", false, "print what was asked for and errors, nothing else")
	s.addCompletions(root)
	return root
}
