package store

import (
	"strings"
	"syscall"
)

// tcpUserTimeout is Linux's option of that name (tcp(7)); package syscall does not name it on every architecture.
const tcpUserTimeout = 0x12

// limitUnacknowledged bounds how long the kernel tries to bring bytes to a peer that acknowledges none.
func limitUnacknowledged(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var failure error
	err := c.Control(func(fd uintptr) {
		failure = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unacknowledgedFor.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failure
}
