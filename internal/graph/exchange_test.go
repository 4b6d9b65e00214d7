package graph

import (
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"reflect"
	"testing"
	"time"
)

// dead is a connection that takes some bytes and then fails.
type dead struct {
	net.Conn
	takes int
}

func (d dead) Write(p []byte) (int, error) {
	if d.takes >= len(p) {
		return len(p), nil
	}
	return d.takes, io.ErrClosedPipe
}

// These are the moments that no server can bring about at will: whether a dying connection took a byte decides whether
// a message may go out on another.
func TestOneBeginning(t *testing.T) {
	wire := func(takes int) *conn {
		s := &socket{Conn: dead{takes: takes}}
		return &conn{Conn: s, socket: s}
	}
	write := func(x *exchange, c *conn) error {
		x.got(httptrace.GotConnInfo{Conn: c})
		_, err := c.Write([]byte("POST"))
		return err
	}
	t.Run("nothing taken, so the next connection may", func(t *testing.T) {
		x, _ := newExchange(t.Context(), time.Now().Add(time.Minute), time.Minute)
		if err := write(x, wire(0)); !errors.Is(err, io.ErrClosedPipe) {
			t.Fatal(err)
		}
		if err := write(x, wire(9)); err != nil {
			t.Fatalf("the second connection: %v", err)
		}
		if !x.finish() {
			t.Error("it does not know that it began")
		}
	})
	t.Run("nothing taken at all", func(t *testing.T) {
		x, _ := newExchange(t.Context(), time.Now().Add(time.Minute), time.Minute)
		write(x, wire(0))
		if x.finish() {
			t.Error("it thinks that it began")
		}
		if err := write(x, wire(9)); err == nil {
			t.Error("it was written after its end")
		}
	})
	t.Run("one byte taken, so no other may", func(t *testing.T) {
		x, own := newExchange(t.Context(), time.Now().Add(time.Minute), time.Minute)
		write(x, wire(1))
		if err := write(x, wire(9)); !errors.Is(err, errReplay) {
			t.Errorf("a second connection: %v", err)
		}
		if own.Err() == nil {
			t.Error("net/http was not told to stop trying")
		}
		if !x.finish() {
			t.Error("it does not know that it began")
		}
	})
	t.Run("a foreign connection counts as begun", func(t *testing.T) {
		x, _ := newExchange(t.Context(), time.Now().Add(time.Minute), time.Minute)
		x.got(httptrace.GotConnInfo{Conn: dead{}})
		if !x.finish() {
			t.Error("bytes may have left unseen")
		}
	})
	t.Run("late by one clock is late", func(t *testing.T) {
		now := time.Now()
		if !late(now, now.Add(-1)) || !late(now.Round(0), now.Add(-1)) || late(now, now.Add(1)) || late(now, now) {
			t.Error("late is wrong")
		}
	})
}

// FuzzAnswer: what the quick reader reads, encoding/json reads alike.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"messaging_product":"whatsapp","contacts":[{"input":"+39","wa_id":"39"}],"messages":[{"id":"wamid.A==","message_status":"accepted"}]}`))
	f.Add([]byte(` { "messages" : [ { "id" : "a" } , { } ] , "contacts":[{"user_id":"IT.1","input":"x"}] } `))
	f.Add([]byte(`{"messages":[{"id":"a\u0041"}],"messages":[],"error":{"code":"1"}}`))
	f.Add([]byte(`{"messages":[{"ID":"a","id":17}],"contacts":[]}x`))
	f.Add([]byte(`{"error":{"code":131026,"error_data":"{\"details\":\"x\"}","message":"(#1) y"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		slow, valid := readAnswer(body)
		_ = slow.Error.classify(reply{status: 400}, "EAAG")
		quick, ok := quickAnswer(body)
		if ok && (!valid || !reflect.DeepEqual(quick, slow)) {
			t.Fatalf("quick %+v, slow %+v (%v)", quick, slow, valid)
		}
	})
}

func TestQuickAnswerTakesTheUsual(t *testing.T) {
	usual := `{"messaging_product":"whatsapp","contacts":[{"input":"+393331112223","wa_id":"393331112223"}],"messages":[{"id":"wamid.A==","message_status":"accepted"}]}`
	if a, ok := quickAnswer([]byte(usual)); !ok || a.Messages[0].ID != "wamid.A==" || a.Contacts[0].WaID != "393331112223" {
		t.Errorf("%+v, %v", a, ok)
	}
}
