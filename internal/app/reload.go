package app

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/config"
)

// source is where a service reads its configuration anew.
type source struct {
	path   string
	env    func(string) (string, bool)
	asked  <-chan os.Signal
	wrong  atomic.Pointer[string] // what the console says while the files have mistakes
	before config.Trail
}

// Follow has Serve take up changes of the configuration at path, within some seconds of the change, and at once when asked.
// env answers for ${NAME}; began is what Config was read from.
func (a *App) Follow(path string, env func(string) (string, bool), began config.Trail, asked <-chan os.Signal) {
	a.source = &source{path: path, env: env, before: began, asked: asked}
}

// notice is what the console says of the configuration, "" when it is that of the files.
func (s *source) notice() string {
	if s == nil || s.wrong.Load() == nil {
		return ""
	}
	return *s.wrong.Load()
}

// hold makes a configuration the one that holds.
func (a *App) hold(cfg *config.Config) {
	a.live.Store(cfg)
	if a.Store != nil {
		a.Store.ActFor(cfg.Business.Name)
	}
}

// lookAtFiles is how soon a change of the configuration is noticed.
const lookAtFiles = 2 * time.Second

// followSource takes up what becomes of the configuration until ctx is done.
func (a *App) followSource(ctx context.Context) error {
	ticker := time.NewTicker(lookAtFiles)
	defer ticker.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return nil
		case <-a.source.asked:
			asked = true
		case <-ticker.C:
		}
		if !asked && !a.source.before.Changed() {
			continue
		}
		a.reload()
	}
}

// reload reads the files and has what they say hold, or says what is wrong with them and leaves all as it is.
func (a *App) reload() {
	cfg, trail, err := config.Read(a.source.path, a.source.env)
	a.source.before = trail
	var kept []string
	if err == nil {
		kept = keep(a.Config, cfg)
		a.hold(cfg)
	}
	a.metrics.ConfigValid(err == nil)
	if err != nil {
		a.tellBad(err)
		return
	}
	a.source.wrong.Store(nil)
	a.Store.NameLimit(cfg.MessagingLimit())
	a.standingMoved()
	a.Log.Info("the configuration was read anew and holds for new runs; runs keep what they began with", "file", cfg.File, "campaigns", len(cfg.Campaigns), "hash", cfg.Hash())
	for _, warning := range cfg.Warnings {
		a.Log.Warn(warning.Message, "file", warning.File, "line", warning.Line)
	}
	if len(kept) > 0 {
		a.Log.Warn("this needs a restart, and stays as it was until then: " + strings.Join(kept, ", "))
	}
}

func (a *App) tellBad(err error) {
	const stays = "the configuration from before stays in force"
	notice := "The configuration has mistakes, and " + stays + ": `permesso check` explains them."
	a.source.wrong.Store(&notice)
	problems, ok := errors.AsType[*config.Problems](err)
	if !ok {
		a.Log.Error("the configuration cannot be taken up; "+stays, "error", err)
		return
	}
	a.Log.Error("the configuration has mistakes; "+stays, "mistakes", len(problems.All)+problems.More)
	for _, p := range problems.All {
		a.Log.Error(p.Message, "file", p.File, "line", p.Line, "column", p.Column, "code", string(p.Code))
	}
}

// keep puts back into a configuration what a process cannot change while it runs, and names the keys that differed.
func keep(start, next *config.Config) (kept []string) {
	for _, k := range []struct {
		key         string
		was, wanted *string
	}{
		{"database", &start.Database, &next.Database}, {"state_dir", &start.StateDir, &next.StateDir},
		{"listen.webhook", &start.Listen.Webhook, &next.Listen.Webhook}, {"listen.console", &start.Listen.Console, &next.Listen.Console},
		{"listen.metrics", &start.Listen.Metrics, &next.Listen.Metrics},
		{"graph.base_url", &start.Graph.BaseURL, &next.Graph.BaseURL}, {"graph.version", &start.Graph.Version, &next.Graph.Version},
		{"graph.account_id", &start.Graph.AccountID, &next.Graph.AccountID},
	} {
		if *k.was != *k.wanted {
			kept = append(kept, k.key)
			*k.wanted = *k.was
		}
	}
	next.Rules.Locations, next.Rules.Lots = start.Rules.Locations, start.Rules.Lots // shared with the runs that the store reads; the draw stays
	return kept
}
