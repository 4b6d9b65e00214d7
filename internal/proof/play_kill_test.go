package proof

import (
	"testing"
	"time"
)

// playWire closes connections under requests and while they rest, refuses new ones, and passes on half requests: nothing is sent
// again that may have arrived, by whatever layer, and what surely did not leave is not given up (F3).
func playWire(t *testing.T, target string, seed uint64, soak length) {
	people := soak.of(380, 6000)
	r := newRig(t, "wire", target, seed, settings{people: people})
	r.player.Hold()
	r.serve(r.houses[0])
	r.detach("offer")
	r.meta.Set(Faults{Refuse: 0.15, Cut: 0.03, DropAnswer: 0.01, Delay: 10 * time.Millisecond})
	for r.posted() < people*2/3 {
		// In between some must be answered: after 25 in a row that were not, the number's runs pause.
		r.untilPosted(r.posted() + 25 + r.draw(20))
		r.meta.CutAll()
	}
	r.untilOver()
	c := r.meta.Counts()
	r.powered("connections that were closed", c.Severed, 20)
	r.powered("connections that were refused", c.Refused, 1)
	r.powered("requests of which half arrived", c.Cut, 1)
	r.powered("messages that are unknown", r.unknown, 1)
	r.law.MaxUnknown = c.Severed + c.Cut + c.Dropped
	early := r.law
	early.Told = false
	r.audit(early)
	r.judge()
}

// playKill strikes serve dead wherever it stands, in the planning too, and starts it again (F1). Meta tells nothing before the
// run is over: what was lost shows only while nobody tells.
func playKill(t *testing.T, target string, seed uint64, soak length) {
	people, kills := soak.of(600, 3000), soak.of(2, 12)
	r := newRig(t, "kill", target, seed, settings{people: people, perSecond: 200, latency: 30 * time.Millisecond})
	r.player.Hold()
	p := r.serve(r.houses[0])
	strike := func() {
		p.kill()
		r.kills++
		p = r.serve(r.houses[0])
	}
	r.detach("offer")
	r.pause(120 * time.Millisecond) // in the planning, or before the first message
	strike()
	for i := 1; i < kills; i++ {
		r.untilPosted(min(people*3/4, r.posted()+1+r.chance.IntN(people/kills)))
		r.pause(60 * time.Millisecond) // anywhere in a batch
		strike()
	}
	r.untilOver()
	r.powered("messages that a kill made unknown", r.unknown, 1)
	// Between gate and recorded outcome are the rate times the sandbox's latency and the outcomes' gathering, and two batches.
	r.law.MaxUnknown = 100 * r.kills
	early := r.law
	early.Told = false
	r.audit(early)
	r.judge()
}

// playLost loses one answer in fifty on its way, and meets every way in which Meta loses one itself (F2).
func playLost(t *testing.T, target string, seed uint64, soak length) {
	r := newRig(t, "lost", target, seed, settings{people: soak.of(600, 10000), special: []string{
		"990101", "990102", "990104", "990105", "990106", "990502", "990005", "130429",
	}})
	r.player.Hold()
	r.serve(r.houses[0])
	r.detach("offer") // it reads the templates too, which is not what is to be lost
	r.meta.Set(Faults{DropAnswer: 0.02, Delay: 20 * time.Millisecond})
	r.untilOver()
	lost := r.meta.Counts().Dropped
	r.powered("answers that were lost", lost, 1)
	r.powered("messages that are unknown", r.unknown, lost-1)
	// The special ones that lose their answer are four, and one POST may be lost on its way to them.
	r.law.MaxUnknown = lost + 6
	early := r.law
	early.Told = false
	r.audit(early)
	r.law.MaxUnknown = 3 // those of whom Meta never took a message, and one of whom it says nothing
	r.judge()
}
