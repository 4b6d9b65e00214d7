package sender_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

func (h *house) SetAside(_ context.Context, id string, people []policy.PersonID, why string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, person := range people {
		if row := h.find(id).byKey[person]; row.state == sender.Queued {
			row.state = sender.Failed
		}
	}
	h.aside = append(h.aside, fmt.Sprintf("%d %s", len(people), why))
	return nil
}

// pausedRun is a run that was paused, and why.
type pausedRun struct{ run, why string }

func (h *house) PauseRun(_ context.Context, id, why string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.find(id).open = false
	h.pauses = append(h.pauses, pausedRun{id, why})
	return nil
}

// paused are the runs that were paused alone, by no breaker.
func (h *house) paused() []pausedRun {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.pauses)
}

// poisoned is a person whose data a message cannot be made of.
type poisoned struct{}

func (poisoned) Field(string) (string, bool) {
	var coupons []string
	return coupons[3], true
}

// spoil makes the people of these keys what change makes of them.
func (h *house) spoil(change func(row *sender.Row), keys ...int) {
	bad := map[policy.PersonID]bool{}
	for _, k := range keys {
		bad[key(k)] = true
	}
	h.read = func(rows []sender.Row) {
		for i := range rows {
			if bad[rows[i].PersonID] {
				change(&rows[i])
			}
		}
	}
}

// A person whose message cannot be made, because its making panics or because what is on record cannot be read, fails alone.
func TestAPoisonedRowFailsAlone(t *testing.T) {
	for name, change := range map[string]func(*sender.Row){
		"the binding panics": func(row *sender.Row) { row.Fields = poisoned{} },
		"it cannot be read":  func(row *sender.Row) { row.Unreadable = errors.New("its attributes are no texts") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(h *house) {
				h.spoil(change, 1, 77, 300)
				run := h.add("a", 0, 300, 0)
				stop := h.start(80)
				h.until(time.Minute, "the run is over", func() bool { return h.over(run) })
				stop()
				if accepted, failed := h.count(run, sender.Accepted), h.count(run, sender.Failed); accepted != 297 || failed != 3 {
					t.Errorf("%d accepted and %d failed of 300, want 297 and 3", accepted, failed)
				}
				if len(h.paused()) > 0 {
					t.Errorf("the run paused: %v", h.paused())
				}
				for _, word := range h.aside {
					if !strings.Contains(word, "could not make this message") {
						t.Errorf("it was set aside for: %s", word)
					}
				}
			})
		})
	}
}

// A row that the database refuses each time is tried three times and set aside; the others do not wait for it.
func TestARowThatTheGateCannotJudgeIsSetAside(t *testing.T) {
	bubble(t, func(h *house) {
		run := h.add("a", 0, 2000, 0)
		tries := map[policy.PersonID]int{}
		h.judge = func(row sender.GateRow) sender.GateAnswer {
			if row.PersonID == key(5) || row.PersonID == key(6) && tries[key(6)] < 2 {
				tries[row.PersonID]++
				return sender.GateAnswer{State: sender.Queued, Refused: errors.New("the database does not take it")}
			}
			return sender.GateAnswer{State: sender.Sending, Decision: policy.Decision{Verdict: policy.Allow}}
		}
		stop := h.start(80)
		h.until(2*time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if accepted, failed := h.count(run, sender.Accepted), h.count(run, sender.Failed); accepted != 1999 || failed != 1 {
			t.Errorf("%d accepted and %d failed of 2000, want 1999 and 1", accepted, failed)
		}
		if tries[key(5)] != 3 {
			t.Errorf("the row was tried %d times, want 3", tries[key(5)])
		}
		if took := run.done.Sub(h.posts()[0].at); took > 40*time.Second {
			t.Errorf("2000 messages at 80/s took %s with a row that cannot be judged", took)
		}
	})
}

// When nobody's message can be made, it is not the people's fault: the run pauses, and nobody fails for it.
func TestARunOfPoisonedRowsPauses(t *testing.T) {
	for name, spoil := range map[string]func(h *house){
		"the binding panics": func(h *house) {
			var all []int
			for k := range 500 {
				all = append(all, k+1)
			}
			h.spoil(func(row *sender.Row) { row.Fields = poisoned{} }, all...)
		},
		"the gate refuses": func(h *house) {
			h.judge = func(sender.GateRow) sender.GateAnswer {
				return sender.GateAnswer{State: sender.Queued, Refused: errors.New("no")}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(h *house) {
				spoil(h)
				run := h.add("a", 0, 500, 0)
				stop := h.start(80)
				h.until(30*time.Second, "the run pauses", func() bool { return len(h.paused()) > 0 })
				time.Sleep(10 * time.Second)
				stop()
				if waiting := h.count(run, sender.Queued); waiting != 500 || len(h.posts()) > 0 {
					t.Errorf("%d of 500 wait, %d posts", waiting, len(h.posts()))
				}
				if p := h.paused()[0]; p.run != run.ID || !strings.Contains(p.why, "25 messages in a row") {
					t.Errorf("the pause is of %s: %s", p.run, p.why)
				}
			})
		})
	}
}

// A panic while a message is posted leaves it unknown, and the process alive.
func TestAPanicWhilePostingIsAnUnknownMessage(t *testing.T) {
	bubble(t, func(h *house) {
		h.answer = func(_ context.Context, n int) sender.Result {
			if n == 7 {
				panic("a mistake")
			}
			return sender.Result{Fate: sender.Taken, WAMID: "wamid.x"}
		}
		run := h.add("a", 0, 100, 0)
		stop := h.start(80)
		h.until(time.Minute, "the run is over", func() bool { return h.over(run) })
		stop()
		if accepted, unknown := h.count(run, sender.Accepted), h.count(run, sender.Unknown); accepted != 99 || unknown != 1 {
			t.Errorf("%d accepted and %d unknown of 100, want 99 and 1", accepted, unknown)
		}
	})
}

// What is logged of a panic has no word of what the row says.
func TestAPanicTellsNoData(t *testing.T) {
	caught := func(f func()) (p *sender.Panic) {
		defer func() { p = sender.Caught(recover()) }()
		f()
		return nil
	}
	own := caught(func() { panic("the number of Ada is +39347123") })
	if text := own.Error() + own.Stack(); strings.Contains(text, "Ada") || strings.Contains(text, "+39") {
		t.Errorf("it tells the data: %s", text)
	}
	languages := caught(func() { _, _ = poisoned{}.Field("name") })
	if !strings.Contains(languages.Error(), "index out of range [3]") || !strings.Contains(languages.Stack(), "aside_test.go") {
		t.Errorf("it does not say what happened, or where: %s %s", languages.Error(), languages.Stack())
	}
}
