package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/sandbox"
)

const connections = 64

// listen serves h on a real socket and returns its base URL.
func listen(tb testing.TB, h http.Handler) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	tb.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

// postAll sends b.N typical messages over 64 connections of a bare client.
func postAll(b *testing.B, base string) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	var sent atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range connections {
		wg.Go(func() {
			for n := sent.Add(1); n <= int64(b.N); n = sent.Add(1) {
				body := typicalBody(n)
				r, err := http.NewRequest(http.MethodPost, base+"/v25.0/111222333444/messages", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("Content-Type", "application/json")
				res, err := client.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					b.Errorf("status %d", res.StatusCode)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
	client.CloseIdleConnections()
}

func typicalBody(n int64) []byte {
	return fmt.Appendf(nil, `{"messaging_product":"whatsapp","recipient_type":"individual","to":"+39347%07d","type":"template",`+
		`"biz_opaque_callback_data":"permesso:v1:weekend-offer:2026-11-27T18:00:00:%032d","template":{"name":"weekend_offer",`+
		`"language":{"code":"it","policy":"deterministic"},"components":[{"type":"body","parameters":[{"type":"text","text":"Giulia"},`+
		`{"type":"text","text":"domenica 30 novembre"}]},{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text",`+
		`"text":"tascabili?c=AURORA20"}]},{"type":"button","sub_type":"quick_reply","index":"1","parameters":[{"type":"payload",`+
		`"payload":"opt_out:v1:weekend-offer"}]}]}}`, n%100000, n)
}

// BenchmarkBare is the floor: the same client against a handler that only
// drains the body.
func BenchmarkBare(b *testing.B) {
	answer := []byte(`{"messaging_product":"whatsapp","contacts":[{"input":"+393470000000","wa_id":"393470000000"}],"messages":[{"id":"wamid.HBgMMzkzMzMxMTEyMjIzFQIAERgSNkE1QjRDM0QyRTFGMDA5ODc3AA==","message_status":"accepted"}]}`)
	postAll(b, listen(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(answer)
	})))
}

func BenchmarkPOST(b *testing.B) {
	for _, record := range []bool{false, true} {
		b.Run(fmt.Sprintf("record=%v", record), func(b *testing.B) {
			s := newSandbox(b, func(o *sandbox.Options) { o.Record = record; o.WebhookURL = "" })
			postAll(b, listen(b, s))
		})
	}
}

// BenchmarkPOSTWithWebhooks adds three statuses per message, posted to a
// receiver that drains them; the wait for the last is part of the time.
func BenchmarkPOSTWithWebhooks(b *testing.B) {
	receiver := listen(b, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	s := newSandbox(b, func(o *sandbox.Options) { o.Record = false; o.WebhookURL = receiver })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	started := time.Now()
	postAll(b, listen(b, s))
	if err := s.Idle(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(3*float64(b.N)/time.Since(started).Seconds(), "statuses/s")
	cancel()
	<-ended
}

// BenchmarkHandler is the sandbox's own share of a POST, without sockets.
func BenchmarkHandler(b *testing.B) {
	s := newSandbox(b, func(o *sandbox.Options) { o.Record = false; o.WebhookURL = "" })
	body := typicalBody(1)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r, _ := http.NewRequest(http.MethodPost, "http://graph/v25.0/111222333444/messages", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		s.ServeHTTP(nowhere{}, r)
	}
}

type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
