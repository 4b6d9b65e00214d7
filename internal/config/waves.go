package config

import (
	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

const wantRising = "each wave holds those before it, so that the shares rise, such as [1%, 5%, 20%]"

// readWaves reads the shares of a run's people that its waves go up to.
func (l *loader) readWaves(o object, c *scheduler.Campaign) {
	v, found := o.get("waves")
	if !found {
		return
	}
	values, ok := v.list("a list of shares of the people, such as [1%, 5%, 20%]")
	if !ok {
		return
	}
	if len(values) == 0 {
		v.fail(errcode.EmptyValue, "waves is an empty list: write shares such as [1%%, 5%%, 20%%], or remove the key, and all are sent to at once")
		return
	}
	var last policy.Share
	for _, v := range values {
		share, ok := v.share()
		if !ok {
			continue
		}
		switch {
		case share == 0:
			v.fail(errcode.NumberOutOfRange, "a wave of 0%% is nobody: remove it")
		case share == policy.Everybody:
			v.fail(errcode.NumberOutOfRange, "a wave of 100%% is everybody: remove it, the rest follows the last wave by itself")
		case share <= last:
			v.fail(errcode.NumberOutOfRange, "the wave of %s comes after that of %s: %s", share, last, wantRising)
		default:
			c.Waves = append(c.Waves, share)
		}
		last = max(last, share)
	}
}

// readGuard reads what stops a run by itself.
func (l *loader) readGuard(o object, c *scheduler.Campaign) {
	v, found := o.get("guard")
	if !found {
		return
	}
	o, ok := v.object(guardKeys)
	if !ok {
		return
	}
	var guard policy.Guard
	if optOuts, found := o.get("opt_outs_per_1000"); found {
		const want = "a number from 0 to 1000, such as 15"
		most, ok := optOuts.decimal(want)
		switch {
		case ok && (most < 0 || most > 1000):
			optOuts.fail(errcode.NumberOutOfRange, "opt_outs_per_1000 must be %s, not %s", want, optOuts.node.Value)
		case ok:
			guard.OptOutsPer1000 = &most
		}
	}
	if failures, found := o.get("failures"); found {
		if most, ok := failures.share(); ok {
			guard.Failures = &most
		}
	}
	if len(v.node.Content) == 0 {
		v.fail(errcode.EmptyValue, "guard says nothing: write opt_outs_per_1000, failures or both, such as {opt_outs_per_1000: 15, failures: 10%%}")
		return
	}
	c.Guard = &guard
}
