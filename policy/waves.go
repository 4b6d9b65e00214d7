package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"
)

// WaveWatch is how long a wave is watched after its last message before the next one begins: statuses come within seconds,
// and most people who stop do so within minutes.
const WaveWatch = 5 * time.Minute

// Wave is the place of the person's wave in ask.Waves; len(ask.Waves) is the rest. It is drawn for each run anew, by its
// campaign and fire time, so that nobody is always among the first, and never changes for a run. Who cannot be drawn is
// in the rest.
func (l *Lots) Wave(person PersonID, ask *Ask) int {
	if l == nil || person == (PersonID{}) {
		return len(ask.Waves)
	}
	var room [200]byte
	input := append(append(room[:0], l.waves[:]...), person[:]...)
	input = binary.BigEndian.AppendUint64(input, uint64(ask.FireAt.UnixMicro()))
	sum := sha256.Sum256(append(input, ask.Campaign...))
	place, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), uint64(Everybody))
	for k, share := range ask.Waves {
		if place < uint64(max(share, 0)) {
			return k
		}
	}
	return len(ask.Waves)
}

// WavesAt says when each of so many waves and the rest begin, the wave in place open having begun: as of now, and at the
// earliest. over is when nothing was left to send of the open wave; zero while there is.
func WavesAt(waves, open int, over, now time.Time) []time.Time {
	at := make([]time.Time, waves+1)
	begins := over.Add(WaveWatch)
	if over.IsZero() {
		// Whole minutes: those who wait are not looked at one by one.
		begins = now.Add(WaveWatch).Truncate(time.Minute).Add(time.Minute)
	}
	if soon := now.Add(waveLate); begins.Before(soon) {
		begins = soon // nobody has opened it yet
	}
	for k := max(open, 0) + 1; k <= waves; k++ {
		at[k] = begins
		begins = begins.Add(WaveWatch)
	}
	return at
}

// waveLate is how soon those are looked at again whose wave should have begun.
const waveLate = 5 * time.Second

// messagingLimit makes people wait for a place in the portfolio's limit, in tests too: Meta counts every template
// (Meta, "Messaging limits", read 2026-09-11).
func (q *question) messagingLimit() answer {
	m := &q.facts.Message
	switch {
	case !m.Full || !m.PlaceAt.IsZero() && !q.now.Before(m.PlaceAt):
		return refuse(false, "")
	case m.PlaceAt.IsZero():
		return refuse(true, MessagingLimit)
	}
	return wait(m.PlaceAt, MessagingLimit)
}

// qualityGuard holds everybody back while the guard has stopped the campaign, and else those whose wave has not begun.
func (q *question) qualityGuard() answer {
	a := &q.facts.Ask
	if a.Stopped != "" {
		return refuse(true, QualityGuard)
	}
	if at := q.waveAt(); at.After(q.now) {
		return wait(at, QualityGuard)
	}
	return refuse(false, "")
}

// waveAt is when the person's wave begins, zero when it has.
func (q *question) waveAt() time.Time {
	a := &q.facts.Ask
	if len(a.Waves) == 0 {
		return time.Time{}
	}
	if k := q.rules.Lots.Wave(q.facts.Person.ID, a); k < len(a.WavesAt) {
		return a.WavesAt[k]
	}
	return time.Time{}
}

func (q *question) becauseMessagingLimit(d Decision) string {
	switch m := &q.facts.Message; {
	case d.Verdict == Defer:
		return fmt.Sprintf("The messaging limit, of people in any 24 hours, is reached; there is a place at %s.", q.local(m.PlaceAt))
	case d.Verdict == Deny:
		return "The messaging limit is 0: nobody may be written to."
	}
	return "There is a place for this person in the messaging limit, or none is known to hold."
}

func (q *question) becauseQualityGuard(d Decision) string {
	a := &q.facts.Ask
	switch {
	case d.Verdict == Deny:
		return "The campaign is held back: " + a.Stopped + "."
	case len(a.Waves) == 0:
		return "The guard holds nothing back, and the campaign goes out in one wave."
	}
	which := "the rest"
	if k := q.rules.Lots.Wave(q.facts.Person.ID, a); k < len(a.Waves) {
		which = fmt.Sprintf("wave %d, up to %s", k+1, a.Waves[k])
	}
	if d.Verdict == Defer {
		return fmt.Sprintf("This person is of %s, which begins at %s at the earliest, if the guard lets it.", which, q.local(d.Until))
	}
	return fmt.Sprintf("This person is of %s, which has begun.", which)
}
