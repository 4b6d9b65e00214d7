package proof

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// playMalice is what somebody can do who reaches the webhook: forge bodies, send a true one again that was captured, send ones that
// are too large or too deep, and never end one; and the app's secret is changed while bodies come in (F19).
func playMalice(t *testing.T, target string, seed uint64, soak length) {
	r := newRig(t, "malice", target, seed, settings{people: soak.of(120, 600), perSecond: 200})
	r.player.Hold()
	p := r.serve(r.houses[0])
	dribbled := r.dribble(6)
	stopped := r.everybody[:12]
	captured := r.captureStarts(stopped)
	time.Sleep(1100 * time.Millisecond) // Meta's times are whole seconds
	for i, phone := range stopped {
		r.say(r.startedBefore(phone, i))
	}
	r.stops = len(stopped)
	replays := soak.of(1000, 10000)
	r.replay(captured, replays)
	forged := r.forge(soak.of(100, 2000))
	r.rotate(p)
	r.must("those who dribble are cut off", <-dribbled)
	if !p.running() {
		t.Fatalf("serve ended: %s", p.err.String())
	}
	r.detach("offer")
	r.untilOver()
	sent, err := r.postsTo(stopped)
	if err != nil || sent > 0 {
		t.Errorf("malice, seed %d: %d messages to people whose START from before their stop came again (%v)", seed, sent, err)
	}
	stops, err := r.count("SELECT count(*) FROM suppressions WHERE source <> 'till'")
	r.must("counting stops", err)
	if most := len(stopped) + 1; stops != most { // one is of the secret's change
		t.Errorf("malice, seed %d: %d stops are on record, want the %d true ones", seed, stops, most)
	}
	t.Logf("malice: %d starts from before a stop played again, %d bodies forged", replays, forged)
	r.player.Release()
	r.judge()
}

// captureStarts lets people start, and keeps the bodies.
func (r *rig) captureStarts(people []string) (bodies [][]byte) {
	for i, phone := range people {
		body := Voice{Phone: WaID(phone)}.Writes(accountID, numberID, "START")
		if i%2 == 1 {
			body = Voice{Phone: WaID(phone)}.Prefers(accountID, numberID, "resume")
		}
		r.say(body, nil)
		bodies = append(bodies, body)
	}
	return bodies
}

// startedBefore is the stop of a person who started in the same way.
func (r *rig) startedBefore(phone string, i int) ([]byte, *Stop) {
	if i%2 == 1 {
		return Voice{Phone: WaID(phone)}.Prefers(accountID, numberID, "stop"), &Stop{phone, "kind:marketing"}
	}
	return Voice{Phone: WaID(phone)}.Writes(accountID, numberID, "STOP"), &Stop{phone, "all"}
}

// replay sends captured bodies again and again, several at a time.
func (r *rig) replay(bodies [][]byte, times int) {
	var at sync.WaitGroup
	for worker := range playing {
		at.Go(func() {
			for i := worker; i < times; i += playing {
				r.say(bodies[i%len(bodies)], nil)
			}
		})
	}
	at.Wait()
}

