package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/sender"
)

// logProblems is the level of verbs whose output says what they did.
const logProblems = slog.LevelWarn

// bar shows how far something is: as a bar on a terminal, else not, or in lines.
type bar struct {
	s     *session
	shown *progressbar.ProgressBar // nil when there is no terminal
	said  time.Time
	last  string
}

func (s *session) newBar(size int64, what string, more ...progressbar.Option) *bar {
	b := &bar{s: s}
	if !s.terminal || s.quiet || s.json {
		return b
	}
	options := append([]progressbar.Option{
		progressbar.OptionSetWriter(s.out), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30), progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionEnableColorCodes(false),
	}, more...)
	b.shown = progressbar.NewOptions64(size, options...)
	return b
}

// bytesBar counts what was read of a file.
func (s *session) bytesBar(what string, size int64) *bar {
	return s.newBar(max(size, 1), what, progressbar.OptionShowBytes(true))
}

func (b *bar) bytes(read int64, rows int) {
	if b.shown == nil {
		return
	}
	b.shown.Describe(count(rows, "row"))
	_ = b.shown.Set64(min(read, b.shown.GetMax64())) // a bar that cannot be drawn is no reason to stop
}

func (b *bar) finish() {
	if b.shown != nil {
		_ = b.shown.Finish()
	}
}

// linesEvery is how often a run says how far it is where there is no terminal.
const linesEvery = 5 * time.Second

// run shows how far a run is. people is how many the plan matched; zone is the business's, in which the lines are dated.
func (b *bar) run(people int, zone *time.Location) func(app.Progress) {
	return func(p app.Progress) {
		text := runInWords(p)
		if b.shown != nil {
			b.shown.ChangeMax(max(people, p.Total(), 1))
			b.shown.Describe(text)
			_ = b.shown.Set(p.Total() - p.Waiting())
			return
		}
		now := time.Now()
		if b.said.IsZero() {
			b.said = now // the first line comes after a while: a short run needs none
		}
		if now.Sub(b.said) < linesEvery || text == b.last {
			return
		}
		b.said, b.last = now, text
		_ = b.s.say("%s %s: %d of %d decided: %s", now.In(zone).Format("15:04:05"), zone, p.Total()-p.Waiting(), max(people, p.Total()), text)
	}
}

// runInWords counts the states of a run: "120 sent, 80 delivered".
func runInWords(p app.Progress) string {
	var parts []string
	for _, state := range sender.States() {
		if n := p.States[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if len(parts) == 0 {
		return string(p.Run.State)
	}
	return strings.Join(parts, ", ")
}

func number64(n int64) string { return strconv.FormatInt(n, 10) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// contacts shows how many contacts were gone through.
func (b *bar) contacts(n int) {
	if b.shown != nil {
		_ = b.shown.Set(n)
	}
}
