package report

// Erased is what an erasure found of a person, in numbers alone.
type Erased struct {
	Waiting      int `json:"waiting"`      // deliveries that will not leave
	Deliveries   int `json:"deliveries"`   // that lost their words and message ids; these stay with state and times
	Suppressions int `json:"suppressions"` // stops that hold on as keyed hashes, each identifier's for itself
	Webhooks     int `json:"webhooks"`     // bodies that were deleted
}
