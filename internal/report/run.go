package report

import (
	"time"

	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// Run is a run as `permesso runs list --json` prints it.
type Run struct {
	Run        string             `json:"run"`
	Campaign   string             `json:"campaign"`
	State      scheduler.RunState `json:"state"`
	Why        string             `json:"why"`
	Breaker    string             `json:"breaker,omitempty"` // that paused it
	Wave       string             `json:"wave,omitempty"`    // that it is at, and what that waits for
	Number     string             `json:"number"`
	Test       bool               `json:"test"`
	Manual     bool               `json:"manual"`
	FireAt     Time               `json:"fire_at"`
	CreatedAt  Time               `json:"created_at"`
	StartedAt  Time               `json:"started_at,omitzero"`
	FinishedAt Time               `json:"finished_at,omitzero"`

	CreatedBy string              `json:"created_by,omitempty"`
	Resends   string              `json:"resends,omitempty"`  // the run whose unproven messages this one sends again
	Approval  *scheduler.Approval `json:"approval,omitempty"` // what a second person approved, or is asked to

	States map[sender.State]int `json:"states,omitempty"`
	Plan   *scheduler.Plan      `json:"plan,omitempty"`
}

// RunOf is the line of a run, without its states and plan.
func RunOf(r scheduler.Run) Run {
	var approval *scheduler.Approval
	if r.Approval.Hash != "" {
		approval = &r.Approval
	}
	at := func(t time.Time) Time { return Time{Time: t} }
	utc := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	return Run{
		Run: r.ID, Campaign: r.CampaignID, State: r.State, Why: r.Why, Breaker: r.PausedBy, Number: r.NumberID, Test: r.Test, Manual: r.Manual, CreatedBy: r.CreatedBy, Approval: approval,
		Resends: r.Resends, Wave: r.WaveSays(utc),
		FireAt: at(r.FireAt), CreatedAt: at(r.CreatedAt), StartedAt: at(r.StartedAt), FinishedAt: at(r.FinishedAt),
	}
}

// RunPlace is a place among the runs, the newest first. The zero RunPlace is before the first.
type RunPlace struct {
	FireAt time.Time
	Run    string
}
