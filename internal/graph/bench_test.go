package graph_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/sender"
)

var benchBody = []byte(`{"messaging_product":"whatsapp","template":"` + strings.Repeat("x", 600) + `"}`)

func benchServer(b *testing.B) string {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, taken)
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// perRequest reports the process's own CPU time, server included: unlike wall time it says the same on a busy machine.
func perRequest(b *testing.B) {
	b.Helper()
	spent := func() (cpu time.Duration) {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	b.Cleanup(func() { b.ReportMetric(float64((spent()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op") })
}

// BenchmarkBare is what net/http alone costs for the same exchange: the floor for BenchmarkSend.
func BenchmarkBare(b *testing.B) {
	url := benchServer(b)
	bare := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true}}
	b.ReportAllocs()
	perRequest(b)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest(http.MethodPost, url+"/v25.0/1/messages", bytes.NewReader(benchBody))
			req.Header.Set("Authorization", "Bearer "+secret)
			req.Header.Set("Content-Type", "application/json")
			resp, err := bare.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}

func BenchmarkSend(b *testing.B) {
	c := client(b, benchServer(b))
	b.ReportAllocs()
	perRequest(b)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			got := c.Send(b.Context(), sender.Post{NumberID: "1", Edge: "messages", Body: benchBody, BeginBy: time.Now().Add(time.Second)})
			if got.Fate != sender.Taken {
				b.Error(got.Cause)
				return
			}
		}
	})
}
