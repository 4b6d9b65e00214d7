package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"
)

// endpoint is one of the two ways to send, in one API version.
type endpoint struct {
	version   int
	marketing bool
}

func (e endpoint) String() string {
	if e.marketing {
		return "marketing_messages"
	}
	return "messages"
}

// maxBody is far above any real send; it keeps a broken client from filling
// the memory of the sandbox.
const maxBody = 1 << 20

// hangFor is how long replyHang keeps the caller waiting.
const hangFor = 30 * time.Second

// scratch is the memory of one request in flight.
type scratch struct {
	body, out []byte
	filling   filling
}

// send is one POST on its way through the sandbox.
type send struct {
	number   *number
	endpoint endpoint
	at       time.Time
	begin    time.Time // when the first byte of the request was read
	request  sendRequest
	to       recipient
	template *template // nil for a text
	suffix   *Suffix   // nil for an ordinary person
	wamid    string
}

func (s *Server) serveSend(w http.ResponseWriter, r *http.Request, n *number, ep endpoint) {
	mem := s.bodies.Get().(*scratch)
	defer s.bodies.Put(mem)
	p := send{number: n, endpoint: ep, at: time.Now()}
	unread := s.readBody(r, mem)
	p.begin = beginning(r, p.at)
	f := s.authorize(r)
	if f == nil {
		f = unread
	}
	if f == nil {
		f = s.judge(&p, mem)
	}
	if f != nil {
		s.note(&p, mem, f.status, f.code)
		pause(r.Context(), s.opts.Latency)
		s.writeFault(w, f)
		return
	}
	how := replyAccepted
	if p.suffix != nil {
		how = p.suffix.reply
	}
	switch how {
	case replyGatewayError:
		s.note(&p, mem, http.StatusBadGateway, 0)
		pause(r.Context(), s.opts.Latency)
		answerHTML(w, http.StatusBadGateway, "<html><body><h1>502 Bad Gateway</h1></body></html>")
		return
	case replyDropUnaccepted:
		s.note(&p, mem, 0, 0)
		panic(http.ErrAbortHandler)
	}
	m := s.accept(&p, mem)
	s.note(&p, mem, told(how), 0)
	if m != nil {
		s.schedule(m)
	}
	pause(r.Context(), s.opts.Latency)
	s.reply(w, r, &p, mem, m, how)
}

// told is the HTTP status a caller gets for an accepted message, 0 for none.
func told(how reply) int {
	switch how {
	case replyDropAccepted:
		return 0
	case replyServerError:
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

func (s *Server) readBody(r *http.Request, mem *scratch) *fault {
	mem.body = mem.body[:0]
	if kind := r.Header.Get("Content-Type"); kind != "application/json" && !strings.HasPrefix(kind, "application/json;") {
		return refuse(100, "The parameter messaging_product is required (Content-Type must be application/json)")
	}
	if r.ContentLength > maxBody {
		return refuse(100, "The request body is too large")
	}
	var err error
	if n := int(r.ContentLength); n >= 0 {
		if cap(mem.body) < n {
			mem.body = make([]byte, n)
		}
		mem.body = mem.body[:n]
		_, err = io.ReadFull(r.Body, mem.body)
	} else {
		mem.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody))
	}
	if err != nil {
		return refuse(100, "The request body could not be read")
	}
	return nil
}

// judge goes through the checks in Meta's order: throttle, shape, template
// (graph-api.md §1.5). A special number's refusal comes once its number is
// known.
func (s *Server) judge(p *send, mem *scratch) *fault {
	if p.number.rate != nil && !p.number.rate.allow(p.at) {
		return refuse(130429, "The number sends more than %v messages per second", p.number.MessagesPerSecond)
	}
	q, f := parseSend(mem.body, p.endpoint.marketing)
	p.request = q
	if f != nil {
		return f
	}
	if f := q.checkEnvelope(p.endpoint.marketing); f != nil {
		return f
	}
	if len(q.to) > 0 { // wins over recipient when both are given
		p.to, f = resolvePhone(q.to, p.number, s.opts.AccountID)
	} else {
		p.to, f = resolveUser(q.recipient)
	}
	if f != nil {
		return f
	}
	p.suffix = s.suffixes.of(p.to.tail)
	if p.suffix != nil && p.suffix.reply == replyRefused && s.refusesNow(p) {
		if p.suffix.code == 190 {
			return badToken("Error validating access token: the session has expired")
		}
		return refuse(p.suffix.code, "special number ending in %s", p.suffix.Digits)
	}
	if q.template == nil || string(q.kind) != "template" {
		return nil
	}
	p.template = s.catalogue.Load().byKey[templateKey{string(q.name), string(q.language)}]
	if p.template == nil {
		return refuse(132001, "template name (%s) does not exist in %s", q.name, q.language)
	}
	if f := p.template.sendable(p.endpoint.marketing); f != nil {
		return f
	}
	mem.filling = filling{template: p.template, version: p.endpoint.version, now: p.at}
	if f := mem.filling.check(q.components); f != nil {
		return f
	}
	// Meta documents no code for this: 131048 speaks of restrictions on how
	// many messages a number may send (graph-api.md §3).
	if !s.limit.admit(string(p.to.tail), p.at) {
		return refuse(131048, "Message failed to send: %d people were written to in the last 24 hours, the messaging limit", s.limit.limit)
	}
	return nil
}

