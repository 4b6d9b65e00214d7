package store

import (
	"database/sql"
	"time"
)

// instant is every timestamp in the database: microseconds since 1970 UTC, an integer on both.
type instant int64

// at turns a time into an instant; the zero time becomes 0.
func at(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return instant(t.UnixMicro())
}

// time is the reverse of at.
func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i)).UTC()
}

// whenever reads a nullable instant; NULL is the zero time.
func whenever(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return instant(n.Int64).time()
}
