package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// told returns what waits to be told, in its order, and takes it away.
func (w *world) told() []report.Notice {
	w.Helper()
	var list []report.Notice
	for {
		box, err := w.store.Outbox(w.ctx)
		w.must(err)
		if box.First.ID == "" {
			return list
		}
		list = append(list, box.First)
		kept, err := w.store.NoticeTried(w.ctx, box.First, report.Attempt{State: report.NoticeDelivered})
		w.must(err)
		if !kept {
			w.Fatal("nobody else tries it, and the attempt is not kept")
		}
	}
}

// testNotices looks that each fact is told once, with what belongs to it, and what does not happen is not.
func testNotices(w *world) {
	p := w.people(1)
	l := w.launch("told", "offers", p)
	waiting, _, err := w.store.CreateRun(w.ctx, w.draft("large", "offers", func(r *scheduler.Run) { r.State, r.Why = scheduler.Waiting, "it is large" }))
	w.must(err)
	planning, _, err := w.store.CreateRun(w.ctx, w.draft("grows", "offers"))
	w.must(err)
	missed := w.draft("slept", "offers", func(r *scheduler.Run) { r.State, r.Why, r.Occurrence = scheduler.Missed, "5 h late", "slot" })
	slept, _, err := w.store.CreateRun(w.ctx, missed)
	w.must(err)
	if list := w.told(); len(list) != 2 || list[0].Type != report.NoticeRunWaiting || list[1].Type != report.NoticeRunMissed {
		w.Errorf("runs that were made: %+v", list)
	}
	for _, tt := range []struct {
		name string
		fact func() error
		want []report.NoticeType
		data report.NoticeData // of the first
	}{
		{"a slot that has its run already", func() error { _, _, err := w.store.CreateRun(w.ctx, missed); return err }, nil, report.NoticeData{}},
		{"a run paused by hand", func() error {
			return w.store.MoveRunBy(w.ctx, l.run.ID, scheduler.Paused, "ask +39 347 123 4567 or 3471234567 first.", "ada")
		}, []report.NoticeType{report.NoticeRunPaused}, report.NoticeData{
			Sentence: "Run " + l.run.ID + " of campaign told is paused by ada: ask … or … first.", Run: l.run.ID, Campaign: "told", Number: numberID,
			Reason: "ask … or … first.", By: "ada",
		}},
		{"paused again", func() error { return w.store.MoveRun(w.ctx, l.run.ID, scheduler.Paused, "again") }, nil, report.NoticeData{}},
		{"resumed", func() error { return w.store.MoveRun(w.ctx, l.run.ID, scheduler.Running, "") }, nil, report.NoticeData{}},
		{"the token refused", func() error {
			return w.store.OpenBreaker(w.ctx, sender.Breaker{Kind: sender.BreakToken, Healing: sender.HealsByProbe, Wait: time.Minute, Why: "Meta answered 190"})
		},
			[]report.NoticeType{report.NoticeRunPaused, report.NoticeTokenRefused, report.NoticeRunPaused},
			report.NoticeData{Sentence: "Run " + planning.ID + " of campaign grows is paused: Meta answered 190.", Run: planning.ID, Campaign: "grows", Number: numberID, Reason: "Meta answered 190"}},
		{"refused again", func() error {
			return w.store.OpenBreaker(w.ctx, sender.Breaker{Kind: sender.BreakToken, Healing: sender.HealsByProbe, Wait: time.Minute, Why: "Meta answered 190"})
		}, nil, report.NoticeData{}},
		{"the token taken again", func() error {
			return w.store.CloseBreaker(w.ctx, sender.Breaker{Kind: sender.BreakToken}, "Meta answers")
		}, []report.NoticeType{report.NoticeTokenAccepted}, report.NoticeData{Sentence: "Meta takes the access token again: Meta answers.", Breaker: "token", Reason: "Meta answers"}},
		{"a number that nothing gets through", func() error {
			return w.store.OpenBreaker(w.ctx, sender.Breaker{Kind: sender.BreakNumber, Subject: otherNumber, Healing: sender.HealsByHand, Why: "no answer"})
		}, []report.NoticeType{report.NoticeBreakerOpened}, report.NoticeData{Sentence: "The breaker of the number " + otherNumber + " opened: what it stands for does not send: no answer.",
			Breaker: "number", Subject: otherNumber, Number: otherNumber, Reason: "no answer"}},
		{"the number again", func() error {
			return w.store.CloseBreaker(w.ctx, sender.Breaker{Kind: sender.BreakNumber, Subject: otherNumber}, "answers come")
		}, []report.NoticeType{report.NoticeBreakerClosed}, report.NoticeData{Sentence: "The breaker of the number " + otherNumber + " closed: answers come.",
			Breaker: "number", Subject: otherNumber, Number: otherNumber, Reason: "answers come"}},
		{"a move that is refused", func() error { _ = w.store.MoveRun(w.ctx, slept.ID, scheduler.Paused, "too late"); return nil }, nil, report.NoticeData{}},
		{"a halt", func() error { _, err := w.store.Halt(w.ctx, "halted by ada"); return err }, []report.NoticeType{report.NoticeHalted},
			report.NoticeData{Sentence: "All sending is halted: halted by ada.", Reason: "halted by ada"}},
		{"a second halt", func() error { _, err := w.store.Halt(w.ctx, "halted by bea"); return err }, nil, report.NoticeData{}},
		{"its end", func() error { _, err := w.store.Unhalt(w.ctx); return err }, []report.NoticeType{report.NoticeResumed},
			report.NoticeData{Sentence: "The halt is taken back: sending goes on."}},
		{"its end again", func() error { _, err := w.store.Unhalt(w.ctx); return err }, nil, report.NoticeData{}},
		{"an approval wanted anew", func() error {
			return w.store.Await(w.ctx, waiting.ID, policy.Marketing, scheduler.Plan{}, scheduler.Approval{Hash: "a"}, "it grew")
		}, []report.NoticeType{report.NoticeRunWaiting}, report.NoticeData{Sentence: "Run " + waiting.ID + " of campaign large waits for approval: it grew.", Run: waiting.ID, Campaign: "large", Number: numberID, Reason: "it grew"}},
		{"nobody approves", func() error { return w.store.Miss(w.ctx, waiting.ID, "nobody came") }, []report.NoticeType{report.NoticeRunMissed},
			report.NoticeData{Sentence: "Run " + waiting.ID + " of campaign large is missed: nobody came.", Run: waiting.ID, Campaign: "large", Number: numberID, Reason: "nobody came"}},
		{"a run that is over is not missed", func() error { return w.store.Miss(w.ctx, waiting.ID, "again") }, nil, report.NoticeData{}},
	} {
		if err := tt.fact(); err != nil {
			w.Errorf("%s: %v", tt.name, err)
		}
		list := w.told()
		var types []report.NoticeType
		for _, n := range list {
			types = append(types, n.Type)
			if n.ID == "" || strings.Contains(n.ID, ".") || time.Since(n.At.Time).Abs() > time.Hour {
				w.Errorf("%s: notice %q of %s", tt.name, n.ID, n.At)
			}
			if body, err := n.Body(); err != nil || !json.Valid(body) || !strings.HasPrefix(string(body), `{"type":"`+string(n.Type)+`","timestamp":"`) {
				w.Errorf("%s: the body is %s, %v", tt.name, body, err)
			}
		}
		if slices.Sort(types); !slices.Equal(types, slices.Sorted(slices.Values(tt.want))) {
			w.Errorf("%s: told is %v, want %v", tt.name, types, tt.want)
		}
		if len(list) > 0 && !slices.ContainsFunc(list, func(n report.Notice) bool { return n.Data == tt.data }) {
			w.Errorf("%s: %+v, want %+v", tt.name, list, tt.data)
		}
	}
}

