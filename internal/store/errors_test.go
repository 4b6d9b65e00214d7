package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/lib/pq"

	"github.com/permesso/permesso/internal/errcode"
)

func TestErrorCodesOfTheDrivers(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want errcode.Code
	}{
		"none":               {errors.New("something"), ""},
		"nil":                {nil, ""},
		"a deadline":         {fmt.Errorf("reading: %w", context.DeadlineExceeded), ""},
		"password":           {&pq.Error{Code: "28P01"}, errcode.DatabaseLogin},
		"no such database":   {&pq.Error{Code: "3D000"}, errcode.DatabaseAbsent},
		"disk full":          {&pq.Error{Code: "53100"}, errcode.DatabaseFull},
		"connections":        {&pq.Error{Code: "53300"}, errcode.DatabaseUnreachable},
		"starting up":        {&pq.Error{Code: "57P03"}, errcode.DatabaseUnreachable},
		"statement timeout":  {&pq.Error{Code: "57014"}, errcode.DatabaseFailed},
		"serialization":      {fmt.Errorf("committing: %w", &pq.Error{Code: "40001"}), errcode.DatabaseBusy},
		"unique":             {&pq.Error{Code: "23505"}, errcode.DatabaseFailed},
		"connection refused": {fmt.Errorf("reaching: %w", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}), errcode.DatabaseUnreachable},
		"connection lost":    {driver.ErrBadConn, errcode.DatabaseUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := ErrorCode(tt.err)
			if ok != (tt.want != "") || ok && got != tt.want {
				t.Errorf("ErrorCode = %q, %v; want %q", got, ok, tt.want)
			}
		})
	}
}

func TestOpenSaysWhyWithACode(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "letter.db")
	if err := os.WriteFile(foreign, []byte("Dear customer, this is a letter and not a database, whatever its name may say."), 0o600); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(dir, "folder.db")
	if err := os.Mkdir(full, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		target string
		want   errcode.Code
	}{
		"another scheme": {"mysql://localhost/permesso", errcode.DatabaseAddress},
		"no sslmode":     {"postgres://permesso@127.0.0.1:1/permesso", errcode.DatabaseAddress},
		"nobody answers": {"postgres://permesso@127.0.0.1:1/permesso?sslmode=disable", errcode.DatabaseUnreachable},
		"no folder":      {"sqlite:" + filepath.Join(dir, "none", "a.db"), errcode.DatabaseFolder},
		"no database":    {"sqlite:" + foreign, errcode.DatabaseForeign},
		"a folder":       {"sqlite:" + full, errcode.DatabaseReadOnly},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), tt.target)
			if err == nil {
				_ = s.Close()
				t.Fatal("it opened")
			}
			code, ok := errcode.Of(err)
			if !ok {
				code, _ = ErrorCode(err)
			}
			if code != tt.want {
				t.Errorf("code %q, want %q: %v", code, tt.want, err)
			}
		})
	}
}
