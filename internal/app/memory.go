package app

import "runtime/debug"

// What a run of any size keeps in memory is a few pages of people and a few hundred messages on their way. The collector
// may let twice as much gather before it runs, as long as the whole heap stays below memoryLimit.
const (
	memoryLimit    = 64 << 20
	collectPercent = 200
)

// BoundMemory sets the collector for the process, unless the environment does (GOGC, GOMEMLIMIT).
func BoundMemory(env func(string) (string, bool)) {
	if _, set := env("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(memoryLimit)
	}
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(collectPercent)
	}
}
