package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

var (
	fired  = time.Date(2026, 11, 21, 18, 0, 0, 0, time.FixedZone("CET", 3600))
	sample = report.Summary{
		Run: "20261121-1700-k3f9x2", Campaign: "weekend-offer", FireAt: report.Time{Time: fired}, StartedAt: report.Time{Time: fired.Add(time.Second)},
		States:   map[sender.State]int{sender.Skipped: 48, sender.Delivered: 1200, sender.Queued: 3},
		Reasons:  map[policy.Reason]int{policy.NoConsent: 40, policy.Suppressed: 8, policy.FrequencyCap: 5, policy.InQuietHours: 1, "brand_new": 1},
		Waits:    map[policy.Reason]int{policy.FrequencyCap: 2, policy.InQuietHours: 1},
		OptedOut: 2, Replied: 31, Rate: report.Rate{Mean: 78.5, Max: 80},
	}
)

func TestTimeIsPrintedWithMicroseconds(t *testing.T) {
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC), `{"at":"2026-11-21T18:00:00.000000Z"}`},
		{time.Date(2026, 11, 21, 18, 0, 0, 123_456_789, time.FixedZone("", 3600)), `{"at":"2026-11-21T17:00:00.123456Z"}`},
		{time.Time{}, `{}`},
	} {
		var line struct {
			At report.Time `json:"at,omitzero"`
		}
		line.At = report.Time{Time: tt.at}
		text, err := json.Marshal(line)
		if err != nil || string(text) != tt.want {
			t.Errorf("%v is printed as %s, %v, want %s", tt.at, text, err, tt.want)
		}
		line.At = report.Time{}
		if err := json.Unmarshal(text, &line); err != nil || !line.At.Equal(tt.at.Truncate(time.Microsecond)) {
			t.Errorf("%s is read as %v, %v", text, line.At, err)
		}
	}
}

func TestTimesSortAsTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.Int64Range(0, 4e15)
		a, b := time.UnixMicro(micros.Draw(t, "a")), time.UnixMicro(micros.Draw(t, "b"))
		if got, want := strings.Compare(report.Time{Time: a}.String(), report.Time{Time: b}.String()), a.Compare(b); got != want {
			t.Fatalf("%v and %v compare as %d, their texts as %d", a, b, want, got)
		}
	})
}

