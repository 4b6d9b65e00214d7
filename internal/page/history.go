package page

import (
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// happened is one thing of a person's history.
type happened struct {
	At      time.Time
	When    string // in the language's own form
	What    template.HTML
	Way     template.HTML // "" when it is not known
	Wording string
}

// history is what happened, the latest first.
func (p *pages) history(v visitor) []happened {
	var all []happened
	for _, c := range v.Consents {
		key := "ev_" + string(c.Action)
		if v.voice.words[key] == "" {
			continue // an erasure of before
		}
		category, known := p.Categories[c.Category]
		if !known {
			category = policy.Category{ID: c.Category}
		}
		about := v.voice.about(category, p.Languages)
		all = append(all, happened{At: c.At.Time, What: about.Say(key), Way: way(v.voice, c.Source), Wording: c.Wording})
	}
	for _, s := range v.Stops {
		about := v.voice.with("scope", p.scope(v.voice, s.Scope))
		all = append(all, happened{At: s.At.Time, What: about.Say("ev_stop"), Way: way(v.voice, wayOf(s))})
		if !holds(s) {
			all = append(all, happened{At: s.LiftedAt.Time, What: about.Say("ev_lift")})
		}
	}
	slices.Reverse(all) // of what happened at one time the later said is the later
	slices.SortStableFunc(all, func(a, b happened) int { return b.At.Compare(a.At) })
	for i := range all {
		all[i].When = all[i].At.In(p.Zone).Format(v.voice.words["date"])
		all[i].At = all[i].At.UTC()
	}
	return all
}

// wayOf is by which way a stop came.
func wayOf(s report.Suppression) string {
	switch s.Reason {
	case policy.OriginMetaStop, policy.OriginMeta1050:
		return "meta"
	}
	return string(s.Reason)
}

func way(v voice, name string) template.HTML {
	if v.words["way_"+name] == "" {
		return ""
	}
	return v.Say("way_" + name)
}

// scope is what a stop stops, in people's words.
func (p *pages) scope(v voice, s policy.Scope) insert {
	what, rest, _ := strings.Cut(string(s), ":")
	switch what {
	case "category":
		if category, known := p.Categories[rest]; known {
			return v.about(category, p.Languages).inserts["category"]
		}
		return insert{text: rest}
	case "kind":
		if text := v.words["kind_"+rest]; text != "" {
			return insert{text: text}
		}
	}
	return insert{text: v.words["all"]}
}
