package policy

// TookSlot returns which of a person's sends had the last slot of a cap that refused them a message: asked is the message's
// place and kind, at the moment of the refusal as Send.At. When every cap still had room by the sends on record, it was booked
// for a message that left later: the next one. ok is false when no send is to blame: the cap is 0, or the message failed since.
func TookSlot(rules Rules, asked Send, sends []Send) (took Send, ok bool) {
	for i := range rules.Caps {
		c := &rules.Caps[i]
		if c.Max <= 0 || !c.counts(&asked) {
			continue
		}
		latest, n := Send{}, 0
		for k := range sends {
			if s := &sends[k]; c.counts(s) && !s.At.After(asked.At) && s.At.After(asked.At.Add(-c.Per)) {
				n++
				if s.At.After(latest.At) {
					latest = *s
				}
			}
		}
		if n >= c.Max {
			return latest, true
		}
	}
	for i := range rules.Caps {
		c := &rules.Caps[i]
		if c.Max <= 0 || !c.counts(&asked) {
			continue
		}
		for k := range sends {
			s := &sends[k]
			if c.counts(s) && s.At.After(asked.At) && s.At.Before(asked.At.Add(c.Per)) && (!ok || s.At.Before(took.At)) {
				took, ok = *s, true
			}
		}
	}
	return took, ok
}
