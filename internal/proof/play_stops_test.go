package proof

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopOf is a stop of a person in one of the ways that there are, and what it stops.
func (r *rig) stopOf(phone string, way int) (body []byte, stop *Stop) {
	v := Voice{Phone: WaID(phone)}
	switch way % 6 {
	case 0:
		return v.Writes(accountID, numberID, []string{"STOP", "stop.", "Basta!", "  Stop, grazie "}[r.draw(4)]), &Stop{phone, "all"}
	case 1:
		return v.Taps(accountID, numberID, "permesso:stop:v1:offer", ""), &Stop{phone, "kind:marketing"}
	case 2:
		return v.Prefers(accountID, numberID, "stop"), &Stop{phone, "kind:marketing"}
	case 3:
		return v.Writes(accountID, numberID, "STOP OFFERS"), &Stop{phone, "category:offers"}
	case 4: // the number in the form that the contacts have
		return Voice{Phone: personOf(phone)}.Writes(accountID, numberID, "STOP"), &Stop{phone, "all"}
	}
	// With the number hidden: all that names them is an id which came with an earlier word of theirs.
	named := v
	named.User = userOf(phone)
	r.say(named.Writes(accountID, numberID, "Ciao"), nil)
	return Voice{User: named.User}.Writes(accountID, numberID, "STOP"), &Stop{phone, "all"}
}

func userOf(phone string) string { return "IT.7" + personOf(phone) }

var drawing sync.Mutex

// draw is a number below n, for goroutines too.
func (r *rig) draw(n int) int {
	drawing.Lock()
	defer drawing.Unlock()
	return r.chance.IntN(n)
}

func (r *rig) say(body []byte, stop *Stop) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	taken, err := r.player.Say(ctx, body, stop)
	if err != nil {
		r.t.Errorf("%s, seed %d: %v", r.name, r.seed, err)
		return
	}
	if stop != nil {
		r.measured("ms from a stop to its 200", int(taken.Sub(began).Milliseconds()))
	}
}

// stopAll sends everybody's stop, eight at a time, each in a way of its own.
func (r *rig) stopAll(people []string) {
	var at sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, phone := range people {
		slots <- struct{}{}
		at.Go(func() {
			defer func() { <-slots }()
			r.say(r.stopOf(phone, i))
		})
	}
	at.Wait()
	r.stops += len(people)
}

// sendingNow are people who are between gate and outcome, and to whom nothing was posted yet.
func (r *rig) sendingNow() []string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	rows, err := r.db.QueryContext(ctx, "SELECT c.phone FROM deliveries d JOIN contacts c ON c.person_id = d.person_id WHERE d.state = 'sending'")
	if err != nil {
		return nil // SQLite answers "locking protocol" while a frozen process holds a lock of its index
	}
	defer func() { _ = rows.Close() }()
	var sending []string
	reached := r.reached()
	for rows.Next() {
		var phone string
		if rows.Scan(&phone) == nil && !reached[personOf(phone)] {
			sending = append(sending, phone)
		}
	}
	return sending
}

// playStops aims stops at those who are being sent to, while the sender stands still between its gate and its wire and another
// process takes the stop (F8).
func playStops(t *testing.T, target string, seed uint64, soak length) {
	people, enough := soak.of(900, 6000), soak.of(4, 60)
	r := newRig(t, "stops", target, seed, settings{people: people, perSecond: 190}) // one batch at a time: what is frozen seldom holds SQLite's lock
	r.law.MaxUnknown = people
	r.serve(r.houses[0], "--only", "webhook")
	r.law.Audience["offer"] = len(r.everybody)
	sender := r.start(r.houses[0], "run", "offer", "--json")
	r.untilPosted(20)
	caught := 0
	for caught < enough && sender.running() && r.posted() < people*9/10 {
		r.pause(8 * time.Millisecond) // anywhere in a batch
		sender.signal(syscall.SIGSTOP)
		time.Sleep(8 * time.Millisecond) // what is on the wire reaches the ledger
		between := r.sendingNow()
		if len(between) > 0 {
			caught++
			span := time.Duration(r.draw(soak.of(1600, 4000))) * time.Millisecond
			thaw := time.AfterFunc(span, func() { sender.signal(syscall.SIGCONT) })
			r.stopAll(append(between, r.unreached(4)...))
			thaw.Stop()
		}
		sender.signal(syscall.SIGCONT)
	}
	r.stopAll(r.unreached(12))
	r.untilOver()
	select {
	case <-sender.over:
	case <-time.After(patience):
		t.Errorf("run does not end: %s", sender.err.String())
	}
	r.powered("stops while somebody was between gate and wire", caught, 2)
	r.powered("stops", r.stops, 20)
	r.judge()
}

// stopPlainly sends everybody's STOP, as fast as permesso takes them.
func (r *rig) stopPlainly(people []string) {
	var at sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, phone := range people {
		slots <- struct{}{}
		at.Go(func() {
			defer func() { <-slots }()
			r.say(Voice{Phone: WaID(phone)}.Writes(accountID, numberID, "STOP"), &Stop{phone, "all"})
		})
	}
	at.Wait()
	r.stops += len(people)
}