// testNoticesInOrder lets attempts fail: the first in line holds back the others, until it is told or given up.
func testNoticesInOrder(w *world) {
	var facts []string
	for i := range 4 {
		why := fmt.Sprint("fact ", i)
		facts = append(facts, why)
		_, err := w.store.Halt(w.ctx, why)
		w.must(err)
		_, err = w.store.Unhalt(w.ctx)
		w.must(err)
	}
	first := func() report.Notice {
		w.Helper()
		box, err := w.store.Outbox(w.ctx)
		w.must(err)
		if box.Now.IsZero() || box.First.ID != "" && box.Pending == 0 {
			w.Errorf("the outbox is %+v", box)
		}
		return box.First
	}
	tried := func(n report.Notice, a report.Attempt, want bool) {
		w.Helper()
		if kept, err := w.store.NoticeTried(w.ctx, n, a); kept != want || err != nil {
			w.Errorf("NoticeTried = %t, %v; want %t", kept, err, want)
		}
	}
	n := first()
	if n.Data.Reason != facts[0] || n.Attempts != 0 {
		w.Fatalf("first comes %+v", n)
	}
	tried(n, report.Attempt{State: report.NoticePending, Wait: time.Hour, Error: "it answered 500"}, true)
	again := first()
	if wait := again.NextAt.Sub(n.At.Time); again.ID != n.ID || again.Attempts != 1 || again.Error != "it answered 500" || wait < 59*time.Minute || wait > 62*time.Minute {
		w.Errorf("after a failure first comes %+v, to be tried in %s", again, wait)
	}
	tried(n, report.Attempt{State: report.NoticeDelivered}, false) // of an attempt that another process has overtaken
	if waiting, err := w.store.HurryNotices(w.ctx); waiting != 8 || err != nil {
		w.Errorf("HurryNotices = %d, %v", waiting, err)
	}
	box, err := w.store.Outbox(w.ctx)
	w.must(err)
	if box.First.NextAt.After(box.Now) || box.Pending != 8 {
		w.Errorf("hurried, it waits until %s of %s, with %d in all", box.First.NextAt, box.Now, box.Pending)
	}
	tried(again, report.Attempt{State: report.NoticeFailed, Error: "it answered 410"}, true)
	if next := first(); next.ID == n.ID || next.Type != report.NoticeResumed {
		w.Errorf("after the one that is given up comes %+v", next)
	}
	w.told()
	list, err := w.store.Notices(w.ctx, 0)
	w.must(err)
	if len(list) != 1 || list[0].ID != n.ID || list[0].State != report.NoticeFailed || list[0].Attempts != 2 || list[0].DoneAt.IsZero() || !list[0].NextAt.IsZero() {
		w.Errorf("listed is %+v", list)
	}
	if gone, err := w.store.ForgetNotices(w.ctx, time.Hour); gone != 0 || err != nil {
		w.Errorf("none is an hour old, and %d are forgotten, %v", gone, err)
	}
	if gone, err := w.store.ForgetNotices(w.ctx, -time.Minute); gone != 8 || err != nil {
		w.Errorf("all of them are older than a minute from now, and %d are forgotten, %v", gone, err)
	}
	if list, err := w.store.Notices(w.ctx, 0); len(list) != 0 || err != nil {
		w.Errorf("%d are left, %v", len(list), err)
	}
}

