package scheduler

import (
	"time"

	"github.com/permesso/permesso/policy"
)

// Plan is what a run would do, or did at its first pass: Matched = Allowed + Deferred + Holdout + the sum of Denied.
type Plan struct {
	Campaign string                `json:"campaign"`
	At       time.Time             `json:"at"`
	Filter   string                `json:"filter"`
	Matched  int                   `json:"matched"`
	Allowed  int                   `json:"allowed"`
	Deferred int                   `json:"deferred"`
	Denied   map[policy.Reason]int `json:"denied"`
	Holdout  int                   `json:"holdout"`
	// FinishAt is when the last message would leave at the number's rate; zero when none would.
	FinishAt time.Time `json:"finish_at,omitzero"`
	// Cost is the list price of the messages of all who are allowed or deferred; nil when there are no rates, or none for one of
	// them. Unpriced counts those whose price is not known, while there are rates.
	Cost     *policy.Money `json:"cost,omitempty"`
	Unpriced int           `json:"unpriced,omitempty"`
	// Waves are the people of each wave, and last the rest; nil when all are sent to at once.
	Waves []PlanWave `json:"waves,omitempty"`
	// Hash names the plan: the frozen configuration, and who would get it.
	Hash   string       `json:"hash"`
	Sample []PlanSample `json:"sample"`
}

// PlanWave is one wave of a run: whoever of its people gets it, and when it begins at the earliest.
type PlanWave struct {
	UpTo   string    `json:"up_to"` // the share of all people, with the waves before it: 5%
	People int       `json:"people"`
	At     time.Time `json:"at,omitzero"`
}

// PlanSample shows one of the first recipients.
type PlanSample struct {
	Phone    string     `json:"phone"`
	Language string     `json:"language"`
	DueAt    *time.Time `json:"due_at,omitempty"`
	Text     string     `json:"text"`
}

// Row is the planner's word on one person of a run.
type Row struct {
	PersonID policy.PersonID
	Decision policy.Decision
}
