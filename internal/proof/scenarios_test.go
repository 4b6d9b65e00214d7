package proof

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// scenario is one way of things going wrong.
type scenario struct {
	name     string
	failure  string // the rows of the failure model that it plays
	postgres bool   // it needs a server; else it plays on both databases
	play     func(t *testing.T, target string, seed uint64, soak length)
}

// length says whether a scenario is played at length.
type length bool

// of is one number in the short form and another in the long one.
func (soak length) of(short, long int) int {
	if soak {
		return long
	}
	return short
}

var scenarios = []scenario{
	{"kill", "F1", false, playKill},
	{"lost", "F2", false, playLost},
	{"wire", "F3", false, playWire},
	{"stops", "F8", false, playStops},
	{"planning", "F8", false, playPlanning},
	{"consents", "promise 3", false, playConsents},
	{"disorder", "F4 F5 F7", false, playDisorder},
	{"cap", "F30", false, playCap},
	{"restarts", "F33", false, playRestarts},
	{"chaos", "F1 F2 F4 F8 F13 F33", false, playChaos},
	{"freeze", "F13", true, playFreeze},
	{"commit", "F15", true, playCommit},
	{"server", "F9 F14", true, playServer},
	{"fleet", "F1 F13 F14", true, playFleet},
	{"rolling", "F33", true, playRolling},
	{"ticks", "F12 F13", true, playTicks},
	{"edits", "F26", false, playEdits},
	{"poison", "F31", false, playPoison},
	{"huge", "F32", false, playHuge},
	{"late", "F6", false, playLate},
	{"flood", "F18", false, playFlood},
	{"malice", "F19", false, playMalice},
	{"outage", "F9", false, playOutage},
	{"disk", "F16", false, playDisk},
	{"power", "F17", false, playPower},
}

// TestScenarios plays every scenario on each database that it is for. PERMESSO_SOAK=1 plays them at length, with many seeds.
func TestScenarios(t *testing.T) {
	t.Parallel()
	seeds := seedsOf(t)
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, seed := range seeds {
				t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
					if len(seeds) == 1 {
						t.Parallel()
					}
					on := storetest.Databases
					if s.postgres {
						on = storetest.Postgres
					}
					on(t, func(t *testing.T, target string) {
						if len(seeds) == 1 {
							t.Parallel()
						}
						s.play(t, target, seed, length(os.Getenv(envSoak) == "1"))
					})
				})
			}
		})
	}
}

// seedsOf are the seeds to play: the one or the range that is asked for, those of a soak, or one that is new each time.
func seedsOf(t *testing.T) []uint64 {
	t.Helper()
	if asked := os.Getenv(envSeed); asked != "" {
		from, to, ranges := strings.Cut(asked, "-")
		if !ranges {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 64)
		last, wrong := strconv.ParseUint(to, 10, 64)
		if err != nil || wrong != nil || last < first || last-first >= 1000 {
			t.Fatalf("%s=%s is neither a seed nor a range as 1-10, of 1,000 at most", envSeed, asked)
		}
		var seeds []uint64
		for seed := first; seed <= last; seed++ {
			seeds = append(seeds, seed)
		}
		return seeds
	}
	if os.Getenv(envSoak) == "1" {
		return []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	}
	return []uint64{rand.Uint64N(1 << 32)}
}

// pause waits a random part of a span.
func (r *rig) pause(most time.Duration) { time.Sleep(time.Duration(r.chance.Int64N(int64(most)))) }
