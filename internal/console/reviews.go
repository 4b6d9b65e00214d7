package console

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/permesso/permesso/internal/report"
)

// Reviews is where the page reads the texts that looked like an opt-out, those that have waited longest first.
type Reviews interface {
	Reviews(ctx context.Context) iter.Seq2[report.Review, error]
}

// reviewsShown is how many texts one page shows.
const reviewsShown = 200

type reviewsPage struct {
	Reviews []reviewView
	Cut     bool
	Zone    string
}

// reviewView is one person's text as the page shows it.
type reviewView struct {
	From, FromURL            string
	Since, Latest            *moment
	Text, Language, Campaign string
}

func (c *console) showReviews(w http.ResponseWriter, r *http.Request) {
	page := reviewsPage{Zone: c.Zone.String()}
	for review, err := range c.Reviews.Reviews(r.Context()) {
		if err != nil {
			c.failed(w, r, "reading the reviews", err)
			return
		}
		if len(page.Reviews) == reviewsShown {
			page.Cut = true
			break
		}
		page.Reviews = append(page.Reviews, c.reviewView(review))
	}
	c.render(w, http.StatusOK, "reviews", frame{Title: "Reviews", Section: "reviews"}, page)
}

func (c *console) reviewView(review report.Review) reviewView {
	view := reviewView{
		From: review.Phone, Since: momentOf(review.At.Time, c.Zone, false), Text: review.Text, Language: review.Language, Campaign: review.Campaign,
	}
	if review.LastAt.After(review.At.Time) {
		view.Latest = momentOf(review.LastAt.Time, c.Zone, false)
	}
	switch {
	case review.Phone != "":
		view.FromURL = "/log?" + url.Values{"phone": {review.Phone}}.Encode()
	case review.UserID != "":
		view.From = review.UserID
	default:
		view.From = "(erased)"
	}
	return view
}
