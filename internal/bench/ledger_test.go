package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

const verifiedEvents = 1_000_000

// BenchmarkVerify checks a ledger of a million events, each with its evidence: events per second of `consent verify`, without the
// start of the program.
func BenchmarkVerify(b *testing.B) {
	for _, on := range []struct {
		name     string
		database func(testing.TB) string
	}{{"sqlite", sqliteDatabase}, {"postgres", postgresDatabase}} {
		b.Run(on.name, func(b *testing.B) {
			s, err := store.Open(b.Context(), on.database(b))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }() // nothing is left to write
			key := ledger.NewKey(make([]byte, ledger.SecretSize))
			s.SealWith(func(context.Context) (ledger.Key, error) { return key, nil })
			fillLedger(b, s)
			keys := map[ledger.KeyID]ledger.Key{key.ID: key}
			for b.Loop() {
				history := ledger.NewHistory(s.Instance())
				history.End(0, keys)
				report, err := s.VerifyLedger(b.Context(), history, keys)
				if err != nil || !report.Whole() || report.Events != verifiedEvents {
					b.Fatalf("%+v, %v", report, err)
				}
			}
			b.ReportMetric(verifiedEvents*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func fillLedger(b *testing.B, s *store.Store) {
	b.Helper()
	given := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	records := make([]scheduler.ConsentRecord, 20_000)
	for from := 0; from < verifiedEvents; from += len(records) {
		for i := range records {
			n := from + i
			records[i] = scheduler.ConsentRecord{Phone: phone.Number(importedPhone(n)), Event: policy.ConsentEvent{
				Category: "offers", Action: policy.Granted, At: given.Add(time.Duration(n) * time.Second), Source: "web_form", Business: "Libreria Aurora",
				Wording: "Sì, voglio le offerte di Libreria Aurora su WhatsApp", Evidence: fmt.Sprintf("form-%d", n),
			}}
		}
		if _, err := s.ImportConsents(b.Context(), records); err != nil {
			b.Fatal(err)
		}
	}
}