// testNoticeRaces writes notices in many processes at once, while one looks: none comes before one that is told already. Then many
// tell them at once: each is kept once.
func testNoticeRaces(w *world) {
	const runs = 24
	write := func(working *sync.WaitGroup, name string) {
		for i := range 4 {
			working.Go(func() {
				for j := range runs / 4 {
					run, _, err := w.store.CreateRun(w.ctx, w.draft(fmt.Sprintf("%s-%d-%d", name, i, j), "offers"))
					if err == nil {
						err = w.store.MoveRun(w.ctx, run.ID, scheduler.Paused, "a test")
					}
					if err != nil {
						w.Error(err)
					}
				}
			})
		}
	}
	var working sync.WaitGroup
	write(&working, "one")
	for want := int64(1); want <= runs && w.Context().Err() == nil; {
		box, err := w.store.Outbox(w.ctx)
		w.must(err)
		if box.First.ID == "" {
			continue
		}
		if box.First.Position != want {
			w.Fatalf("notice %d comes where %d was to come", box.First.Position, want)
		}
		_, err = w.store.NoticeTried(w.ctx, box.First, report.Attempt{State: report.NoticeDelivered})
		w.must(err)
		want++
	}
	working.Wait()

	write(&working, "many")
	working.Wait()
	var kept atomic.Int32
	for range 4 {
		working.Go(func() {
			for {
				box, err := w.store.Outbox(w.ctx)
				if err != nil || box.First.ID == "" {
					if err != nil {
						w.Error(err)
					}
					return
				}
				mine, err := w.store.NoticeTried(w.ctx, box.First, report.Attempt{State: report.NoticeDelivered})
				if err != nil {
					w.Error(err)
				}
				if mine {
					kept.Add(1)
				}
			}
		})
	}
	working.Wait()
	if kept.Load() != runs {
		w.Errorf("%d attempts were kept for %d notices", kept.Load(), runs)
	}
}
