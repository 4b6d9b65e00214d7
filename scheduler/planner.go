package scheduler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// People reads contacts with the facts about them, in key order.
type People interface {
	// Range looks at the next limit contacts after a person, and returns those whom an audience has.
	Range(ctx context.Context, after policy.PersonID, limit int, want Want) (Stretch, error)
}

// Rows takes the planner's word on people, page by page.
type Rows interface {
	Enqueue(ctx context.Context, runID string, rows []Row) error
}

// Draft is one run on its way to a plan.
type Draft struct {
	Run       Run
	audience  Audience
	catalogue templates.Catalogue
	binding   sender.Binding
	rate      float64
	testers   map[string]bool
	apart     bool // it takes no room from the others
	places    *Places
	stopped   string      // why the guard holds the campaign back
	wavesAt   []time.Time // when each wave and the rest are to begin

	plan  Plan
	ahead int
	cost  policy.Micros // list price of those ahead whose price is known
	dear  bool          // it is too much to be told
	last  time.Time     // the latest deferral
	// closes is the latest end of a window among those who would get it, of a run that may have to be approved.
	closes time.Time
	sum    hash.Hash
	body   []byte // of the message looked at last; its room is used again
	panics []mishap
}

// NewDraft reads the run's audience and binds its message where the catalogue allows it; what it does not allow becomes a reason per person.
func NewDraft(run Run, catalogue templates.Catalogue, perSecond float64) (*Draft, error) {
	audience, err := ParseAudience(run.Frozen.Campaign.Audience, run.Frozen.Attributes, run.Frozen.Segments)
	if err != nil {
		return nil, fmt.Errorf("campaign %s: audience: %w", run.CampaignID, err)
	}
	binding, err := sender.Bind(run.ForSender(), catalogue)
	if err != nil {
		binding = nil // decided per person: no_template, template_not_approved or missing_parameter
	}
	d := &Draft{Run: run, audience: audience, catalogue: catalogue, binding: binding, rate: perSecond, testers: map[string]bool{}}
	d.Run.Kind = d.kind()
	for _, p := range run.Frozen.TestPhones {
		d.testers[p] = true
	}
	return d, nil
}

// kind is what the run's messages count as: the stricter of its category's kind and that which Meta gives its template now.
func (d *Draft) kind() policy.Kind {
	kind := d.Run.Frozen.Rules.Categories[d.Run.Category].Kind
	for _, language := range d.Run.Frozen.Campaign.Message.Languages {
		if template, ok := d.catalogue.Find(d.Run.Frozen.Campaign.Message.Template, language); ok {
			kind = policy.EffectiveKind(kind, template.Kind)
		}
	}
	return kind
}

// pageSize is how many people are looked at together: large enough for range queries, small enough for memory.
const (
	pageSize = 10_000
	// firstPage is small, so that the first messages leave while the rest is still being judged.
	firstPage = 1_000
)

// MakePlans judges everybody for all drafts together, key range by key range, in order of priority: a campaign never takes a
// slot of somebody's frequency cap that a higher one wants in the same tick. With rows it writes one row per person and
// run as it goes; without, it only counts.
func MakePlans(ctx context.Context, people People, rows Rows, drafts []*Draft, now time.Time) ([]Plan, error) {
	slices.SortStableFunc(drafts, byPriority)
	want := wantOf(drafts, now)
	for _, d := range drafts {
		d.begin(now)
	}
	reading, stop := context.WithCancel(ctx)
	defer stop() // the page that was read ahead is not wanted after an error
	for page := range readAhead(reading, people, want) {
		if page.err != nil {
			return nil, fmt.Errorf("planning: %w", page.err)
		}
		if err := judgePage(ctx, rows, drafts, page.subjects, now); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("planning: %w", err)
	}
	plans := make([]Plan, len(drafts))
	for i, d := range drafts {
		plans[i] = d.finish(now)
	}
	return plans, nil
}

