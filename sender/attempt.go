package sender

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// AttemptID names one attempt at one delivery; it fences the attempt's outcome. It begins with six bytes of time, in
// milliseconds since 1970 by the clock of who made it, and ends in ten of chance: ids sort by time, so that the index over them
// grows at one end; random ones dirty a page each.
type AttemptID [16]byte

// newAttempts makes n attempt ids.
func newAttempts(n int, now time.Time) []AttemptID {
	first := MadeBefore(now)
	raw := make([]byte, 10*n)
	_, _ = rand.Read(raw) // it never fails; it ends the program instead
	ids := make([]AttemptID, n)
	for i := range ids {
		copy(ids[i][:6], first[:6])
		copy(ids[i][6:], raw[10*i:])
	}
	return ids
}

// MadeBefore is the id below which all ids are of attempts that were made before t.
func MadeBefore(t time.Time) (id AttemptID) {
	if ms := t.UnixMilli(); ms > 0 {
		var stamp [8]byte
		binary.BigEndian.PutUint64(stamp[:], uint64(ms))
		copy(id[:6], stamp[2:])
	}
	return id
}

// MadeAt is when the attempt was made.
func (id AttemptID) MadeAt() time.Time {
	var stamp [8]byte
	copy(stamp[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(stamp[:])))
}
