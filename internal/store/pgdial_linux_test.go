package store_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/permesso/permesso/internal/store"
)

// What a dead network does cannot be had on one machine: the kernel is asked what it was told to do about it.
func TestConnectionsNoticeADeadNetwork(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	c, err := store.Dialer(0).Dial("tcp", socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range []struct {
		name              string
		level, id, wanted int
	}{
		{"SO_KEEPALIVE", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE, s", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 10},
		{"TCP_KEEPINTVL, s", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 5},
		{"TCP_KEEPCNT", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 3},
		{"TCP_USER_TIMEOUT, ms", syscall.IPPROTO_TCP, 0x12, 15000},
	} {
		err := raw.Control(func(fd uintptr) {
			if got, err := syscall.GetsockoptInt(int(fd), option.level, option.id); err != nil || got != option.wanted {
				t.Errorf("%s is %d, %v; want %d", option.name, got, err, option.wanted)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