// refusesNow counts the tries of a special number and tells whether this one is
// refused; an accepted try starts the count again.
func (s *Server) refusesNow(p *send) bool {
	if p.suffix.times == 0 {
		return true
	}
	key := p.number.ID + " " + string(p.to.tail)
	s.attempting.Lock()
	defer s.attempting.Unlock()
	if s.attempts[key] >= p.suffix.times {
		delete(s.attempts, key)
		return false
	}
	s.attempts[key]++
	return true
}

// accept makes the message exist: from here on it counts, whatever the caller
// will be told.
func (s *Server) accept(p *send, mem *scratch) *message {
	p.wamid = newWAMID(p.to, s.seed, uint64(s.accepted.Add(1)))
	if s.opts.Record {
		s.records.add(record{
			at: p.at.UnixNano(), number: p.number, marketing: p.endpoint.marketing, waID: p.to.waID, userID: p.to.userID,
		}, p.wamid, mem.body)
	}
	if s.opts.WebhookURL == "" {
		return nil
	}
	return s.newMessage(p, mem)
}

// note writes the POST into the ledger. What is not on record is not answered.
func (s *Server) note(p *send, mem *scratch, status, code int) {
	if s.ledger == nil {
		return
	}
	mem.out = ledgerLine(mem.out[:0], p, time.Now(), status, code)
	if err := s.ledger.write(mem.out); err != nil {
		s.log.Error("sandbox ledger", "error", err)
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) reply(w http.ResponseWriter, r *http.Request, p *send, mem *scratch, m *message, how reply) {
	switch how {
	case replyDropAccepted:
		panic(http.ErrAbortHandler)
	case replyServerError:
		answerHTML(w, http.StatusInternalServerError, "<html><body>Sorry, something went wrong.</body></html>")
		return
	case replyGarbage:
		answerHTML(w, http.StatusOK, `{"messaging_product":"whatsapp","contacts":[{"inp`)
		return
	case replyHang:
		pause(r.Context(), hangFor)
	case replyAfterFirstWebhook:
		if m != nil {
			waitFor(r, m.told)
		}
	}
	mem.out = p.appendAnswer(mem.out[:0], how == replyHeld)
	answer(w, http.StatusOK, mem.out)
}

// waitFor gives the first webhook five seconds; without a running pump the
// answer must come all the same.
func waitFor(r *http.Request, told <-chan struct{}) {
	t := time.NewTimer(5 * time.Second)
	defer t.Stop()
	select {
	case <-told:
	case <-t.C:
	case <-r.Context().Done():
	}
}

// appendAnswer writes the success answer (graph-api.md §1.4): wa_id for a
// phone, user_id for a user id, message_status for templates only.
func (p *send) appendAnswer(b []byte, held bool) []byte {
	b = append(b, `{"messaging_product":"whatsapp","contacts":[{"input":`...)
	b = appendString(b, p.to.input)
	if p.to.waID != "" {
		b = append(b, `,"wa_id":"`...)
		b = append(b, p.to.waID...)
	} else {
		b = append(b, `,"user_id":"`...)
		b = append(b, p.to.userID...)
	}
	b = append(b, `"}],"messages":[{"id":"`...)
	b = append(b, p.wamid...)
	switch {
	case held:
		b = append(b, `","message_status":"held_for_quality_assessment`...)
	case p.template != nil:
		b = append(b, `","message_status":"accepted`...)
	}
	return append(b, `"}]}`...)
}

func answerHTML(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a client that hung up is the client's affair
}

// newWAMID gives a message id that looks like Meta's: base64 that holds the
// recipient and a number never given before. The n-th id of a server differs
// from all others because mix is a bijection.
func newWAMID(to recipient, seed, n uint64) string {
	who := to.waID
	if who == "" {
		who = to.userID
	}
	var serial [9]byte
	binary.BigEndian.PutUint64(serial[:], mix(seed+n))
	serial[8] = byte(seed)
	var buf [192]byte
	b := append(buf[:0], 0x1c, 0x18, byte(len(who)))
	b = append(b, who...)
	b = append(b, 0x15, 0x02, 0x00, 0x11, 0x18, 0x12)
	b = append(b, bytes.ToUpper(hex.AppendEncode(nil, serial[:]))...)
	b = append(b, 0)
	var encoded [260]byte
	return string(base64.StdEncoding.AppendEncode(append(encoded[:0], "wamid."...), b))
}
