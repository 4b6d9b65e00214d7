package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// A template that nobody could get is a matter of the template, not of the people whom a plan counts: plan and explain say
// what run would refuse for, in the very words of run, and still tell their own.
func TestPlanSaysWhyRunWouldRefuse(t *testing.T) {
	for name, tt := range map[string]struct {
		old, replacement string // in the configuration
		campaign, says   string
	}{
		"a parameter too few":      {"body: [{field: name, default: lettore}, {text: 30 novembre}]", "body: [{field: name, default: lettore}]", "weekend-offer", "the body takes 2 parameters, the campaign gives 1"},
		"a language that it lacks": {"template: weekend_offer\n    languages: [it, en]", "template: weekend_offer\n    languages: [it, de]", "weekend-offer", "(de): Meta has it, but not in this language; it exists in en, it"},
		"paused":                   {"", "", "winter", "its status is PAUSED, and only APPROVED is sent"},
		"missing":                  {"template: winter_preview", "template: winter_prevew", "winter", "Meta does not have a template of this name; create it there, then run `permesso templates sync`"},
	} {
		t.Run(name, func(t *testing.T) {
			w := filled(t)
			if tt.old != "" {
				w.edit(tt.old, tt.replacement)
			}
			refused := w.run("run", tt.campaign)
			if refused.code != 5 || !strings.Contains(refused.err, tt.says) || w.meta.Count() != 0 {
				t.Fatalf("run: exit %d, %s", refused.code, refused.err)
			}
			for _, out := range []string{w.must("plan", tt.campaign), w.must("explain", tt.campaign, phoneOf(20))} {
				told := 0
				for line := range strings.Lines(out) {
					sentence, is := strings.CutPrefix(strings.TrimSpace(line), "`permesso run "+tt.campaign+"` would refuse: ")
					if !is {
						break // above everything else
					}
					if told++; !strings.Contains(refused.err, sentence) {
						t.Errorf("run does not say %s\n%s", sentence, refused.err)
					}
				}
				if told != strings.Count(refused.err, "permesso: ") || !strings.Contains(out, tt.says) || !strings.Contains(out, "no_template") && !strings.Contains(out, "matched") {
					t.Errorf("run refuses with\n%s\nand this says\n%s", refused.err, out)
				}
			}
			a := w.run("plan", tt.campaign, "--json")
			if a.code != 0 || !strings.Contains(a.err, tt.says) || strings.Contains(a.out, tt.says) {
				t.Errorf("plan --json: exit %d, stderr %s", a.code, a.err)
			}
			fields := slices.Collect(maps.Keys(objects(t, a.out)[0]))
			for _, field := range fields {
				if !slices.Contains([]string{"allowed", "at", "campaign", "deferred", "denied", "filter", "finish_at", "hash", "holdout", "matched", "sample"}, field) {
					t.Errorf("plan --json has a field %s", field)
				}
			}
		})
	}
}

// Nothing is said of templates that were never read: whether Meta has them is not known.
func TestPlanWithoutMeta(t *testing.T) {
	w := newWorld(t)
	w.edit("base_url: http://", "base_url: http://127.0.0.1:1/")
	a := w.run("plan", "weekend-offer")
	if a.code != 0 || !strings.Contains(a.err, "never read") || strings.Contains(a.out, "would refuse") {
		t.Errorf("exit %d\n%s%s", a.code, a.out, a.err)
	}
}

// A campaign under a new id is another campaign, and plan says so until it has run.
func TestPlanNamesAChangedID(t *testing.T) {
	w := filled(t)
	w.must("run", "order-ready", "--test")
	w.edit("id: order-ready", "id: order-done")
	if out := w.must("plan"); strings.Contains(out, "changed id") {
		t.Errorf("of a campaign that was only tested:\n%s", out)
	}
	w.edit("id: order-done", "id: order-ready")
	w.must("run", "order-ready")
	if out := w.must("plan"); strings.Contains(out, "changed id") {
		t.Errorf("before the change:\n%s", out)
	}
	w.edit("id: order-ready", "id: order-done")
	for _, line := range []string{"plan", "plan weekend-offer"} {
		if out := w.must(strings.Fields(line)...); !strings.Contains(out, "order-ready, whose last run was on ") || !strings.Contains(out, "and order-done, which never ran, sends its template: a changed id is a new campaign") {
			t.Errorf("%s:\n%s", line, out)
		}
	}
	if a := w.run("plan", "weekend-offer", "--json"); a.code != 0 || len(objects(t, a.out)) != 1 || !strings.Contains(a.err, "order-done") {
		t.Errorf("--json: exit %d, %s%s", a.code, a.out, a.err)
	}
	w.must("run", "order-done")
	if out := w.must("plan"); strings.Contains(out, "and order-done") {
		t.Errorf("after its own run:\n%s", out)
	}
}
