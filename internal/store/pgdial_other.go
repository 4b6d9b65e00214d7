//go:build !linux

package store

import "syscall"

// limitUnacknowledged does nothing where there is no such option: keepalive and the wait for an answer still end.
func limitUnacknowledged(string, string, syscall.RawConn) error { return nil }
