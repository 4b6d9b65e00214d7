package console_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/console"
	"github.com/permesso/permesso/internal/report"
)

// unread are texts that wait, behind the console's own interface.
type unread struct {
	texts []report.Review
	err   error
}

func (u unread) Reviews(context.Context) iter.Seq2[report.Review, error] {
	return func(yield func(report.Review, error) bool) {
		for _, review := range u.texts {
			if !yield(review, nil) {
				return
			}
		}
		if u.err != nil {
			yield(report.Review{}, u.err)
		}
	}
}

func texts() unread {
	at := time.Date(2026, time.November, 27, 17, 0, 0, 0, time.UTC)
	return unread{texts: []report.Review{
		{Phone: "+393471230001", At: report.Time{Time: at}, LastAt: report.Time{Time: at.Add(2 * time.Hour)}, Text: "ho detto basta, quante volte devo dirlo? <b>basta</b>", Language: "it", Campaign: "weekend-offer"},
		{Phone: "+972501234567", At: report.Time{Time: at}, LastAt: report.Time{Time: at}, Text: "איך אפשר להסיר את עצמי מהרשימה?", Language: "he"},
		{UserID: "IT.70010020030040051", At: report.Time{Time: at}, LastAt: report.Time{Time: at}, Text: strings.Repeat("unsubscribe", 40), Campaign: "members-only"},
		{At: report.Time{Time: at}, LastAt: report.Time{Time: at}, Text: ""},
	}}
}

func withReviews(reviews console.Reviews) console.Options {
	options := optionsOf(aurora())
	options.Reviews = reviews
	return options
}

func TestReviewsPage(t *testing.T) {
	page := get(t, withReviews(texts()), "/reviews")
	body := page.Body.String()
	for _, want := range []string{"393471230001</a>", "no longer kept", "&lt;b&gt;basta", `lang="he"`, "weekend-offer", "IT.70010020030040051", "(erased)", "permesso reviews close", `aria-current="page">Reviews`, "this text"} {
		if page.Code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("the page (%d) lacks %q", page.Code, want)
		}
	}
	if empty := get(t, withReviews(unread{}), "/reviews").Body.String(); !strings.Contains(empty, "No text waits") {
		t.Errorf("the empty page is %q", empty)
	}
	many := unread{}
	for i := range 300 {
		many.texts = append(many.texts, report.Review{Phone: fmt.Sprintf("+3934712%05d", i), Text: "make it stop"})
	}
	if shown := get(t, withReviews(many), "/reviews").Body.String(); strings.Count(shown, "make it stop") != 200 || !strings.Contains(shown, "Only the 200") {
		t.Error("a long list is not cut, or does not say so")
	}
	if broken := get(t, withReviews(unread{texts: texts().texts, err: errors.New("no database")}), "/reviews"); broken.Code != http.StatusInternalServerError || strings.Contains(broken.Body.String(), "basta") {
		t.Errorf("half a list is shown: %d", broken.Code)
	}
	if without := get(t, optionsOf(aurora()), "/reviews"); without.Code != http.StatusNotFound {
		t.Errorf("without reviews the page answers %d", without.Code)
	}
}
