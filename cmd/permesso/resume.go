package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/store"
)

func (s *session) resumeVerb() *cobra.Command {
	var afterRestore, join, yes bool
	cmd := s.verb(&cobra.Command{
		Use:   "resume [--after-restore [--yes] | --join]",
		Short: "take a halt back, or a quarantine",
		Long: "Takes a halt back. A database in quarantine wants to be told what it is: --after-restore says that it is an older copy,\n" +
			"--join that nothing was lost and that this state_dir is another one of the same installation.\n\n" +
			"--after-restore brings back the stops that state_dir kept, ends the runs that were open when the copy was made, and records\n" +
			"every slot up to now as missed: who got a message since the copy was made is not known, and nobody gets one twice.",
		Example: "  permesso resume\n  permesso resume --after-restore --yes\n  permesso resume --join",
		Args:    exactly(),
	}, func(cmd *cobra.Command, _ []string) error {
		switch {
		case afterRestore && join:
			return misuse(errcode.ConflictingFlags, "--after-restore says that the database is an older copy, --join that nothing was lost: choose one")
		case yes && !afterRestore:
			return misuse(errcode.ConflictingFlags, "--yes answers what --after-restore asks: give both, or none")
		}
		return s.with(cmd, func(ctx context.Context, a *app.App) error {
			switch {
			case afterRestore:
				return s.afterRestore(ctx, a, yes)
			case join:
				return s.join(ctx, a)
			}
			return s.resume(ctx, a)
		})
	})
	cmd.Flags().BoolVar(&afterRestore, "after-restore", false, "the database is an older copy of itself: end what was open in it, send nothing twice")
	cmd.Flags().BoolVar(&join, "join", false, "the database is as it was: make this state_dir one of its own")
	cmd.Flags().BoolVar(&yes, "yes", false, "end the runs that are open in the copy without asking")
	return cmd
}

func (s *session) resume(ctx context.Context, a *app.App) error {
	if q, err := a.LookOnly(ctx); err != nil || q != nil {
		return errors.Join(err, app.Refusal(q))
	}
	was, free, err := a.Resume(ctx, s.actor())
	if err != nil {
		return err
	}
	if !was {
		return s.done(halted{false, free}, "Nothing was halted.")
	}
	return s.done(halted{false, free}, "The halt is taken back: %s may go on. Paused runs stay paused.", count(free, "run"))
}

// joined is what resume --join prints as JSON.
type joined struct {
	Joined   bool     `json:"joined"`
	SetAside []string `json:"set_aside,omitempty"`
}

func (s *session) join(ctx context.Context, a *app.App) error {
	done, aside, err := a.Join(ctx, s.actor())
	if err != nil {
		return err
	}
	if s.json {
		return s.object(joined{done, aside})
	}
	if err := s.tellAside(aside); err != nil {
		return err
	}
	if !done {
		return s.say("Nothing was in quarantine: this state_dir is one of the database's own.")
	}
	return s.say("The database is accepted as it is, and this state_dir is one of its own. Slots that came meanwhile are caught up as their campaigns say.")
}

func (s *session) tellAside(aside []string) error {
	if len(aside) == 0 {
		return nil
	}
	return s.say("state_dir had files of another installation; they are kept there as %s.", strings.Join(aside, ", "))
}

// restored is what resume --after-restore prints as JSON.
type restored struct {
	Stops     int      `json:"stops"`
	Journal   bool     `json:"journal"`
	Runs      int      `json:"runs"`
	Cancelled int      `json:"cancelled"`
	Unknown   int      `json:"unknown"`
	Missed    int      `json:"missed"`
	SetAside  []string `json:"set_aside,omitempty"`
}

func (s *session) afterRestore(ctx context.Context, a *app.App, yes bool) error {
	open, err := a.Unfinished(ctx)
	if err != nil {
		return err
	}
	quarantine, err := a.LookOnly(ctx)
	if err != nil {
		return err
	}
	// What is not in quarantine is a living installation as far as can be seen: to end its runs must be meant.
	if !yes && (open != (store.Unfinished{}) || quarantine == nil) {
		if err := s.askRestored(ctx, open, quarantine != nil); err != nil {
			return err
		}
	}
	done, err := a.AfterRestore(ctx, s.actor())
	if err != nil {
		return err
	}
	if s.json {
		return s.object(restored{done.Stops, done.WithJournal, done.Ended.Runs, done.Ended.Queued, done.Ended.InFlight, done.Slots, done.SetAside})
	}
	return s.tellRestored(done)
}

func (s *session) askRestored(ctx context.Context, open store.Unfinished, quarantined bool) error {
	sentence := fmt.Sprintf("In this copy %s under way, with %d waiting for a message and %d whose message was on its way. Who got theirs since is not known: the runs end, and nobody gets the message again by itself.",
		are(open.Runs, "run"), open.Queued, open.InFlight)
	if !quarantined {
		sentence = "Nothing shows that this database is an older copy. If it is one, go on. " + sentence
	}
	if s.json || !s.answers {
		return misuse(errcode.MissingFlag, "%s There is no terminal to ask on: --yes does it", sentence)
	}
	if err := s.print("%s", sentence); err != nil {
		return err
	}
	answer, err := s.ask(ctx, bufio.NewReader(s.in), "End them? Write yes: ")
	if err != nil {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(answer), "yes") {
		return errNotRestored
	}
	return nil
}

var errNotRestored = errcode.With(errors.New("nothing was changed; the database stays as it was"), errcode.NotConfirmed)

func (s *session) tellRestored(done app.Restored) error {
	if err := s.tellAside(done.SetAside); err != nil {
		return err
	}
	t := s.table("The database is accepted as an older copy", "")
	t.row("  stops brought back from the journal", fmt.Sprint(done.Stops))
	t.row("  open runs ended", fmt.Sprint(done.Ended.Runs))
	t.row("  people of these who still waited: cancelled", fmt.Sprint(done.Ended.Queued))
	t.row("  messages on the way: unknown", fmt.Sprint(done.Ended.InFlight))
	t.row("  slots recorded as missed", fmt.Sprint(done.Slots))
	if err := t.flush(); err != nil {
		return err
	}
	if !done.WithJournal {
		if err := s.say("There was no suppression journal in state_dir: import the stops that came since the copy was made before anything is sent."); err != nil {
			return err
		}
	}
	return s.say("Contacts and consents that came since the copy was made are not in it: import them again. Caps do not count what was sent since.")
}

// are is count with its verb: 1 run is, 2 runs are.
func are(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return count(n, noun) + " are"
}
