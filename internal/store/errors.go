package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"slices"

	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/sender"
)

// ErrorCode returns the code of an error that came out of a database driver, and whether it did.
func ErrorCode(err error) (errcode.Code, bool) {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteCode(failure.Code()), true
	}
	if failure, ok := errors.AsType[*pq.Error](err); ok {
		return postgresCode(failure.Code), true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "", false // it looks like a network's, and may be anybody's
	}
	_, network := errors.AsType[net.Error](err)
	return errcode.DatabaseUnreachable, network || errors.Is(err, driver.ErrBadConn)
}

// ownFailure reports whether a failure is the doing of the rows that were written or judged, and not of the database, its disk or
// the way there: a panic over them, or a refusal of their values (PostgreSQL's appendix A, "Error Codes": the classes 22 data
// exception, 23 integrity constraint violation, P0 raised by a trigger, XX data that is damaged).
func ownFailure(err error) bool {
	if _, ok := errors.AsType[*sender.Panic](err); ok {
		return true
	}
	if failure, ok := errors.AsType[*pq.Error](err); ok {
		return slices.Contains([]pq.ErrorClass{"22", "23", "P0", "XX"}, failure.Code.Class())
	}
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return slices.Contains([]int{sqlitelib.SQLITE_CONSTRAINT, sqlitelib.SQLITE_MISMATCH, sqlitelib.SQLITE_TOOBIG}, failure.Code()&0xff)
	}
	return false
}

func sqliteCode(code int) errcode.Code {
	switch code & 0xff {
	case sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_LOCKED:
		return errcode.DatabaseLocked
	case sqlitelib.SQLITE_NOTADB:
		return errcode.DatabaseForeign
	case sqlitelib.SQLITE_READONLY, sqlitelib.SQLITE_CANTOPEN:
		return errcode.DatabaseReadOnly
	case sqlitelib.SQLITE_CORRUPT:
		return errcode.DatabaseDamaged
	case sqlitelib.SQLITE_FULL:
		return errcode.DatabaseFull
	}
	return errcode.DatabaseFailed
}

// postgresCode goes by the classes of PostgreSQL's appendix A, "Error Codes".
func postgresCode(code pq.ErrorCode) errcode.Code {
	switch {
	case code == "53100": // disk_full
		return errcode.DatabaseFull
	case code == "53300", code == "57P01", code == "57P02", code == "57P03", code.Class() == "08":
		return errcode.DatabaseUnreachable // too many connections, shutting down or starting up, connection lost
	case code.Class() == "28":
		return errcode.DatabaseLogin
	case code.Class() == "3D":
		return errcode.DatabaseAbsent
	case code.Class() == "40":
		return errcode.DatabaseBusy
	}
	return errcode.DatabaseFailed
}

// orElse gives an error the driver's code, or another where no driver made it.
func orElse(err error, otherwise errcode.Code) error {
	if code, ok := ErrorCode(err); ok {
		otherwise = code
	}
	return errcode.With(err, otherwise)
}
