package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Received is one accepted send.
type Received struct {
	At         time.Time
	NumberID   string
	Endpoint   string // messages or marketing_messages
	To         string // as written by the caller
	Recipient  string // as written by the caller
	WaID       string // "" when addressed by user id
	UserID     string
	Template   string // "" for a text
	Language   string
	Components json.RawMessage // nil when the send had none
	Text       string          // of a message of type text, or above the buttons of one of type interactive
	Buttons    []Button        // of a message of type interactive
	Callback   string
	WAMID      string
	Body       json.RawMessage
}

// Button is a reply button as it was sent.
type Button struct{ ID, Title string }

// records keeps accepted bodies one after the other in large blocks: a hundred
// thousand of them are some seventy allocations, not three per message.
type records struct {
	mu      sync.Mutex
	blocks  [][]byte
	entries []record
}

type record struct {
	at           int64
	number       *number
	block        int32
	start, size  int32
	wamid        uint16
	marketing    bool
	waID, userID string
}

const recordBlock = 1 << 20

func (r *records) add(e record, wamid string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	need := len(wamid) + len(body)
	last := len(r.blocks) - 1
	if last < 0 || cap(r.blocks[last])-len(r.blocks[last]) < need {
		r.blocks = append(r.blocks, make([]byte, 0, max(recordBlock, need)))
		last++
	}
	e.block, e.start, e.size, e.wamid = int32(last), int32(len(r.blocks[last])), int32(len(body)), uint16(len(wamid))
	r.blocks[last] = append(append(r.blocks[last], wamid...), body...)
	r.entries = append(r.entries, e)
}

// Received returns the accepted sends in order; nil unless Options.Record.
func (s *Server) Received() []Received {
	s.records.mu.Lock()
	entries, blocks := slices.Clone(s.records.entries), slices.Clone(s.records.blocks)
	s.records.mu.Unlock()
	list := make([]Received, 0, len(entries))
	for _, e := range entries {
		raw := blocks[e.block][e.start:][:int32(e.wamid)+e.size]
		body := slices.Clone(raw[e.wamid:])
		q, _ := parseSend(body, e.marketing)
		got := Received{
			At: time.Unix(0, e.at), NumberID: e.number.ID, Endpoint: endpoint{0, e.marketing}.String(),
			To: string(q.to), Recipient: string(q.recipient), WaID: e.waID, UserID: e.userID,
			Template: string(q.name), Language: string(q.language), Text: string(q.textBody),
			Callback: string(q.callback), WAMID: string(raw[:e.wamid]), Body: body,
		}
		if q.components != nil {
			got.Components = json.RawMessage(q.components)
		}
		for _, b := range q.buttons {
			got.Buttons = append(got.Buttons, Button{string(b.id), string(b.title)})
		}
		list = append(list, got)
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// ledger writes lines so that each is on the disk before its caller goes on;
// callers that wait together share one write and one sync.
type ledger struct {
	out io.Writer

	writing sync.Mutex // held by the caller that writes for a group
	mu      sync.Mutex
	group   *lines
}

type lines struct {
	text []byte
	done chan struct{}
	err  error
}

func newLedger(out io.Writer) *ledger { return &ledger{out: out} }

func (l *ledger) write(line []byte) error {
	l.mu.Lock()
	first := l.group == nil
	if first {
		l.group = &lines{done: make(chan struct{})}
	}
	g := l.group
	g.text = append(g.text, line...)
	l.mu.Unlock()
	if !first {
		<-g.done
		return g.err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	l.group = nil
	l.mu.Unlock()
	g.err = l.flush(g.text)
	close(g.done)
	return g.err
}

func (l *ledger) flush(text []byte) error {
	if _, err := l.out.Write(text); err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	if f, ok := l.out.(*os.File); ok {
		if err := f.Sync(); err != nil {
			return fmt.Errorf("syncing the ledger: %w", err)
		}
	}
	return nil
}

// ledgerLine is {"at","begin","decided","number","endpoint","to","recipient",
// "callback","template","language","http","code","wamid"}: begin is when the
// first byte of the request was read and decided when it was judged, both in µs
// since 1970; wamid is "" unless the message was accepted, http is what the
// caller is told, 0 for no answer.
func ledgerLine(b []byte, p *send, decided time.Time, status, code int) []byte {
	q := &p.request
	b = append(b, `{"at":"`...)
	b = p.at.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","begin":`...)
	b = strconv.AppendInt(b, p.begin.UnixMicro(), 10)
	b = append(b, `,"decided":`...)
	b = strconv.AppendInt(b, decided.UnixMicro(), 10)
	b = append(b, `,"number":`...)
	b = appendString(b, p.number.ID)
	b = append(b, `,"endpoint":"`...)
	b = append(b, p.endpoint.String()...)
	b = append(b, `","to":`...)
	b = appendString(b, q.to)
	b = append(b, `,"recipient":`...)
	b = appendString(b, q.recipient)
	b = append(b, `,"callback":`...)
	b = appendString(b, q.callback)
	b = append(b, `,"template":`...)
	b = appendString(b, q.name)
	b = append(b, `,"language":`...)
	b = appendString(b, q.language)
	b = append(b, `,"http":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"code":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, `,"wamid":"`...)
	b = append(b, p.wamid...)
	return append(b, "\"}\n"...)
}
