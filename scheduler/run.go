package scheduler

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// RunState is where a run stands.
type RunState string

// The states of a run (CONTRACT §4).
const (
	Planning     RunState = "planning"
	Waiting      RunState = "waiting" // for approval
	Running      RunState = "running"
	Paused       RunState = "paused"
	Done         RunState = "done"
	RunCancelled RunState = "cancelled"
	Missed       RunState = "missed"
)

// RunStates lists the states in the order in which a run may meet them.
func RunStates() []RunState {
	return []RunState{Planning, Waiting, Running, Paused, Done, RunCancelled, Missed}
}

// Open reports whether the run may still send.
func (s RunState) Open() bool {
	return s == Planning || s == Waiting || s == Running || s == Paused
}

// CanBecome reports whether a run in state s may move to state t.
func (s RunState) CanBecome(t RunState) bool {
	switch s {
	case Planning:
		return t == Waiting || t == Running || t == Paused || t == RunCancelled || t == Done
	case Waiting:
		return t == Running || t == Planning || t == RunCancelled || t == Missed
	case Running:
		return t == Paused || t == Done || t == RunCancelled
	case Paused:
		return t == Running || t == Planning || t == RunCancelled
	}
	return false
}

// Frozen is the configuration that a run keeps from its start to its end, whatever becomes of config.yaml.
type Frozen struct {
	Campaign   Campaign                 `json:"campaign"`
	Rules      policy.Rules             `json:"rules"`
	Attributes map[string]AttributeType `json:"attributes,omitempty"`
	Segments   map[string]string        `json:"segments,omitempty"`
	// ApproveAbove is how many people a run may write to before a second person has to approve it; nil is any number.
	ApproveAbove *int `json:"approve_above,omitempty"`
	// TestPhones are the canonical phones that a test run reaches; empty in every other run.
	TestPhones []string `json:"test_phones,omitempty"`
}

// Hash names the frozen configuration: the first 16 hexadecimal digits of its SHA-256.
func (f Frozen) Hash() (string, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("freezing campaign %s: %w", f.Campaign.ID, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// Run is one start of a campaign.
type Run struct {
	ID         string
	CampaignID string
	// Occurrence is the local wall time of the slot, "2026-11-21T18:00"; a manual run has a key of its own.
	Occurrence string
	State      RunState
	Why        string // why it is paused, missed or cancelled, or what it waits for
	// PausedBy is the key of the breaker that paused it, "" when a person did.
	PausedBy   string
	NumberID   string
	Category   string
	Kind       policy.Kind
	Priority   int
	Test       bool
	Manual     bool
	FireAt     time.Time
	Frozen     Frozen
	ConfigHash string
	// Plan is what the first pass counted.
	Plan Plan
	// CreatedBy is who made a run by hand, "" for one of a schedule; Approval what a second person approved, or is asked to.
	CreatedBy  string
	Approval   Approval
	Resends    string    // the run whose unproven messages this one sends again; "" in every other
	PlannedAt  time.Time // when the last row was written
	CreatedAt  time.Time
	StartedAt  time.Time // when the first message passed the gate
	FinishedAt time.Time
	// Wave is the place of its open wave in Frozen.Campaign.Waves, WaveOver when nothing of it was left to send; zero while there is.
	Wave     int
	WaveOver time.Time
	// GuardFrom is from when on its messages are judged: when a person resumed it last.
	GuardFrom time.Time
}

// Ask is what the run wants to send to everyone in it.
func (r Run) Ask() policy.Ask {
	c := r.Frozen.Campaign
	return policy.Ask{
		Campaign: c.ID, Category: c.Category, FireAt: r.FireAt, Zone: c.Zone, Window: c.Window,
		NotAfter: c.NotAfter, MaxRecipients: c.MaxRecipients, Budget: c.Budget, Holdout: c.Holdout, Test: r.Test, Waves: r.waves(),
	}
}

// waves are those that the run goes out in: a test has none.
func (r Run) waves() []policy.Share {
	if r.Test {
		return nil
	}
	return r.Frozen.Campaign.Waves
}

// Watched reports whether somebody has to look at the run while it goes on: for its next wave, or its guard.
func (r Run) Watched() bool {
	return !r.Test && (len(r.Frozen.Campaign.Waves) > 0 || r.Frozen.Campaign.Guard != nil)
}

// ForSender is the part of the run that the sender needs.
func (r Run) ForSender() sender.Run {
	edge := string(EndpointMessages)
	if r.Frozen.Campaign.Endpoint == EndpointMarketing {
		edge = string(EndpointMarketing)
	}
	return sender.Run{
		ID: r.ID, NumberID: r.NumberID, Kind: r.Kind, Edge: edge, Ask: r.Ask(), Rules: r.Frozen.Rules, Message: r.Frozen.Campaign.Message,
		Guarded: !r.Test && r.Frozen.Campaign.Guard != nil, Priority: r.Priority, Planned: !r.PlannedAt.IsZero(),
	}
}

// ManualOccurrence is the key of a run started by hand: it never takes a scheduled slot's place.
func ManualOccurrence(runID string) string { return "manual:" + runID }
