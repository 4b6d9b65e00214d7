package config

import (
	"time"

	"github.com/permesso/permesso/internal/errcode"
)

const (
	day = 24 * time.Hour
	// leastDeliveries outlasts the 30 days for which Meta holds messages to people who are offline, and the days for which it
	// repeats webhooks after that: what is deleted nothing is heard of any more.
	leastDeliveries = 40 * day
	// leastWebhooks is for how long Meta repeats a webhook (Meta, "Webhooks", read 2026-09-11).
	leastWebhooks = 7 * day
)

func (l *loader) readRetention(root object) {
	v, found := root.get("retention")
	if !found {
		return
	}
	o, ok := v.object(retentionKeys)
	if !ok {
		return
	}
	if v, found := o.get("deliveries"); found {
		l.cfg.Retention.Deliveries = v.keptFor(leastDeliveries, "Meta may report a message for 30 days, and what is deleted cannot be told from what was never sent")
		l.checkKeptForCaps(v, l.cfg.Retention.Deliveries)
	}
	if v, found := o.get("webhooks"); found {
		l.cfg.Retention.Webhooks = v.keptFor(leastWebhooks, "Meta repeats a webhook for up to 7 days")
	}
	if v, found := o.get("review_texts"); found {
		l.cfg.Retention.ReviewTexts = v.keptFor(0, "")
	}
}

// keptFor reads a span that is not shorter than the least; 0 where it is wrong.
func (v value) keptFor(least time.Duration, why string) time.Duration {
	span, ok := v.duration()
	if !ok {
		return 0
	}
	if span < least {
		v.fail(errcode.RetentionTooShort, "%s must be at least %dd: %s", v.name(), least/day, why)
		return 0
	}
	return span
}

// checkKeptForCaps refuses to delete what a cap still counts.
func (l *loader) checkKeptForCaps(v value, span time.Duration) {
	for _, c := range l.cfg.Rules.Caps {
		if span > 0 && c.Per > span {
			v.fail(errcode.RetentionTooShort, "deliveries would be deleted that the cap %s still counts: keep them at least as long", c)
			return
		}
	}
}