// signed is a body's signature by a secret.
func signed(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// knock posts a body with a signature and returns the status; 0 when the connection was closed before an answer could be read.
func (r *rig) knock(body []byte, signature string) int {
	request, err := http.NewRequest(http.MethodPost, "http://"+r.houses[0].webhook+"/webhook", bytes.NewReader(body))
	r.must("making a request", err)
	if signature != "" {
		request.Header.Set("X-Hub-Signature-256", signature)
	}
	client := &http.Client{Timeout: patience}
	answer, err := client.Do(request)
	client.CloseIdleConnections()
	if err != nil {
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body) // what it says is not asked
	return answer.StatusCode
}

// forge sends bodies that are not Meta's, and bodies that no receiver should read, and returns how many.
func (r *rig) forge(times int) (sent int) {
	stop := Voice{Phone: WaID(r.everybody[20])}.Writes(accountID, numberID, "STOP")
	deep := []byte(strings.Repeat(`{"entry":[`, 5000))
	large := append(bytes.TrimSuffix(stop, []byte("}")), `,"padding":"`+strings.Repeat("x", 5<<20)+`"}`...)
	for name, tt := range map[string]struct {
		body      []byte
		signature string
		want      int
		once      bool
	}{
		"unsigned":                {stop, "", 401, false},
		"of the app's id":         {stop, signed(accountID, stop), 401, false},
		"of an empty secret":      {stop, signed("", stop), 401, false},
		"of another body":         {stop, signed(appSecret, stop[1:]), 401, false},
		"of a secret to come":     {stop, signed(nextSecret, stop), 401, false},
		"no JSON, unsigned":       {[]byte("{"), "", 401, false},
		"deep, unsigned":          {deep, "", 401, false},
		"deep":                    {deep, signed(appSecret, deep), 400, false},
		"no JSON":                 {stop[:len(stop)-1], signed(appSecret, stop[:len(stop)-1]), 400, false},
		"larger than Meta's ever": {large, signed(appSecret, large), 413, true},
	} {
		for i := 0; i < times && !(tt.once && i > 3); i++ {
			if status := r.knock(tt.body, tt.signature); status != tt.want && !(tt.once && status == 0) {
				r.t.Errorf("malice, seed %d: a body %s is answered with %d, want %d", r.seed, name, status, tt.want)
				break
			}
			sent++
		}
	}
	return sent
}

// rotate changes the app's secret: both hold, then the new one alone.
func (r *rig) rotate(p *process) {
	r.t.Helper()
	hello := Voice{Phone: WaID(r.everybody[21])}.Writes(accountID, numberID, "Ciao")
	to := func(secrets string, old, next int) {
		text, err := os.ReadFile(r.houses[0].config())
		r.must("reading the configuration", err)
		at, end, _ := bytes.Cut(text, []byte("  app_secret: "))
		_, rest, _ := bytes.Cut(end, []byte("\n"))
		r.must("writing the configuration", os.WriteFile(r.houses[0].config(), []byte(string(at)+"  app_secret: "+secrets+"\n"+string(rest)), 0o600))
		p.signal(syscall.SIGHUP)
		r.must("the secrets are taken up", eventually(patience, func() error {
			gotOld, gotNext := r.knock(hello, signed(appSecret, hello)), r.knock(hello, signed(nextSecret, hello))
			if gotOld != old || gotNext != next {
				return fmt.Errorf("with %s the old secret is answered with %d and the new one with %d, want %d and %d", secrets, gotOld, gotNext, old, next)
			}
			return nil
		}))
	}
	to(`["${WHATSAPP_APP_SECRET}", "${WHATSAPP_NEXT_SECRET}"]`, 200, 200)
	phone := r.everybody[22]
	stop := Voice{Phone: WaID(phone)}.Writes(accountID, numberID, "STOP")
	if status := r.knock(stop, signed(nextSecret, stop)); status != http.StatusOK {
		r.t.Errorf("malice, seed %d: a stop signed with the new secret is answered with %d", r.seed, status)
	}
	r.player.note(Ack{At: time.Now().UnixMicro(), SHA256: hash(stop), Stop: &Stop{phone, "all"}, Body: stop})
	r.stops++
	to(`["${WHATSAPP_NEXT_SECRET}"]`, 401, 200)
	to(`["${WHATSAPP_APP_SECRET}", "${WHATSAPP_NEXT_SECRET}"]`, 200, 200) // for all that the player still brings
}

// dribble opens connections that say a byte now and then, in the headers or in the body, and reports when all were cut off: after
// the ten seconds that a request may take, or what a busy machine makes of them.
func (r *rig) dribble(connections int) <-chan error {
	cut := make(chan error, 1)
	var at sync.WaitGroup
	errs := make([]error, connections)
	for i := range connections {
		at.Go(func() { errs[i] = r.dribbleOne(i%2 == 0) })
	}
	go func() {
		at.Wait()
		cut <- errors.Join(errs...)
	}()
	return cut
}

func (r *rig) dribbleOne(inBody bool) error {
	connection, err := net.Dial("tcp", r.houses[0].webhook)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }() // it is cut, or the test has failed
	head := "POST /webhook HTTP/1.1\r\nHost: here\r\n"
	if inBody {
		head += "Content-Length: 1000000\r\nX-Hub-Signature-256: " + signed(appSecret, nil) + "\r\n\r\n"
	}
	if _, err := io.WriteString(connection, head); err != nil {
		return err
	}
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, connection) // it ends when the other side closes
	}()
	for {
		select {
		case <-ended:
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		if time.Since(began) > 10*time.Second+patience/2 {
			return fmt.Errorf("a client that dribbles is served for %s", time.Since(began))
		}
		if _, err := io.WriteString(connection, "x"); err != nil {
			return nil
		}
	}
}