// CountEach judges everybody for each draft as if it were alone, in one reading of the people, and only counts. The plans
// come in no particular order.
func CountEach(ctx context.Context, people People, drafts []*Draft, now time.Time) ([]Plan, error) {
	for _, d := range drafts {
		d.apart = true
		if d.places != nil {
			own := *d.places
			own.Frees = slices.Clone(own.Frees)
			d.places = &own
		}
	}
	return MakePlans(ctx, people, nil, drafts, now)
}

// byPriority orders runs: the higher priority, then the earlier fire time, then the id.
func byPriority(a, b *Draft) int {
	switch {
	case a.Run.Priority != b.Run.Priority:
		return b.Run.Priority - a.Run.Priority
	case !a.Run.FireAt.Equal(b.Run.FireAt):
		return a.Run.FireAt.Compare(b.Run.FireAt)
	case a.Run.CampaignID < b.Run.CampaignID:
		return -1
	case a.Run.CampaignID > b.Run.CampaignID:
		return 1
	}
	return 0
}

func wantOf(drafts []*Draft, now time.Time) Want {
	want := Want{SendsSince: now, Now: now}
	for _, d := range drafts {
		if !slices.Contains(want.Categories, d.Run.Category) {
			want.Categories = append(want.Categories, d.Run.Category)
		}
		want.Audiences = append(want.Audiences, d.reach())
		want.Planning = append(want.Planning, d.Run.ID)
		for _, c := range d.Run.Frozen.Rules.Caps {
			if since := now.Add(-c.Per); since.Before(want.SendsSince) {
				want.SendsSince = since
			}
		}
		if since := now.Add(-PlaceHeld); d.limited() && since.Before(want.SendsSince) {
			want.SendsSince = since
		}
	}
	return want
}

type page struct {
	subjects []Subject
	err      error
}

