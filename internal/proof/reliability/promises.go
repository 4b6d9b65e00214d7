package reliability

import "slices"

// Promise is one of the seven that the project makes its users.
type Promise struct {
	Title  string
	Says   string
	Played []string // the failures that put it to the test
	Shown  []Shown  // beside those of the failures
}

// Promises are all of them; the first is number 1.
var Promises = []Promise{
	{
		Title: "Nobody gets a run twice",
		Says: "A person gets a given run at most once, whatever is killed, cut or repeated. What cannot be known is `unknown`: it waits for " +
			"WhatsApp's own word, counts in the caps, and is never guessed by sending again.",
		Played: []string{"F1", "F2", "F3", "F7", "F13", "F14", "F15", "F16", "F17", "F29", "F31", "F33"},
		Shown: slices.Concat(lived("unknown, settled by its echo"), kept("states", "every write twice"),
			kept("silence", "unproven messages sent again"), by("cmd/permesso", "TestResend")),
	},
	{
		Title: "Nothing begins after a stop was answered",
		Says: "No campaign message for a person starts, by its first byte into the socket, after the 200 of the webhook that carried their " +
			"opt-out. The one confirmation goes out only if it is configured.",
		Played: []string{"F8", "F9", "F19", "F22", "F29"},
		Shown: slices.Concat(by("internal/e2e", "TestEveryWayToStop"), lived("stop while sending"),
			kept("stop against send", "stops and starts are a join", "who lifts what", "scopes", "a stop without a phone", "a stop before its message", "forms of one number")),
	},
	{
		Title: "No consent, no message",
		Says: "Without a consent on record for the category nothing is sent, of any kind. Writing to the business opens a window of 24 hours; " +
			"it is no consent.",
		Shown: slices.Concat(played("consents"), by("policy", "TestDecideAboutPeople", "TestConsentFoldsInAnyOrder", "TestZeroValuesRefuse"),
			by("internal/store", "TestConsentLedger")),
	},
	{
		Title: "A scheduled time starts one run",
		Says: "A wall-clock time of a schedule starts exactly one run: late rather than never inside `catch_up_within`, recorded as missed beyond " +
			"it; never twice, on days of clock change too. Slots that fall on one instant make one run.",
		Played: []string{"F10", "F11", "F12", "F27", "F28"},
		Shown:  slices.Concat(by("internal/e2e", "TestScheduleFiresOnce"), kept("one run per occurrence", "marks")),
	},
	{
		Title:  "Caps hold over everything",
		Says:   "Caps hold over all campaigns, workers and numbers. An outcome that nobody knows counts.",
		Played: []string{"F30"},
		Shown: slices.Concat(by("policy", "TestDecideAboutCaps", "TestCapsAgainstCounting"), kept("what takes a slot of the cap"),
			by("internal/e2e", "TestThreeCampaignsOneSlot", "TestCapWhenAWorkerDies"), lived("cap at the gate")),
	},
	{
		Title:  "One row, one state, one reason",
		Says:   "Each person of a run has one row, one state at a time and, when refused, one reason.",
		Played: []string{"F4", "F5", "F6", "F7"},
		Shown: slices.Concat(by("sender", "TestStateMachine", "TestHeardIsAJoin"), by("policy", "TestReasonIsTheFirstOfTheList"),
			by("internal/e2e", "TestMainJob"), kept("states", "refusals and deferrals")),
	},
	{
		Title: "Nobody sends deaf",
		Says:  "When webhooks do not arrive, stops do not either: marketing pauses by itself, and goes on at the first webhook.",
		Shown: slices.Concat(by("internal/e2e", "TestNobodySendsDeaf"), by("internal/store", "TestSilenceIsFoundByIndex"), kept("deafness")),
	},
}
