package proof

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Disorder says how webhooks reach permesso. The zero value passes them on as they come, each once.
type Disorder struct {
	Copies int           // each body comes up to so many times
	Delay  time.Duration // each copy comes up to so late, so that bodies overtake each other
	Lose   float64       // share of tries that are not made, and made again later
	Split  int           // at most so many statuses in a body; 0 leaves bodies whole
}

// Ack is one line of the book of acknowledgements: a body that permesso answered with 200.
type Ack struct {
	At     int64           `json:"at"` // when the 200 was read, µs since 1970
	SHA256 string          `json:"sha256"`
	Stop   *Stop           `json:"stop,omitempty"` // whom the body stops
	Body   json.RawMessage `json:"body"`
}

// Stop is a person's wish to be left alone.
type Stop struct {
	Phone string `json:"phone"` // E.164, whatever form or name the body has
	Scope string `json:"scope"` // all, kind:KIND or category:NAME
}

// playing bounds the bodies on their way to permesso.
const playing = 12

// Player stands between Meta and permesso's webhook. It takes every body from Meta at once and plays it to permesso in
// disorder until permesso takes it, and keeps a book of what was taken.
type Player struct {
	secret []byte
	client *http.Client
	book   *book
	slots  chan struct{}
	ctx    context.Context
	stop   context.CancelFunc
	at     sync.WaitGroup

	mu        sync.Mutex
	chance    *rand.Rand
	disorder  Disorder
	receivers []string
	held      bool
	waiting   [][]byte
	pending   int // copies that permesso has not taken yet
	acks      int
	refused   map[int]int // answers that were no 200, by their status; 0 is no answer
	failure   error
}

// NewPlayer plays to the receivers, which are URLs of permesso's webhook, in turn, and keeps its book in the file bookPath.
func NewPlayer(bookPath, appSecret string, seed uint64, receivers ...string) (*Player, error) {
	b, err := openBook(bookPath)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Player{
		secret: []byte(appSecret), book: b, receivers: receivers, slots: make(chan struct{}, playing), ctx: ctx, stop: stop,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * playing}, Timeout: 25 * time.Second},
		chance: rand.New(rand.NewPCG(seed, 0x706c61796572)), refused: map[int]int{},
	}, nil
}

// Set changes the disorder of bodies that come from now on.
func (p *Player) Set(d Disorder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disorder = d
}

// Hear changes the receivers.
func (p *Player) Hear(receivers ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.receivers = receivers
}

// Hold keeps Meta's bodies back until Release.
func (p *Player) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = true
}

// Release plays what Hold kept back.
func (p *Player) Release() {
	p.mu.Lock()
	waiting := p.waiting
	p.held, p.waiting = false, nil
	p.mu.Unlock()
	for _, body := range waiting {
		p.play(body)
	}
}

// Idle reports whether permesso has taken all that came so far, and how many copies it took. The error is the book's.
func (p *Player) Idle() (idle bool, acks int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pending == 0 && len(p.waiting) == 0, p.acks, p.failure
}

// Refused returns how often permesso did not take a body, by the status that it answered, 0 when it did not answer.
func (p *Player) Refused() map[int]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.refused)
}

// refuse counts a try that was not taken.
func (p *Player) refuse(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused[status]++
}

// Close ends the playing; what was not taken is lost.
func (p *Player) Close() error {
	p.stop()
	p.at.Wait()
	p.client.CloseIdleConnections()
	return p.book.close()
}

// ServeHTTP takes a body from Meta.
func (p *Player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	held := p.held
	if held {
		p.waiting = append(p.waiting, body)
	}
	p.mu.Unlock()
	if !held {
		p.play(body)
	}
}

// play sends a body on its way, in pieces and copies.
func (p *Player) play(body []byte) {
	p.mu.Lock()
	pieces := [][]byte{body}
	if p.disorder.Split > 0 {
		if split, err := splitStatuses(body, p.disorder.Split, p.chance); err == nil {
			pieces = split
		} else {
			p.failure = err
		}
	}
	d := p.disorder
	var delays []time.Duration
	var which []int
	for i := range pieces {
		copies := 1
		if d.Copies > 1 {
			copies += p.chance.IntN(d.Copies)
		}
		for range copies {
			wait := time.Duration(0)
			if d.Delay > 0 {
				wait = time.Duration(p.chance.Int64N(int64(d.Delay)))
			}
			delays, which = append(delays, wait), append(which, i)
		}
	}
	p.pending += len(delays)
	p.mu.Unlock()
	for i, wait := range delays {
		piece := pieces[which[i]]
		p.at.Go(func() {
			defer p.landed()
			if !p.sleep(wait) {
				return
			}
			p.untilTaken(p.ctx, piece, nil, d)
		})
	}
}

func (p *Player) landed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending--
}

func (p *Player) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// Say posts what a person says until permesso takes it, and returns when it did. stop is nil for what stops nobody.
func (p *Player) Say(ctx context.Context, body []byte, stop *Stop) (time.Time, error) {
	acked := p.untilTaken(ctx, body, stop, Disorder{})
	if acked.IsZero() {
		return acked, fmt.Errorf("saying something to permesso: %w", context.Cause(ctx))
	}
	return acked, nil
}

// untilTaken posts a body until it is answered with 200, and notes that; the zero time when it was not before ctx ended.
func (p *Player) untilTaken(ctx context.Context, body []byte, stop *Stop, d Disorder) time.Time {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 400*time.Millisecond) {
		receiver, lost := p.next(d)
		if !lost {
			select {
			case p.slots <- struct{}{}:
			case <-ctx.Done():
				return time.Time{}
			}
			status, err := p.post(ctx, receiver, body)
			acked := time.Now()
			<-p.slots
			if err == nil && status == http.StatusOK {
				p.note(Ack{At: acked.UnixMicro(), SHA256: hash(body), Stop: stop, Body: body})
				return acked
			}
			p.refuse(status)
		}
		if ctx.Err() != nil || !p.sleep(wait) {
			return time.Time{}
		}
	}
}

// next chooses the receiver of a try, and whether the try is lost.
func (p *Player) next(d Disorder) (receiver string, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.receivers[p.chance.IntN(len(p.receivers))], p.chance.Float64() < d.Lose
}

func (p *Player) note(a Ack) {
	err := p.book.write(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acks++
	if err != nil {
		p.failure = err
	}
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func (p *Player) post(ctx context.Context, url string, body []byte) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	mac := hmac.New(sha256.New, p.secret)
	mac.Write(body)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer, err := p.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body) // so that the connection can be used again
	return answer.StatusCode, nil
}
