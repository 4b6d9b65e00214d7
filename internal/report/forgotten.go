package report

import "fmt"

// Forgotten counts what was deleted by its age, or would be.
type Forgotten struct {
	Deliveries  int `json:"deliveries"`
	Runs        int `json:"runs"` // whose deliveries those are
	Webhooks    int `json:"webhooks"`
	ReviewTexts int `json:"review_texts"`
}

// String is one line for the audit log.
func (f Forgotten) String() string {
	return fmt.Sprintf("%d deliveries of %d runs, %d webhooks, %d review texts", f.Deliveries, f.Runs, f.Webhooks, f.ReviewTexts)
}
