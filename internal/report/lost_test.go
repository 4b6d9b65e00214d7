package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/report"
)

// A report says who took the people that a run lost to caps, the most first; whoever nobody took is said to be so.
func TestLostPeopleAreNamedByCampaign(t *testing.T) {
	for _, tt := range []struct {
		lost map[string]int
		want string
	}{
		{nil, ""},
		{map[string]int{"orders-news": 1, "club": 1, "weekend-offer-two": 1}, "LOST TO            PEOPLE\nclub                    1\norders-news             1\nweekend-offer-two       1\n"},
		{map[string]int{"a": 2}, "LOST TO  PEOPLE\na            2\nnobody       1  a cap of 0, or a message that failed since\n"},
		{map[string]int{}, "LOST TO  PEOPLE\nnobody       3  a cap of 0, or a message that failed since\n"},
	} {
		summary := sample // five with frequency_cap, two of whom wait
		summary.LostTo = tt.lost
		var got bytes.Buffer
		if err := summary.WriteText(&got, time.UTC); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got.String(), "LOST TO") != (tt.want != "") || !strings.Contains(got.String(), tt.want) {
			t.Errorf("lost to %v:\n%s\nwant\n%s", tt.lost, got.String(), tt.want)
		}
		text, err := json.Marshal(summary)
		if err != nil || strings.Contains(string(text), "lost_to") != (len(tt.lost) > 0) {
			t.Errorf("lost to %v is %s, %v", tt.lost, text, err)
		}
	}
	if n := (report.Summary{}).Lost(); n != 0 {
		t.Errorf("nobody is lost, and %d are", n)
	}
}
