package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

const benchStatus = `{"id":"wamid.HBgMMzkzODk1NTUwMTAxFQIAERgSN%08d","status":"delivered","timestamp":"1795250000","recipient_id":"393895550101",` +
	`"recipient_user_id":"IT.70010020030040051","biz_opaque_callback_data":"1:inst:00112233445566778899aabbccddeeff",` +
	`"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing"}}`

func benchBody(statuses int) []byte {
	var list []string
	for i := range statuses {
		list = append(list, fmt.Sprintf(benchStatus, i))
	}
	return []byte(`{"object":"whatsapp_business_account","entry":[{"id":"500600700800","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",` +
		`"metadata":{"display_phone_number":"390655500011","phone_number_id":"111222333444"},"contacts":[{"profile":{"username":"nives"},` +
		`"wa_id":"393895550101","user_id":"IT.70010020030040051"}],"statuses":[` + strings.Join(list, ",") + `]}}]}]}`)
}

// Signature and parsing alone, on every core: the goal is 25,000 bodies of one status per second on two.
func BenchmarkVerifyAndParse(b *testing.B) {
	for _, statuses := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("statuses=%d", statuses), func(b *testing.B) {
			body := benchBody(statuses)
			claimed := benchSign(body)
			p, now := parser{}, time.Unix(1795250100, 0)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					s, ok := parseSignature(claimed)
					if !ok || !s.proves(body, []string{"bench"}) {
						b.Fatal("the signature does not hold")
					}
					read, err := p.parse(body, now)
					if err != nil || len(read.box.Statuses) != statuses || read.box.Body != nil {
						b.Fatal("the body was misread", err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bodies/s")
		})
	}
}

// The whole handler with a sink that costs nothing, 64 requests at a time.
func BenchmarkHandler(b *testing.B) {
	body := benchBody(1)
	r := New(Options{AppSecrets: func() []string { return []string{"bench"} }, VerifyToken: func() string { return "" }, Sink: idleSink{}})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	defer func() { cancel(); <-done }()
	h, claimed := r.Handler(), benchSign(body)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := httptest.NewRequest(http.MethodPost, "/webhook", bytes.NewReader(body))
			req.Header.Set("X-Hub-Signature-256", claimed)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, req); w.Code != http.StatusOK {
				b.Fatalf("status %d", w.Code)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bodies/s")
}

type idleSink struct{}

func (idleSink) Store(context.Context, []sender.Inbox) ([]policy.PersonID, error) { return nil, nil }
func (idleSink) InFlight(context.Context, []policy.PersonID) (bool, error)        { return false, nil }

func benchSign(body []byte) string {
	mac := hmac.New(sha256.New, []byte("bench"))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
