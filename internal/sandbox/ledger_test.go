package sandbox_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/sandbox"
)

// TestLedgerFirst has nothing answered, and nothing told, that the ledger could not take.
func TestLedgerFirst(t *testing.T) {
	t.Parallel()
	rec := &receiver{}
	s := newSandbox(t, func(o *sandbox.Options) { o.Ledger = fullDisk{}; o.Client = &http.Client{Transport: rec} })
	request, _ := http.NewRequest(http.MethodPost, listen(t, s)+"/v25.0/"+number+"/messages", strings.NewReader(offer("+393331112223")))
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	if answer, err := http.DefaultClient.Do(request); err == nil {
		_ = answer.Body.Close()
		t.Errorf("answered %s with nothing on record", answer.Status)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestLedgerBegins has each request's first byte, also on a connection that is used again, and what the token was refused for.
func TestLedgerBegins(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.ndjson")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	s := newSandbox(t, func(o *sandbox.Options) { o.Ledger = f; o.WebhookURL = "" })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	socket := sandbox.Watch(web, l)
	go func() { _ = web.Serve(socket) }()
	defer func() { _ = web.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	answers := bufio.NewReader(c)
	const slow = 40 * time.Millisecond
	for _, bearer := range []string{token, "another"} {
		body := offer("+393331112223")
		began := time.Now()
		_, _ = fmt.Fprintf(c, "POST /v25.0/%s/messages HTTP/1.1\r\nHost: x\r\n", number)
		time.Sleep(slow) // the head takes its time: what counts is its first byte
		_, _ = fmt.Fprintf(c, "Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", bearer, len(body), body)
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		text, _ := os.ReadFile(path)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		var last struct {
			Begin, Decided int64
			HTTP           int
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
			t.Fatal(err)
		}
		begin := time.UnixMicro(last.Begin)
		if begin.Before(began.Truncate(time.Microsecond)) || begin.After(began.Add(slow)) || last.Decided < began.Add(slow).UnixMicro() || last.HTTP != answer.StatusCode {
			t.Errorf("the request of %s is on record as %s", began.Format(time.RFC3339Nano), lines[len(lines)-1])
		}
	}
}
