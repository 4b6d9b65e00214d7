package reliability

import (
	"encoding/json"
	"fmt"
	"os"
)

// EnvResults names the file to which whatever plays at length appends what came of it, a line of JSON each. Nothing is written
// without it.
const EnvResults = "PERMESSO_PROOF_RESULTS"

// Result is one line of the results. One of its parts is set.
type Result struct {
	Day      string    `json:"day"` // 2026-11-22, UTC
	Played   *Played   `json:"played,omitempty"`
	Lived    *Lived    `json:"lived,omitempty"`
	Planted  *Planted  `json:"planted,omitempty"`
	Searched *Searched `json:"searched,omitempty"`
}

// Played is a scenario of internal/proof, with one seed on one database.
type Played struct {
	Scenario string `json:"scenario"`
	Database string `json:"database"` // sqlite or postgres
	Seed     uint64 `json:"seed"`
	Long     bool   `json:"long"`
	Failed   bool   `json:"failed"`
	Tally
	Met  map[string]int `json:"met,omitempty"`  // what it is about to how often it came to that
	Most map[string]int `json:"most,omitempty"` // what was measured to the largest of it
}

// Tally is what a scenario counts.
type Tally struct {
	People    int `json:"people"`
	Posts     int `json:"posts"` // requests that Meta's side has on record
	Doubles   int `json:"doubles"`
	Stops     int `json:"stops"`
	AfterStop int `json:"after_stop"` // requests that began after the 200 of a stop
	Unknown   int `json:"unknown"`    // most that were unknown at once
	Settled   int `json:"settled"`    // of those, how many no longer were in the end
	Kills     int `json:"kills"`      // of processes, of the database's server, of connections on a COMMIT
	Takeovers int `json:"takeovers"`  // and restarts
}

// Lived is a test of the simulation with a range of seeds.
type Lived struct {
	Test   string         `json:"test"`
	First  uint64         `json:"first"`
	Seeds  int            `json:"seeds"`
	Failed int            `json:"failed"`
	Met    map[string]int `json:"met"` // a rare path to how often it was met
}

// Planted is the simulation's judge against deliberate bugs.
type Planted struct {
	Found int `json:"found"`
	Of    int `json:"of"`
}

// Searched is one mutant of internal/proof/mutants, and what came of the search for it.
type Searched struct {
	Mutant   string `json:"mutant"`
	What     string `json:"what"`
	Scenario string `json:"scenario"`
	Database string `json:"database"`
	By       string `json:"by"` // the invariant that caught it; "" when it is alive
	Seed     int    `json:"seed"`
}

// Append adds a line to the file that EnvResults names, in one write, so that several processes may share it.
func Append(r Result) error {
	path := os.Getenv(EnvResults)
	if path == "" {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing a result: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the file of results that %s names: %w", EnvResults, err)
	}
	if _, err = file.Write(append(line, '\n')); err != nil {
		err = fmt.Errorf("writing a result: %w", err)
	}
	if closing := file.Close(); err == nil && closing != nil {
		err = fmt.Errorf("closing the file of results: %w", closing)
	}
	return err
}