func TestSummaryJSON(t *testing.T) {
	got, err := json.Marshal(sample)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"run":"20261121-1700-k3f9x2","campaign":"weekend-offer","fire_at":"2026-11-21T17:00:00.000000Z","started_at":"2026-11-21T17:00:01.000000Z",` +
		`"states":{"delivered":1200,"queued":3,"skipped":48},"reasons":{"brand_new":1,"frequency_cap":5,"no_consent":40,"quiet_hours":1,"suppressed":8},"opted_out":2,"replied":31,"rate":{"mean":78.5,"max":80}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSummaryText(t *testing.T) {
	var got bytes.Buffer
	if err := sample.WriteText(&got, fired.Location()); err != nil {
		t.Fatal(err)
	}
	want := `Run       20261121-1700-k3f9x2
Campaign  weekend-offer
Due       2026-11-21 18:00:00 +01:00
Started   2026-11-21 18:00:01 +01:00

STATE          PEOPLE
queued              3
delivered        1200
skipped            48
total            1251

REASON         PEOPLE
suppressed          8  this person asked not to be written to, or is on the suppression list
no_consent         40  no consent on record for this category
quiet_hours         1  waits for the end of quiet hours, or of a holiday, where this person is
frequency_cap       3  this person has had as many messages as the caps allow
frequency_cap       2  waits until the caps have room for one more
brand_new           1  brand new

Opted out  2
Replied    31
Rate       78.5 per second, 80 in the busiest second
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

type fullDisk struct{ left int }

var errFull = errors.New("no space left")

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWritersTellWhenTheyCannotWrite(t *testing.T) {
	for left := range 400 {
		if err := sample.WriteText(&fullDisk{left}, time.UTC); !errors.Is(err, errFull) {
			t.Fatalf("summary with %d bytes of room: %v", left, err)
		}
	}
	lines, summaries := report.NewLineCSV(&fullDisk{}), report.NewSummaryCSV(&fullDisk{})
	if err := errors.Join(lines.Write(report.Line{}), lines.Flush()); !errors.Is(err, errFull) {
		t.Errorf("lines: %v", err)
	}
	if err := errors.Join(summaries.Write(sample), summaries.Flush()); !errors.Is(err, errFull) {
		t.Errorf("summaries: %v", err)
	}
	if err := report.NewLineTable(&fullDisk{}, time.UTC).Write(report.Line{}); !errors.Is(err, errFull) {
		t.Errorf("table: %v", err)
	}
}

func TestSummaryCSVHasTheSameColumnsForEveryRun(t *testing.T) {
	var out bytes.Buffer
	w := report.NewSummaryCSV(&out)
	for _, s := range []report.Summary{sample, {Run: "empty"}} {
		if err := w.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for name, want := range map[string][2]string{
		"run": {"20261121-1700-k3f9x2", "empty"}, "fire_at": {"2026-11-21T17:00:00.000000Z", ""}, "delivered": {"1200", "0"}, "failed": {"0", "0"},
		"opted_out": {"2", "0"}, "rate_mean": {"78.5", "0"}, "rate_max": {"80", "0"}, "reason_no_consent": {"40", "0"},
	} {
		column := slices.Index(rows[0], name)
		if column < 0 {
			t.Errorf("no column %s in %v", name, rows[0])
			continue
		}
		if got := [2]string{rows[1][column], rows[2][column]}; got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func TestLineCSV(t *testing.T) {
	line := report.Line{
		Run: "r", Campaign: "c", Phone: "+393471234567", UserID: "@x", State: sender.Failed, Reason: policy.Reason("-1"), QueuedAt: report.Time{Time: fired},
		Error: &report.Error{Code: 131026, Title: "=HYPERLINK(\"x\")", Details: "a,\n\"b\""}, Pricing: &report.Pricing{Billable: new(bool), Category: "marketing"},
	}
	var out bytes.Buffer
	w := report.NewLineCSV(&out)
	if err := errors.Join(w.Write(line), w.Flush()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	for name, want := range map[string]string{
		"phone": "'+393471234567", "user_id": "'@x", "reason": "'-1", "error_title": "'=HYPERLINK(\"x\")", "error_details": "a,\n\"b\"", "error_code": "131026",
		"queued_at": "2026-11-21T17:00:00.000000Z", "due_at": "", "pricing_billable": "false", "pricing_category": "marketing", "attempts": "0",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	out.Reset()
	if err := report.NewLineCSV(&out).Flush(); err != nil || !strings.HasPrefix(out.String(), "run,campaign,phone,") {
		t.Errorf("an empty log is %q, %v", out.String(), err)
	}
}

func TestLineTable(t *testing.T) {
	var out bytes.Buffer
	table := report.NewLineTable(&out, time.UTC)
	for _, line := range []report.Line{
		{Campaign: "weekend-offer", Phone: "+393471234567", State: sender.Skipped, Reason: policy.NoConsent, QueuedAt: report.Time{Time: fired}},
		{Campaign: "a-name-longer-than-its-column", UserID: "IT.77", State: sender.Delivered, Test: true, QueuedAt: report.Time{Time: fired}, DeliveredAt: report.Time{Time: fired.Add(time.Minute)}, DueAt: report.Time{Time: fired.Add(time.Hour)}},
		{Campaign: "news", State: sender.Failed, Error: &report.Error{Code: 131026, Title: "Message undeliverable\x1b[31m"}, QueuedAt: report.Time{Time: fired}},
		{Campaign: "news", UserID: "IT.1", State: sender.Failed, Error: &report.Error{Code: 131050, Title: "No marketing", Details: "No marketing."}, QueuedAt: report.Time{Time: fired}},
		{Campaign: "news", UserID: "IT.2", State: sender.Failed, Error: &report.Error{Code: 132015, Title: "Template paused", Details: "For low quality."}, QueuedAt: report.Time{Time: fired}},
		{Campaign: "news", UserID: "IT.7", State: sender.Failed, Error: &report.Error{Title: sender.Internal, Details: "permesso could not make this message"}, QueuedAt: report.Time{Time: fired}},
		{Campaign: "news", UserID: "IT.3", State: sender.Queued, Reason: policy.FrequencyCap, QueuedAt: report.Time{Time: fired}},
		{Campaign: "news", UserID: "IT.4", State: sender.Unknown, QueuedAt: report.Time{Time: fired}},
		{Campaign: "news", UserID: "IT.5", State: sender.Unknown, Reason: report.Unproven, QueuedAt: report.Time{Time: fired}},
		{Campaign: "news", UserID: "IT.6", State: sender.Held, QueuedAt: report.Time{Time: fired}},
	} {
		if err := table.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	want := `TIME                 CAMPAIGN              TO                STATE      WHY
2026-11-21 17:00:00  weekend-offer         +393471234567     skipped    no consent on record for this category
2026-11-21 17:01:00  a-name-longer-than-its-column (test)  IT.77             delivered
2026-11-21 17:00:00  news                  (erased)          failed     131026 Message undeliverable [31m
2026-11-21 17:00:00  news                  IT.1              failed     131050 No marketing
2026-11-21 17:00:00  news                  IT.2              failed     132015 Template paused: For low quality.
2026-11-21 17:00:00  news                  IT.7              failed     permesso could not make this message
2026-11-21 17:00:00  news                  IT.3              queued     waits until the caps have room for one more
2026-11-21 17:00:00  news                  IT.4              unknown    the answer was lost; WhatsApp's own report will tell
2026-11-21 17:00:00  news                  IT.5              unknown    the answer was lost, and WhatsApp has said nothing of this message since
2026-11-21 17:00:00  news                  IT.6              held       Meta took it and holds it to assess the template's quality
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestEveryReasonHasASentence(t *testing.T) {
	seen := map[policy.Reason]bool{}
	for _, reason := range report.Reasons() {
		says := report.Sentence(reason)
		if seen[reason] || says == "" || says == strings.ReplaceAll(string(reason), "_", " ") || strings.HasSuffix(says, ".") {
			t.Errorf("%s: %q", reason, says)
		}
		seen[reason] = true
	}
	// The rules tell their own names: each that can refuse is here.
	for _, judgement := range policy.Explain(policy.Rules{}, policy.Facts{}) {
		if judgement.Reason != "" && !seen[judgement.Reason] {
			t.Errorf("the rule %s refuses for %s, which has no sentence", judgement.Rule, judgement.Reason)
		}
	}
	if got := report.Sentence("brand_new"); got != "brand new" {
		t.Errorf("an unknown reason says %q", got)
	}
	if got := report.Sentence(""); got != "" {
		t.Errorf("no reason says %q", got)
	}
}

func TestUnreported(t *testing.T) {
	all := map[sender.State]int{}
	for _, state := range sender.States() {
		all[state] = 1
	}
	if got := (report.Summary{States: all}).Unreported(); got != 3 {
		t.Errorf("of one message in each state %d have no report, want accepted, held and unknown", got)
	}
}

func TestProgress(t *testing.T) {
	p := report.Progress{States: map[sender.State]int{sender.Queued: 5, sender.Sending: 1, sender.Delivered: 7, sender.Unknown: 2, sender.Skipped: 3}}
	if p.Total() != 18 || p.Waiting() != 6 || p.Messages() != 9 {
		t.Errorf("total %d, waiting %d, messages %d", p.Total(), p.Waiting(), p.Messages())
	}
}