// readAhead reads one page while the last one is judged.
func readAhead(ctx context.Context, people People, want Want) <-chan page {
	pages := make(chan page)
	go func() {
		defer close(pages)
		var after policy.PersonID
		for size := firstPage; ; size = pageSize {
			stretch, err := people.Range(ctx, after, size, want)
			select {
			case pages <- page{stretch.Subjects, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || stretch.Done {
				return
			}
			after = stretch.Last
		}
	}()
	return pages
}

func judgePage(ctx context.Context, rows Rows, drafts []*Draft, subjects []Subject, now time.Time) error {
	written := make([][]Row, len(drafts))
	for i := range subjects {
		subject := &subjects[i]
		for k, d := range drafts {
			decision, addressed := d.weigh(subject, k, now)
			if !addressed {
				continue
			}
			d.count(subject, decision)
			if rows == nil {
				continue
			}
			if written[k] == nil {
				written[k] = make([]Row, 0, len(subjects)-i)
			}
			written[k] = append(written[k], Row{PersonID: subject.Contact.PersonID, Decision: decision})
		}
	}
	if rows == nil {
		return nil
	}
	for k, d := range drafts {
		if len(written[k]) == 0 {
			continue
		}
		if err := rows.Enqueue(ctx, d.Run.ID, written[k]); err != nil {
			return err
		}
	}
	return nil
}

// unreadable stands for the parameter that is missing when a person's facts cannot be used.
const unreadable = "what is on record of the person, which cannot be read"

// weigh asks whether the run is for somebody, and what policy says of them. A panic over one person refuses that person: it must
// not end the process, which would meet them again after every restart.
func (d *Draft) weigh(subject *Subject, k int, now time.Time) (decision policy.Decision, addressed bool) {
	defer func() {
		if met := recover(); met != nil {
			d.panics = append(d.panics, mishap{subject.Contact.PersonID, sender.Caught(met)})
			decision, addressed = policy.Decision{Verdict: policy.Deny, Reason: policy.MissingParameter}, true
		}
	}()
	if !d.addresses(subject, subject.In[k]) {
		return policy.Decision{}, false
	}
	return d.judge(subject, now), true
}

// mishap is a person over whom the planning panicked.
type mishap struct {
	person policy.PersonID
	panic  *sender.Panic
}

// reach is whom the store is asked for: everybody for a run that goes to test phones alone.
func (d *Draft) reach() Reach {
	if d.Run.Test {
		return Reach{Audience: Audience{everyone: true}}
	}
	return Reach{Audience: d.audience, Category: d.Run.Category}
}

// addresses reports whether the run is for somebody whom its reach has, or has not.
func (d *Draft) addresses(subject *Subject, has bool) bool {
	return has && (!d.Run.Test || d.testers[string(subject.Contact.Phone.Canonical())])
}

// judge asks policy about one person, and books the slot that an admitted one takes for the campaigns after this one.
func (d *Draft) judge(subject *Subject, now time.Time) policy.Decision {
	facts := d.facts(subject, now)
	decision := d.placed(facts, policy.Decide(d.Run.Frozen.Rules, facts))
	if decision.Verdict == policy.Deny {
		return decision
	}
	d.ahead++
	d.book(facts, decision)
	if d.Run.approvable() {
		d.closes = laterOf(d.closes, policy.WindowEnd(d.Run.Frozen.Rules, facts))
	}
	leaves := facts.Now
	if decision.Verdict == policy.Defer {
		leaves = decision.Until
	} else if d.Run.FireAt.After(now) {
		decision = policy.Decision{Verdict: policy.Defer, Until: d.Run.FireAt}
	}
	if !d.Run.Test && !d.apart {
		subject.Person.Sends = append(subject.Person.Sends, policy.Send{At: leaves, Kind: d.Run.Kind, Category: d.Run.Category, Campaign: d.Run.CampaignID})
	}
	return decision
}

// Within has the plan keep to the places of the messaging limit, which drafts that are planned together share.
func (d *Draft) Within(places *Places) { d.places = places }

// Stop says why the guard holds the campaign back.
func (d *Draft) Stop(why string) { d.stopped = why }

func (d *Draft) limited() bool { return d.places != nil && d.places.Limited }

// written is from when on the person has a place in the limit already: by a message of before, or one that is planned.
func (d *Draft) written(facts policy.Facts) (from time.Time, has bool) {
	if d.places.Limit <= 0 {
		return from, false
	}
	for _, s := range facts.Person.Sends {
		if s.At.After(facts.Now.Add(-PlaceHeld)) && (!has || s.At.Before(from)) {
			from, has = s.At, true
		}
	}
	return from, has
}

// placed has somebody who would be written to wait until there is a place for them, which they take.
func (d *Draft) placed(facts policy.Facts, decision policy.Decision) policy.Decision {
	if decision.Verdict == policy.Deny || !d.limited() {
		return decision
	}
	leaves := decision.Until
	if decision.Verdict == policy.Allow {
		leaves = facts.Now
		if d.rate > 0 {
			leaves = leaves.Add(time.Duration(float64(d.ahead) / d.rate * float64(time.Second)))
		}
	}
	at, ok := d.written(facts)
	if !ok {
		at, ok = d.places.Take(leaves)
	}
	if ok && !at.After(leaves) {
		return decision
	}
	facts.Message.Full, facts.Message.PlaceAt = true, at
	return policy.Decide(d.Run.Frozen.Rules, facts)
}

// book adds the price of an admitted person's message to those before it.
func (d *Draft) book(facts policy.Facts, decision policy.Decision) {
	rules, leaves := &d.Run.Frozen.Rules, facts.Now
	if rules.Rates == nil {
		return
	}
	if decision.Verdict == policy.Defer {
		leaves = decision.Until
	}
	price, known := policy.PriceOf(rules, &facts, leaves)
	if !known {
		d.plan.Unpriced++
		return
	}
	sum, ok := d.cost.Plus(price)
	if !ok {
		d.dear = true
		return
	}
	d.cost = sum
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// message is what is known of the message for this person.
func (d *Draft) message(subject *Subject) policy.Message {
	language := d.Run.Frozen.Campaign.Message.LanguageFor(subject.Contact.Language)
	template, found := d.catalogue.Find(d.Run.Frozen.Campaign.Message.Template, language)
	m := policy.Message{InAudience: true, TemplateFound: found, TemplateStatus: template.Status, TemplateKind: template.Kind, Ahead: d.ahead,
		Spent: d.cost, SpentRead: !d.dear}
	if subject.Contact.Unreadable != nil {
		m.MissingParameter = unreadable
	} else if bound, ok := d.binding[language]; ok {
		d.body, m.MissingParameter = bound.Append(d.body[:0], subject.Contact)
	} else if found {
		m.MissingParameter = "parameters that differ between the template and the campaign"
	}
	return m
}

func (d *Draft) begin(now time.Time) {
	d.wavesAt = d.openings(laterOf(now, d.Run.FireAt), nil)
	d.plan = Plan{
		Campaign: d.Run.CampaignID, At: d.Run.FireAt, Filter: d.audience.String(), Denied: map[policy.Reason]int{}, Sample: []PlanSample{},
	}
	if d.Run.Test {
		d.plan.Filter = "test_phones"
	}
	d.plan.Waves = d.planWaves()
	d.ahead, d.cost, d.dear, d.closes, d.sum, d.panics = 0, 0, false, time.Time{}, sha256.New(), nil
	d.sum.Write([]byte(d.Run.ConfigHash))
}

const samples = 5

func (d *Draft) count(subject *Subject, decision policy.Decision) {
	d.plan.Matched++
	switch {
	case decision.Reason == policy.Holdout:
		d.plan.Holdout++
		return
	case decision.Verdict == policy.Deny:
		d.plan.Denied[decision.Reason]++
		return
	case decision.Verdict == policy.Defer && decision.Reason != "":
		d.plan.Deferred++
		d.last = laterOf(d.last, decision.Until)
	default:
		d.plan.Allowed++
	}
	if waves := d.plan.Waves; waves != nil {
		ask := d.Run.Ask()
		waves[d.Run.Frozen.Rules.Lots.Wave(subject.Contact.PersonID, &ask)].People++
	}
	d.sum.Write(subject.Contact.PersonID[:])
	if len(d.plan.Sample) < samples {
		d.plan.Sample = append(d.plan.Sample, d.sample(subject, decision))
	}
}

func (d *Draft) sample(subject *Subject, decision policy.Decision) PlanSample {
	language := d.Run.Frozen.Campaign.Message.LanguageFor(subject.Contact.Language)
	s := PlanSample{Phone: string(subject.Contact.Phone), Language: language}
	if decision.Verdict == policy.Defer {
		s.DueAt = &decision.Until
	}
	if bound, ok := d.binding[language]; ok {
		s.Text, _ = bound.Preview(subject.Contact)
	}
	return s
}

func (d *Draft) finish(now time.Time) Plan {
	if rates := d.Run.Frozen.Rules.Rates; rates != nil && d.plan.Unpriced == 0 && !d.dear {
		d.plan.Cost = &policy.Money{Currency: rates.Currency(), Amount: d.cost}
	}
	d.plan.Hash = hex.EncodeToString(d.sum.Sum(nil)[:16])
	if n := d.plan.Allowed + d.plan.Deferred; n > 0 && d.rate > 0 {
		start := laterOf(now, d.Run.FireAt)
		seconds := math.Ceil(float64(n) / d.rate)
		d.plan.FinishAt = laterOf(start.Add(time.Duration(seconds)*time.Second), d.last)
		if waves := d.plan.Waves; waves != nil {
			at := d.openings(start, waves)
			for k := range waves {
				waves[k].At = at[k]
			}
			waves[0].At = start
			rest := math.Ceil(float64(waves[len(waves)-1].People) / d.rate)
			d.plan.FinishAt = laterOf(d.plan.FinishAt, at[len(at)-1].Add(time.Duration(rest)*time.Second))
		}
	}
	return d.plan
}

// ErrRefused says that a run may not start: its template is missing, not approved, or has other parameters.
var ErrRefused = errors.New("the run is refused")
