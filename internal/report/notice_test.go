package report_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/report"
)

func TestNoticesAreDiscreet(t *testing.T) {
	for text, want := range map[string]string{
		"paused by ada":                                             "paused by ada",
		"ask +393471234567":                                         "ask …",
		"ask +39 347 123-4567, then go on":                          "ask …, then go on",
		"ask 3471234567":                                            "ask …",
		"ask 347 123 4567":                                          "ask …",
		"ask (+39) 347.123.4567":                                    "ask (…",
		"it was for 20000 people and is for 25000 now":              "it was for 20000 people and is for 25000 now",
		"nobody approved it before 2026-11-22T18:00:00+01:00":       "nobody approved it before 2026-11-22T18:00:00+01:00",
		"Meta answered 131048 (2494055), at 18:00":                  "Meta answered 131048 (2494055), at 18:00",
		"Malformed access token " + strings.Repeat("EAABsbCS12", 9): "Malformed access token …",
		"run 20261121-1800-k3f9xa of 111222333444":                  "run 20261121-1800-k3f9xa of 111222333444",
		"run 20261121-1800-k3f9xa of 111222333445":                  "run 20261121-1800-k3f9xa of …",
	} {
		d := report.NoticeData{Sentence: text, Reason: text, By: text, Run: "20261121-1800-k3f9xa", Number: "111222333444"}.Discreet()
		if d.Sentence != want || d.Reason != want || d.By != want {
			t.Errorf("%q became %q, want %q", text, d.Reason, want)
		}
	}
}

// No number of a person passes, however an operator writes it between other words.
func TestNoPhonePasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`39[0-9]{10}`).Draw(t, "digits")
		var written strings.Builder
		written.WriteString("+")
		for i, d := range digits {
			if i > 0 && i%3 == 0 {
				written.WriteString(rapid.SampledFrom([]string{"", " ", "-", "."}).Draw(t, "between"))
			}
			written.WriteRune(d)
		}
		before, after := rapid.StringMatching(`[a-z ,:(]{0,12}`).Draw(t, "before"), rapid.StringMatching(`[a-z ,:)]{0,12}`).Draw(t, "after")
		d := report.NoticeData{Reason: before + written.String() + after}.Discreet()
		if strings.ContainsAny(d.Reason, "0123456789") {
			t.Errorf("%q became %q", written.String(), d.Reason)
		}
	})
}

// A notice's body is the same at every attempt, and has nothing of the attempts.
func TestTheBodyOfANotice(t *testing.T) {
	n := report.Notice{
		ID: "0193", Type: report.NoticeRunPaused, At: report.Time{Time: time.Date(2026, 11, 22, 17, 0, 0, 5000, time.UTC)},
		Data: report.NoticeData{Sentence: "Run r of campaign c is paused: <lunch>.", Run: "r", Campaign: "c", Number: "1", Reason: "<lunch>", By: "ada"},
	}
	first, err := n.Body()
	if err != nil {
		t.Fatal(err)
	}
	n.Attempts, n.Error, n.NextAt = 3, "it answered 500", report.Time{Time: time.Now()}
	if again, err := n.Body(); err != nil || string(again) != string(first) {
		t.Errorf("%s, %v; before %s", again, err, first)
	}
	var got struct {
		Type, Timestamp string
		Data            map[string]string
	}
	if err := json.Unmarshal(first, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"sentence": "Run r of campaign c is paused: <lunch>.", "run": "r", "campaign": "c", "number": "1", "reason": "<lunch>", "by": "ada"}
	if got.Type != "run.paused" || got.Timestamp != "2026-11-22T17:00:00.000005Z" || fmt.Sprint(got.Data) != fmt.Sprint(want) {
		t.Errorf("the body is %s", first)
	}
}
