package proof

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// process is a program at work.
type process struct {
	t        *testing.T
	name     string
	cmd      *exec.Cmd
	out, err tailBuffer
	over     chan struct{} // closed when it has ended
	code     int           // its exit code, -1 when a signal ended it
}

// tailBuffer keeps the last of what a program writes: a run that is cut off a hundred times has much to say.
type tailBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *tailBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text.Len() > 1<<18 {
		b.text.Next(1 << 17)
	}
	return b.text.Write(p)
}

// String returns the last of what was written.
func (b *tailBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// launch starts a program that is killed at the end of the test if it still runs then.
func launch(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: strings.Join(args[:min(2, len(args))], " "), over: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Env = []string{
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "USER=ada",
		"WHATSAPP_ACCESS_TOKEN=" + accessToken, "WHATSAPP_APP_SECRET=" + appSecret, "WHATSAPP_VERIFY_TOKEN=" + verifyToken, "WHATSAPP_NEXT_SECRET=" + nextSecret,
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting permesso %s: %v", p.name, err)
	}
	go func() {
		defer close(p.over)
		_ = p.cmd.Wait() // its end is judged by the exit code
		p.code = p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) running() bool {
	select {
	case <-p.over:
		return false
	default:
		return true
	}
}

func (p *process) signal(s syscall.Signal) {
	if p.running() {
		_ = p.cmd.Process.Signal(s) // it may have ended just now
	}
}

// kill ends it as a power cut would, also when it is stopped.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.over
}

// stop ends it as an operator would.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.over:
	case <-time.After(patience):
		p.t.Errorf("permesso %s does not end on SIGTERM", p.name)
	}
}

var nextPort atomic.Int64

// freeAddress returns an address nobody listens on, below the ports that the kernel hands out to clients.
func freeAddress(t *testing.T) string {
	t.Helper()
	nextPort.CompareAndSwap(0, 18100+rand.Int64N(1800))
	for range 500 {
		address := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = l.Close()
		return address
	}
	t.Fatal("no free port")
	return ""
}

// answers reports whether an address answers a GET with 200.
func answers(url string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, text)
	}
	return nil
}

// eventually polls until check is content, and reports whether it was in time.
func eventually(span time.Duration, check func() error) error {
	deadline := time.Now().Add(span)
	for wait := 10 * time.Millisecond; ; wait = min(wait*3/2, 100*time.Millisecond) {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(wait)
	}
}
