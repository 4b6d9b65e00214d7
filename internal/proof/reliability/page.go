package reliability

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Page is docs/RELIABILITY.md: the tables of this package with the figures, as far as what they name is in the tree.
func Page(f Figures, t Tree) string {
	p := &page{figures: f, tree: t}
	p.opening()
	p.promises()
	p.failures()
	p.scenarios()
	p.simulation()
	p.mutants()
	return p.text.String()
}

type page struct {
	text    strings.Builder
	figures Figures
	tree    Tree
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

func (p *page) opening() {
	p.line("# Reliability")
	p.line("")
	p.line("What permesso promises, what goes wrong, and what shows that the promises hold all the same. `make soak` plays everything at")
	p.line("length and writes this page and its figures ([reliability.json](reliability.json)) anew; `make test` plays each part short.")
	p.line("")
	p.line("Three things judge. **Scenarios** (`internal/proof`) kill, stop and cut real processes on real databases; an auditor then reads what")
	p.line("Meta's side has on record, what was answered to webhooks, and the database, and believes the first before the last. **The simulation**")
	p.line("(`internal/simulation`) lives through days in fake time with everything that a seed decides. **Mutants** are deliberate bugs that these")
	p.line("must find: what cannot fail shows nothing. [ARCHITECTURE.md](ARCHITECTURE.md#the-proof) says how they work.")
	p.line("")
	var all Tally
	plays, failed := 0, 0
	for _, s := range p.figures.Scenarios {
		all.add(s.Tally)
		plays, failed = plays+s.Runs, failed+s.Failed
	}
	if plays > 0 {
		p.line("In the last %s of scenarios, %s of which failed, Meta's side has %s on record, to %s, with %s of processes, servers and commits",
			many(plays, "play", "plays"), number(failed), many(all.Posts, "request", "requests"), many(all.People, "person", "people"), many(all.Kills, "kill", "kills"))
		p.line("and %s of workers on the way: **%s** and **%s** after the answer to one of %s. %s became unknown, and Meta's reports",
			many(all.Takeovers, "takeover or restart", "takeovers and restarts"), many(all.Doubles, "double", "doubles"),
			many(all.AfterStop, "request", "requests"), many(all.Stops, "stop", "stops"), many(all.Unknown, "message", "messages"))
		p.line("settled %s of them; the rest never came to Meta whole, or are those of which it never says a word.", number(all.Settled))
		p.line("")
	}
	p.line("Tests that are named without figures pass in `make test`, or it fails. A seed brings back a scenario's plan and not its every")
	p.line("moment: processes keep their own time.")
}

func (p *page) promises() {
	p.line("")
	p.line("## The promises")
	for i, promise := range Promises {
		p.line("")
		p.line("### %d. %s", i+1, promise.Title)
		p.line("")
		p.line("%s", promise.Says)
		p.line("")
		if len(promise.Played) > 0 {
			var links []string
			for _, id := range promise.Played {
				links = append(links, "["+id+"](#"+anchor(failureOf(id))+")")
			}
			p.line("Put to the test by %s.", strings.Join(links, ", "))
			p.line("")
		}
		p.evidence(promise.Shown)
	}
}

func failureOf(id string) Failure {
	all := Failures()
	if i := slices.IndexFunc(all, func(f Failure) bool { return f.ID == id }); i >= 0 {
		return all[i]
	}
	return Failure{}
}

// heading and anchor are a failure's title and the address that it has on the page.
func heading(f Failure) string { return f.ID + ". " + f.Title }

func anchor(f Failure) string {
	var b strings.Builder
	for _, c := range strings.ToLower(heading(f)) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteRune(c)
		case c == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

func (p *page) failures() {
	p.line("")
	p.line("## The failures")
	p.line("")
	p.line("| | what fails | scenarios | and tests | doubles | after a stop |")
	p.line("|---|---|---|--:|--:|--:|")
	for _, f := range Failures() {
		p.line("%s", p.entry(f))
	}
	for _, f := range Failures() {
		p.line("")
		p.line("### %s", heading(f))
		p.line("")
		p.line("%s", f.Fails)
		p.line("")
		p.line("**What holds.** %s", f.Holds)
		p.line("")
		p.evidence(f.Shown)
		if f.Beyond != "" {
			p.line("")
			p.line("**Not shown here.** %s", f.Beyond)
		}
	}
}

// entry is a failure in the table that begins their list.
func (p *page) entry(f Failure) string {
	var names []string
	var sum Tally
	tests, plays := 0, 0
	for _, s := range f.Shown {
		if s.scenario == "" {
			tests++
			continue
		}
		names = append(names, "`"+s.scenario+"`")
		for _, r := range p.figures.Scenarios {
			if r.Scenario == s.scenario {
				sum.add(r.Tally)
				plays += r.Runs
			}
		}
	}
	doubles, after := "", ""
	if plays > 0 {
		doubles = fmt.Sprintf("%s in %s", number(sum.Doubles), number(sum.Posts))
	}
	if sum.Stops > 0 {
		after = fmt.Sprintf("%s of %s", number(sum.AfterStop), number(sum.Stops))
	}
	return fmt.Sprintf("| [%s](#%s) | %s | %s | %d | %s | %s |", f.ID, anchor(f), f.Title, strings.Join(names, ", "), tests, doubles, after)
}

// evidence names what shows a thing, its figures, and how it is played again.
func (p *page) evidence(all []Shown) {
	if len(all) == 0 {
		p.line("No test of this is in the tree.")
		return
	}
	tests := map[string][]string{}
	var order []string
	for _, s := range all {
		if s.scenario != "" {
			p.line("- scenario `%s`%s", s.scenario, p.plays(s.scenario))
			continue
		}
		place, name := s.room, "`"+s.test+"`"
		switch {
		case s.part != "":
			place, name = "internal/store, `TestConformance` on both databases", "“"+s.part+"”"
		case s.path != "":
			place, name = "the simulation", "“"+s.path+"”"+p.met(s)
		}
		if tests[place] == nil {
			order = append(order, place)
		}
		tests[place] = append(tests[place], name)
	}
	for _, place := range order {
		p.line("- %s: %s%s", place, strings.Join(tests[place], ", "), p.ages(place, all))
	}
	p.line("")
	p.line("```sh")
	for _, command := range commands(all, p.tree) {
		p.line("%s", command)
	}
	p.line("```")
}

// plays are a scenario's figures in one sentence for each database.
func (p *page) plays(scenario string) string {
	var parts []string
	for _, s := range p.figures.Scenarios {
		if s.Scenario != scenario {
			continue
		}
		part := fmt.Sprintf("%s on %s (%s, seeds %s)", many(s.Runs, "play", "plays"), databaseName(s.Database), length(s.Long), s.Seeds)
		if s.Posts > 0 {
			part += fmt.Sprintf(": %s, %s", many(s.Posts, "request", "requests"), many(s.Doubles, "double", "doubles"))
		}
		if s.Stops > 0 {
			part += fmt.Sprintf(", %s after one of %s", number(s.AfterStop), many(s.Stops, "stop", "stops"))
		}
		if s.Unknown > 0 {
			part += fmt.Sprintf(", %s unknown and %s settled", number(s.Unknown), number(s.Settled))
		}
		if s.Failed > 0 {
			part += fmt.Sprintf("; **%s failed**", number(s.Failed))
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}

// met is how often the simulation met a path, ages how many seeds that test of it had.
func (p *page) met(s Shown) string {
	for _, l := range p.figures.Simulation {
		if l.Test == s.test && l.Met[s.path] > 0 {
			return " met " + many(l.Met[s.path], "time", "times")
		}
	}
	return ""
}

func (p *page) ages(place string, all []Shown) string {
	if place != simulationRoom && place != "the simulation" {
		return ""
	}
	for _, l := range p.figures.Simulation {
		if slices.ContainsFunc(all, func(s Shown) bool {
			return s.room == simulationRoom && s.test == l.Test && (s.path != "") == (place != simulationRoom)
		}) {
			return fmt.Sprintf(" (%s, %s failed)", seedsOf(l.Lived), number(l.Failed))
		}
	}
	return ""
}

func seedsOf(l Lived) string {
	return fmt.Sprintf("seeds %d-%d", l.First, l.First+uint64(max(1, l.Seeds))-1)
}

func (p *page) scenarios() {
	p.line("")
	p.line("## Figures of the scenarios")
	p.line("")
	p.line("Sums over all plays. “Doubles” are messages beyond a person's first in a run, “after a stop” those that began after the stop's 200.")
	p.line("“Unknown” is the most that was unknown at once; in `kill`, `lost`, `wire`, `cap`, `freeze`, `server`, `commit` and `restarts` Meta says")
	p.line("nothing before the run is over, so that all of it shows. “Kills” are those of processes, of PostgreSQL's server, and of connections on a COMMIT.")
	p.line("")
	if len(p.figures.Scenarios) == 0 {
		p.line("None was played at length.")
		return
	}
	p.line("| scenario | database | length | day | plays | failed | seeds | people | requests | doubles | stops | after a stop | unknown | settled | kills | takeovers, restarts |")
	p.line("|---|---|---|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, s := range p.figures.Scenarios {
		p.line("| `%s` | %s | %s | %s | %d | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |", s.Scenario, databaseName(s.Database), length(s.Long), s.Day, s.Runs, s.Failed, s.Seeds,
			number(s.People), number(s.Posts), number(s.Doubles), number(s.Stops), number(s.AfterStop), number(s.Unknown), number(s.Settled), number(s.Kills), number(s.Takeovers))
	}
	p.line("")
	p.line("A scenario that does not come to what it is about fails. How often each came to it, and the most of what it measured:")
	p.line("")
	for _, s := range p.figures.Scenarios {
		if len(s.Met)+len(s.Most) == 0 {
			continue
		}
		said := fmt.Sprintf("- `%s` on %s, %s: %s", s.Scenario, databaseName(s.Database), length(s.Long), times(s.Met))
		if len(s.Most) > 0 {
			said += ". At most: " + times(s.Most)
		}
		p.line("%s", said)
	}
}

// times are what was met, each with its number.
func times(met map[string]int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(met)) {
		parts = append(parts, what+" "+number(met[what]))
	}
	return strings.Join(parts, "; ")
}

func (p *page) simulation() {
	p.line("")
	p.line("## Figures of the simulation")
	for _, l := range p.figures.Simulation {
		p.line("")
		p.line("`%s`, %s, %s: %s failed. It met, each so many times:", l.Test, l.Day, seedsOf(l.Lived), number(l.Failed))
		p.line("")
		p.line("%s.", times(l.Met))
	}
	if t := p.figures.Planted; t != nil {
		p.line("")
		p.line("Its judge, %s: %d of %d bugs that were planted in the seams between program and simulation were found (`TestTheJudgeFindsBugs`).", t.Day, t.Found, t.Of)
	}
	if len(p.figures.Simulation) == 0 && p.figures.Planted == nil {
		p.line("")
		p.line("It was not run at length.")
	}
}

func (p *page) mutants() {
	p.line("")
	p.line("## The mutants")
	p.line("")
	if len(p.figures.Mutants) == 0 {
		p.line("`make mutants` was not run for this page.")
		return
	}
	caught := 0
	for _, m := range p.figures.Mutants {
		if m.By != "" {
			caught++
		}
	}
	p.line("%d of %d were caught, each by an invariant of the auditor that is about it and not by chance (`make mutants`).", caught, len(p.figures.Mutants))
	p.line("")
	p.line("| mutant | the bug | scenario | database | caught by | seed | day |")
	p.line("|---|---|---|---|---|--:|---|")
	for _, m := range p.figures.Mutants {
		by, seed := "`"+m.By+"`", strconv.Itoa(m.Seed)
		if m.By == "" {
			by, seed = "**nothing**", ""
		}
		p.line("| `%s` | %s | `%s` | %s | %s | %s | %s |", m.Mutant, m.What, m.Scenario, databaseName(m.Database), by, seed, m.Day)
	}
}

func databaseName(name string) string {
	return map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[name]
}

func length(long bool) string {
	if long {
		return "long"
	}
	return "short"
}

func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + more
}

// number writes thousands as people do: 12,000.
func number(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
