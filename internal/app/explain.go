package app

import (
	"context"
	"fmt"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/templates"
)

// Explain says whether a person would get a run of the campaign at a time (zero is now), and what every rule answers. It
// asks the same questions as Plan, of one person.
func (a *App) Explain(ctx context.Context, campaign string, number phone.Number, at time.Time) (policy.Decision, []policy.Judgement, error) {
	catalogue, err := a.Catalogue(ctx)
	if err != nil {
		return policy.Decision{}, nil, err
	}
	run, err := a.newRun(campaign, RunOptions{At: at})
	if err != nil {
		return policy.Decision{}, nil, err
	}
	draft, err := scheduler.NewDraft(run, catalogue, a.Rate(run.NumberID))
	if err != nil {
		return policy.Decision{}, nil, err
	}
	if err := a.within(ctx, draft); err != nil {
		return policy.Decision{}, nil, err
	}
	stopped, err := a.stoppedBy(ctx, draft.Run.ForSender())
	if err != nil {
		return policy.Decision{}, nil, err
	}
	draft.Stop(stopped)
	subject, found, err := a.Store.Subject(ctx, number, draft.Wants(run.FireAt))
	if err != nil {
		return policy.Decision{}, nil, err
	}
	if !found {
		subject = scheduler.Subject{}
	}
	decision, judgements := draft.Explain(subject, run.FireAt)
	return decision, judgements, nil
}

// FirstTemplates reads the templates from Meta when that was never done: a plan with none would refuse everybody.
func (a *App) FirstTemplates(ctx context.Context) error {
	_, synced, err := a.Store.Templates(ctx)
	if err != nil || !synced.IsZero() {
		return err
	}
	_, err = a.SyncTemplates(ctx)
	return err
}

// Preview fills a template with a campaign's parameters for one recipient. missing is the field that has neither a value nor a default.
func (a *App) Preview(template templates.Template, campaign string, to templates.Recipient) (text, missing string, err error) {
	c, ok := a.config().Campaign(campaign)
	if !ok {
		return "", "", fmt.Errorf("%w: %q; it has %s", ErrNoCampaign, campaign, a.campaignIDs())
	}
	bound, err := templates.Bind(template, c.Message.Parameters, policy.StopButtonPayload(campaign))
	if err != nil {
		return "", "", &templates.RefusedError{Template: template.Name, Language: template.Language, Reason: policy.MissingParameter,
			Why: fmt.Sprintf("it has other parameters than campaign %s: %v", campaign, err)}
	}
	text, missing = bound.Preview(to)
	return text, missing, nil
}
