package report

// Review is a person whose text looked like an opt-out and waits to be read: a line of `permesso reviews list --json`.
// Nothing of kind marketing is sent to them until it is closed.
type Review struct {
	Phone    string `json:"phone"` // E.164; "" when only a user id is known
	UserID   string `json:"user_id"`
	At       Time   `json:"at"`      // the first text that nobody has judged
	LastAt   Time   `json:"last_at"` // the latest, whose words Text has
	Text     string `json:"text"`
	Language string `json:"language"` // the contact's, BCP 47; "" when not known
	Campaign string `json:"campaign"` // whose message they had last before the text; "" when none
}
