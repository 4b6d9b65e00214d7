package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/app"
	"github.com/permesso/permesso/internal/sandbox"
)

// BenchmarkStops measures how long a webhook with one stop takes to its 200 while a run sends to 20,000 people and the statuses of its
// messages come in, each in a webhook of its own: from the client's request to the end of the answer, over all stops of the run. A
// thousand messages a second is the most that Meta lets a number send (Meta, "Throughput"; graph-api §3); as fast as it can is more than
// the processors, which the Graph API's stand-in and permesso share, have time for.
func BenchmarkStops(b *testing.B) {
	const people = 20_000
	for _, at := range []struct {
		name      string
		perSecond float64
	}{{"1000-a-second", 1000}, {"unbounded", unbounded}} {
		b.Run("sqlite/"+at.name, func(b *testing.B) { benchmarkStops(b, sqliteDatabase, people, at.perSecond) })
		b.Run("postgres/"+at.name, func(b *testing.B) { benchmarkStops(b, postgresDatabase, people, at.perSecond) })
	}
}

// stopEvery is how often somebody stops: a hundred people a second.
const stopEvery = 10 * time.Millisecond

func benchmarkStops(b *testing.B, database func(testing.TB) string, people int, perSecond float64) {
	var took []float64
	for range b.N {
		r := newRig(b, database(b), perSecond, true)
		r.fill(b, people)
		run, err := r.app.CreateRun(context.Background(), "weekend-offer", app.RunOptions{})
		if err != nil {
			b.Fatal(err)
		}
		var sending atomic.Bool
		sending.Store(true)
		var stopping, answering sync.WaitGroup
		var mu sync.Mutex
		stopping.Go(func() {
			for r.sandbox.Count() == 0 && sending.Load() {
				time.Sleep(time.Millisecond) // until the first message has left
			}
			for i := 0; sending.Load() && i < people; i++ {
				number := fmt.Sprintf("+39347%07d", people-1-i*7%people)
				answering.Go(func() {
					began := time.Now()
					_, err := r.sandbox.Inbound(context.Background(), sandbox.Inbound{From: number, Text: "STOP", Attempts: 1})
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						took = append(took, float64(time.Since(began).Microseconds())/1000)
					case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF): // the run is over, and nobody listens any more
						b.Error(err)
					}
				})
				time.Sleep(stopEvery)
			}
		})
		if _, err := r.app.Foreground(context.Background(), run, nil); err != nil {
			b.Fatal(err)
		}
		sending.Store(false)
		stopping.Wait()
		answering.Wait()
	}
	if len(took) < 100 {
		b.Fatalf("%d stops came while the run was sending: too few to tell a 99th percentile", len(took))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "p50-ms")
	b.ReportMetric(took[len(took)*99/100], "p99-ms")
	b.ReportMetric(float64(len(took)), "stops")
	b.ReportMetric(0, "ns/op")
}
