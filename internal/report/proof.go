package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/permesso/permesso/policy"
)

// ConsentStand is what the ledger said of one category at one moment.
type ConsentStand struct {
	Category string         `json:"category"`
	State    policy.Action  `json:"state"` // expired also when its age alone made it so
	Given    bool           `json:"given"` // a message of the category had consent
	At       Time           `json:"at"`    // when the person acted
	Source   string         `json:"source"`
	Event    policy.EventID `json:"event"` // that says so
	Until    Time           `json:"until,omitzero"`
}

// ConsentProof is all that shows what a person consented to and what was sent to them: the file to hand to WhatsApp, or to a court.
type ConsentProof struct {
	Phone        string          `json:"phone"`
	UserID       string          `json:"user_id,omitempty"`
	Business     string          `json:"business"`
	Installation string          `json:"installation"`
	MadeAt       Time            `json:"made_at"`
	MadeBy       string          `json:"made_by"`
	Stands       []ConsentStand  `json:"stands"`
	Events       []ProvedConsent `json:"events"`
	Messages     []ProvedMessage `json:"messages"`
	Suppressions []Suppression   `json:"suppressions"`
	Checkpoint   ProofCheckpoint `json:"checkpoint,omitzero"` // the newest
}

// ProvedConsent is an event with what shows that it is as it was recorded.
type ProvedConsent struct {
	Consent
	// Intact says that its content fits its link, and the link the one before; "" that nothing here could tell, for the key is not.
	Intact string `json:"intact"` // yes, no or ""
	// Sealed is the first checkpoint that was written after it.
	Sealed ProofCheckpoint `json:"sealed_by,omitzero"`
}

// ProofCheckpoint is a line of the checkpoints.
type ProofCheckpoint struct {
	Line int64  `json:"line"`
	At   Time   `json:"at"`
	Text string `json:"text,omitempty"` // the signed line itself
}

// ProvedMessage is a message that was sent to the person, and the consent that it relied on.
type ProvedMessage struct {
	Campaign    string         `json:"campaign"`
	Run         string         `json:"run"`
	Category    string         `json:"category"`
	Template    string         `json:"template"`
	Language    string         `json:"language"`
	State       string         `json:"state"`
	SendingAt   Time           `json:"sending_at"`
	DeliveredAt Time           `json:"delivered_at,omitzero"`
	ReadAt      Time           `json:"read_at,omitzero"`
	WAMID       string         `json:"wamid,omitempty"`
	Test        bool           `json:"test,omitempty"`
	Event       policy.EventID `json:"consent_event"` // "" for a test, and for what was sent before events had names
}

//go:embed proof.html
var proofPage string

var proofTemplate = template.Must(template.New("proof").Funcs(template.FuncMap{
	"when": func(t Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format("2006-01-02 15:04:05 UTC")
	},
	"words": func(text string) string { return strings.ReplaceAll(text, "_", " ") },
}).Parse(proofPage))

// WriteHTML writes the proof as a page that needs nothing else: no script, nothing from elsewhere. It is made to be printed.
func (p ConsentProof) WriteHTML(w io.Writer) error {
	if err := proofTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
