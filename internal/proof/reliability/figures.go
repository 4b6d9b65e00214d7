package reliability

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Figures are docs/reliability.json: the last results of everything that was played.
type Figures struct {
	Scenarios  []Plays    `json:"scenarios"`
	Simulation []Lifetime `json:"simulation"`
	Planted    *Trial     `json:"planted,omitempty"`
	Mutants    []Search   `json:"mutants"`
}

// Plays sums up the plays of a scenario on a database in one length.
type Plays struct {
	Scenario string `json:"scenario"`
	Database string `json:"database"`
	Long     bool   `json:"long"`
	Day      string `json:"day"` // of the last
	Runs     int    `json:"runs"`
	Failed   int    `json:"failed"`
	Seeds    string `json:"seeds"` // "1-10, 17"
	Tally
	Met  map[string]int `json:"met,omitempty"`
	Most map[string]int `json:"most,omitempty"`
}

// Lifetime is a test of the simulation, Trial its judge, Search a mutant, each with its day.
type (
	Lifetime struct {
		Day string `json:"day"`
		Lived
	}
	Trial struct {
		Day string `json:"day"`
		Planted
	}
	Search struct {
		Day string `json:"day"`
		Searched
	}
)

// Read reads figures as Figures.Bytes writes them. A field that is not theirs is an error: a figure that is dropped in silence
// would be one that nobody can trust.
func Read(raw []byte) (f Figures, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Figures{}, fmt.Errorf("reading the figures: %w", err)
	}
	return f, nil
}

// Bytes is the file, which ends in a newline.
func (f Figures) Bytes() ([]byte, error) {
	// An empty list is written as one.
	f.Scenarios, f.Simulation, f.Mutants = append([]Plays{}, f.Scenarios...), append([]Lifetime{}, f.Simulation...), append([]Search{}, f.Mutants...)
	raw, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("writing the figures: %w", err)
	}
	return append(raw, '\n'), nil
}

// Fold puts results in the place of the earlier ones of the same scenario and database, test, or mutant, and leaves the rest.
func (f Figures) Fold(results io.Reader) (Figures, error) {
	var plays []Result
	d := bufio.NewScanner(results)
	d.Buffer(nil, 1<<20)
	for n := 1; d.Scan(); n++ {
		var r Result
		if err := json.Unmarshal(d.Bytes(), &r); err != nil {
			return Figures{}, fmt.Errorf("line %d of the results: %w", n, err)
		}
		switch {
		case r.Day == "":
			return Figures{}, fmt.Errorf("line %d of the results has no day", n)
		case r.Played != nil:
			plays = append(plays, r)
		case r.Lived != nil:
			f.Simulation = put(f.Simulation, Lifetime{r.Day, *r.Lived}, func(l Lifetime) string { return l.Test })
		case r.Planted != nil:
			f.Planted = &Trial{r.Day, *r.Planted}
		case r.Searched != nil:
			f.Mutants = put(f.Mutants, Search{r.Day, *r.Searched}, func(s Search) string { return s.Mutant })
		default:
			return Figures{}, fmt.Errorf("line %d of the results says nothing that is known", n)
		}
	}
	if err := d.Err(); err != nil {
		return Figures{}, fmt.Errorf("reading the results: %w", err)
	}
	f.Scenarios = foldPlays(f.Scenarios, plays)
	return f, nil
}

// Known leaves out the figures of scenarios, tests and mutants that are no longer in the tree.
func (f Figures) Known(t Tree) Figures {
	f.Scenarios = slices.DeleteFunc(slices.Clone(f.Scenarios), func(p Plays) bool { return !t.scenarios[p.Scenario] })
	f.Simulation = slices.DeleteFunc(slices.Clone(f.Simulation), func(l Lifetime) bool { return !t.tests[simulationRoom][l.Test] })
	f.Mutants = slices.DeleteFunc(slices.Clone(f.Mutants), func(s Search) bool { return !t.texts[mutantsRoom][s.Mutant] })
	return f
}

// put replaces what has the same key, or inserts in order.
func put[T any](list []T, one T, key func(T) string) []T {
	at, found := slices.BinarySearchFunc(list, key(one), func(have T, k string) int { return cmp.Compare(key(have), k) })
	if !found {
		return slices.Insert(slices.Clone(list), at, one)
	}
	list = slices.Clone(list)
	list[at] = one
	return list
}

func foldPlays(rows []Plays, plays []Result) []Plays {
	type stage struct{ scenario, database string }
	anew := map[stage]bool{}
	for _, r := range plays {
		anew[stage{r.Played.Scenario, r.Played.Database}] = true
	}
	rows = slices.DeleteFunc(slices.Clone(rows), func(r Plays) bool { return anew[stage{r.Scenario, r.Database}] })
	type key struct {
		stage
		long bool
	}
	sums, seeds := map[key]*Plays{}, map[key][]uint64{}
	for _, r := range plays {
		p := r.Played
		k := key{stage{p.Scenario, p.Database}, p.Long}
		if sums[k] == nil {
			sums[k] = &Plays{Scenario: p.Scenario, Database: p.Database, Long: p.Long, Met: map[string]int{}, Most: map[string]int{}}
		}
		sum := sums[k]
		sum.Day = max(sum.Day, r.Day)
		sum.Runs++
		if p.Failed {
			sum.Failed++
		}
		sum.add(p.Tally)
		for what, times := range p.Met {
			sum.Met[what] += times
		}
		for what, value := range p.Most {
			sum.Most[what] = max(sum.Most[what], value)
		}
		seeds[k] = append(seeds[k], p.Seed)
	}
	for k, sum := range sums {
		sum.Seeds = ranges(seeds[k])
		rows = append(rows, *sum)
	}
	slices.SortFunc(rows, func(a, b Plays) int {
		return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(b.Database, a.Database), cmp.Compare(strconv.FormatBool(a.Long), strconv.FormatBool(b.Long)))
	})
	return rows
}

func (t *Tally) add(o Tally) {
	t.People += o.People
	t.Posts += o.Posts
	t.Doubles += o.Doubles
	t.Stops += o.Stops
	t.AfterStop += o.AfterStop
	t.Unknown += o.Unknown
	t.Settled += o.Settled
	t.Kills += o.Kills
	t.Takeovers += o.Takeovers
}

// ranges writes seeds as people do: 1-10, 17.
func ranges(seeds []uint64) string {
	seeds = slices.Compact(slices.Sorted(slices.Values(seeds)))
	var parts []string
	for i := 0; i < len(seeds); {
		j := i
		for j+1 < len(seeds) && seeds[j+1] == seeds[j]+1 {
			j++
		}
		part := strconv.FormatUint(seeds[i], 10)
		if j > i {
			part += "-" + strconv.FormatUint(seeds[j], 10)
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ", ")
}
