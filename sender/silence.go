package sender

import "time"

// A message whose answer was lost is proved to have come to nothing by silence alone, and silence proves something only where
// webhooks are known to work: where nearly all that its number sent in the same minutes has had a status for long.
const (
	// SilentFor is how long the others must have had a status before silence counts.
	SilentFor = 24 * time.Hour
	// SilentAmong is the span of time within which messages count as sent together, by the clock of who sent them.
	SilentAmong = 5 * time.Minute
	// silentLeast is how many others there must be: of fewer, all may have been heard by chance.
	silentLeast = 20
)

// SilenceProves reports whether not hearing of a message says that Meta never had it: taken are the messages of its number
// that Meta took in the same minutes, heard those of them that have had a status for SilentFor.
func SilenceProves(taken, heard int) bool {
	return taken >= silentLeast && heard <= taken && 1000*(taken-heard) <= taken
}

// Together is the span of SilentAmong in which the attempt was made: ids from first on and below end are of the same.
func (id AttemptID) Together() (first, end AttemptID) {
	began := id.MadeAt().Truncate(SilentAmong)
	return MadeBefore(began), MadeBefore(began.Add(SilentAmong))
}
