package scheduler

import (
	"fmt"
	"time"

	"github.com/permesso/permesso/policy"
)

// WaveLook is where the wave of a run stands that is under way.
type WaveLook struct {
	Over    time.Time // when nothing of it was left to send; zero while there is, or was at the last look
	Planned bool      // all its people are known
	Ready   bool      // somebody may be sent to now, or is
	Sent    bool      // a message of the wave was sent
	Held    bool      // somebody waits for something else than the guard
}

// WaveStep is what follows.
type WaveStep int

// The steps. The first two change nothing and something.
const (
	WaveStays WaveStep = iota
	WaveEnds           // nothing of it is left to send: it is watched from now on
	WaveNext           // the next wave begins
)

// Next says what follows as of now. People who wait for their hours do not hold the others back; but while none of a wave
// could be sent to, there is nothing to learn from it.
func (l WaveLook) Next(now time.Time) WaveStep {
	switch {
	case !l.Over.IsZero() && now.Before(l.Over.Add(policy.WaveWatch)):
		return WaveStays
	case !l.Over.IsZero():
		return WaveNext
	case !l.Planned || l.Ready:
		return WaveStays
	case l.Sent:
		return WaveEnds
	case l.Held:
		return WaveStays
	}
	return WaveNext
}

// WaveSays tells where a run stands in its waves, and what it waits for; "" of one that has none, or is over.
func (r Run) WaveSays(local func(time.Time) string) string {
	waves := r.waves()
	if len(waves) == 0 || !r.State.Open() {
		return ""
	}
	if r.Wave >= len(waves) {
		return fmt.Sprintf("after %d waves it goes to all the rest", len(waves))
	}
	text := fmt.Sprintf("wave %d of %d, up to %s of its people", r.Wave+1, len(waves), waves[r.Wave])
	if r.WaveOver.IsZero() {
		return text + ", is being sent"
	}
	return fmt.Sprintf("%s, was sent by %s; what is heard of it is watched until %s", text, local(r.WaveOver), local(r.WaveOver.Add(policy.WaveWatch)))
}

// planWaves are the waves of the plan before anybody is counted.
func (d *Draft) planWaves() []PlanWave {
	shares := d.Run.waves()
	if len(shares) == 0 {
		return nil
	}
	waves := make([]PlanWave, 0, len(shares)+1)
	for _, share := range shares {
		waves = append(waves, PlanWave{UpTo: share.String()})
	}
	return append(waves, PlanWave{UpTo: policy.Everybody.String()})
}

// waveSlack is added to how long a wave takes: whoever is told a moment too early waits twice.
const waveSlack = 10 * time.Second

// openings is when each wave begins, the first at start, as far as can be told: each is sent at the number's rate, and watched.
// counted are the people of each; before they are counted, those of the plan so far.
func (d *Draft) openings(start time.Time, counted []PlanWave) []time.Time {
	shares := d.Run.waves()
	if len(shares) == 0 {
		return nil
	}
	all, before := float64(d.Run.Plan.Allowed+d.Run.Plan.Deferred), policy.Share(0)
	at := make([]time.Time, 1, len(shares)+1) // the first begins with the run
	for k, share := range shares {
		people := all * float64(share-before) / float64(policy.Everybody)
		if counted != nil {
			people = float64(counted[k].People)
		}
		before = share
		if d.rate > 0 {
			start = start.Add(time.Duration(people / d.rate * 1.02 * float64(time.Second)))
		}
		start = start.Add(policy.WaveWatch + waveSlack)
		at = append(at, start)
	}
	return at
}
