package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"

	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/permesso/permesso/internal/errcode"
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
