package reliability

import (
	"cmp"
	"slices"
)

// Failure is one way of things going wrong.
type Failure struct {
	ID     string // F1
	Title  string
	Fails  string // what happens
	Holds  string // what is true all the same
	Shown  []Shown
	Beyond string // what of it cannot be had here, and why; "" for nothing
}

// Failures are F1 to F34 in their order.
func Failures() []Failure {
	all := slices.Concat(wireFailures, databaseFailures, timeFailures, inputFailures, metaFailures, operationFailures)
	slices.SortFunc(all, func(a, b Failure) int { return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID)) })
	return all
}

// What happens to processes and to the wire between permesso and Meta.
var wireFailures = []Failure{
	{
		ID: "F1", Title: "A process dies, anywhere",
		Fails: "`serve` or `run` is killed between any two steps: in the planning, before the gate, between gate and wire, in the middle of a " +
			"request, before the answer, before the answer is on record.",
		Holds: "Nobody has two requests in a run, no row is missing, each ends in a state that says what is known, and whatever Meta took is " +
			"settled by Meta's own reports.",
		Shown: slices.Concat(played("kill", "chaos"), played("fleet"), lived("unknown", "unknown, settled by its echo"),
			by("internal/e2e", "TestKilledRunGoesOn", "TestKilledServeGoesOn", "TestKilledRunIsResumedByHand"), kept("settle")),
	},
	{
		ID: "F2", Title: "An answer is lost",
		Fails: "Meta took the message, and the answer times out, is cut off or comes as a gateway's error page.",
		Holds: "The program never sends it again. It is `unknown`, counts in the caps, and the report that carries its callback settles it.",
		Shown: slices.Concat(played("lost", "chaos"), lived("lost answer"), by("internal/e2e", "TestLostAnswers"),
			by("sender", "TestLostAnswersInARowPauseTheNumber", "TestSingleLostAnswers"), by("internal/graph", "TestFates"),
			kept("silence", "unproven messages sent again")),
	},
	{
		ID: "F3", Title: "A connection dies at rest or in use",
		Fails: "Connections that are kept open are closed by the other side while they rest or under a request; new ones are refused; half a request arrives.",
		Holds: "No layer sends a request again that may have arrived, Go's own client least of all; what surely never left is sent later.",
		Shown: slices.Concat(played("wire"), by("internal/graph", "TestKeepAliveDeath", "TestRequestOnTheWire", "TestNeverBegun", "TestOneBeginning")),
	},
	{
		ID: "F4", Title: "Webhooks come twice",
		Fails: "Meta brings the same report again, up to five times here, at once and to two receivers.",
		Holds: "Applied any number of times it counts once.",
		Shown: slices.Concat(played("disorder", "chaos"), lived("duplicate webhook"), by("internal/webhook", "TestConcurrentDuplicates"),
			kept("every write twice", "statuses in any order on two receivers")),
	},
	{
		ID: "F5", Title: "Webhooks come out of order",
		Fails: "`read` comes before `sent`, `delivered` after `failed`, some never.",
		Holds: "The state is a function of the set of reports, whatever their order; each report's own time is kept.",
		Shown: slices.Concat(played("disorder"), by("sender", "TestHeardIsAJoin", "TestHeardMeaning"), kept("statuses are a join"),
			by("internal/e2e", "TestStatusesInDisorder")),
	},
	{
		ID: "F6", Title: "Webhooks come weeks late",
		Fails: "A report comes a month after its run was done.",
		Holds: "It is taken and counted, and the run stays done.",
		Shown: slices.Concat(played("late"), lived("a month late")),
	},
	{
		ID: "F7", Title: "A report overtakes the answer",
		Fails: "Meta's report on a message is there before the answer to the request that sent it.",
		Holds: "It finds its message by the callback that the request carried, or waits until the message's id is known.",
		Shown: slices.Concat(played("disorder"), lived("early status"), kept("early statuses")),
	},
	{
		ID: "F8", Title: "A stop meets a message on its way",
		Fails: "A person stops while their message is between gate and wire; the sender may stand still just there, for seconds.",
		Holds: "No request to them begins after the 200 of their stop. The sender begins a request within a second of its gate or not at all, and the " +
			"webhook waits with its answer until that second is over.",
		Shown: slices.Concat(played("stops", "planning", "chaos"), lived("stop while sending", "too late to begin"),
			by("internal/e2e", "TestStopsWhileRunning", "TestStopsWhileTheSenderIsFrozen"), kept("stop against send"),
			by("internal/graph", "TestEdgeOfTime")),
		Beyond: "A process that is stopped between its last look at the clock and the write that follows it, two instructions further, begins its " +
			"request when it wakes. Nothing but Meta could refuse it then ([ARCHITECTURE.md](ARCHITECTURE.md#the-gate)). The scenarios stop " +
			"senders at random instants and have not met it.",
	},
}

// What happens to the database.
var databaseFailures = []Failure{
	{
		ID: "F9", Title: "A stop comes while the database is away",
		Fails: "People stop while PostgreSQL is down or SQLite's file is locked.",
		Holds: "Their webhook is answered 503, so that Meta brings it again, and never 200; once it is stored, it is in force.",
		Shown: slices.Concat(played("server"), played("outage"), by("internal/e2e", "TestStopWhileTheDatabaseIsAway"), by("internal/webhook", "TestSinkThatFailsGives503", "TestSinkThatHangsGives503"),
			by("internal/webhook", "TestRefusedStopIsOwed", "TestOwedStopIsStoredBesideOthers", "TestPoisonedStopIsNotOwed"),
			lived("webhook not taken")),
	},
	{
		ID: "F14", Title: "The database's server dies and comes back",
		Fails: "PostgreSQL is struck down in the middle of a run, again and again, or sessions are ended by an administrator.",
		Holds: "A gate whose commit was acknowledged is on record after the restart; nobody gets a second message; the pool of connections heals by itself.",
		Shown: slices.Concat(played("server", "chaos"), played("fleet"), by("internal/e2e", "TestDatabaseAwayInTheMiddle"), lived("database away"),
			by("sender", "TestOutcomesAreKeptWhileTheLedgerFails", "TestOutcomesOutliveALongOutage"),
			by("internal/store", "TestAnErrorAndADroppedSocketDoNotPoisonThePool", "TestConnectionsNoticeADeadNetwork", "TestAServerThatStandsStillIsGivenUp", "TestPlace")),
		Beyond: "A failover to an asynchronous standby loses commits that were acknowledged, and one machine has no standby to fail over to: it is " +
			"not played. What is tested is that a database in another place is told from this one; a server that keeps its identifier and its " +
			"timeline from those who are no superusers tells nothing, and then only the marks in `state_dir` show that something is missing. A network that drops packets cannot be had without rights on the kernel's filters; the options that notice it are asked for " +
			"and read back.",
	},
	{
		ID: "F15", Title: "The answer to a COMMIT is lost",
		Fails: "The connection to PostgreSQL is cut on the packet of a COMMIT, half of the times before it reached the server and half after.",
		Holds: "Who asked looks by the key of its own attempt before it does anything else: nothing is sent twice and nothing is lost.",
		Shown: slices.Concat(played("commit"), lived("gate whose answer was lost"), kept("a lost commit answer", "every write twice")),
	},
	{
		ID: "F16", Title: "The disk is full",
		Fails:  "The database cannot write any more in the middle of a run, and later can again.",
		Holds:  "A gate that cannot commit sends nothing; a webhook that cannot be stored is answered 503, and /readyz says so; all goes on by itself.",
		Shown:  slices.Concat(played("disk"), by("internal/webhook", "TestSinkThatFailsGives503"), by("internal/app", "TestReadyWhileWebhooksAreRefused")),
		Beyond: "A disk is filled only where the tests may mount a small one, which takes root; elsewhere writes that fail stand in its place.",
	},
	{
		ID: "F17", Title: "The power fails",
		Fails: "Machine or server stop at once; what was not synced is gone, and the last write may be torn.",
		Holds: "A gate and an opt-out that were acknowledged are on the disk.",
		Shown: slices.Concat(played("server"), played("power")),
		Beyond: "No test takes the power from a machine. What a disk may hold after that is made from what was synced; that it keeps what it says it " +
			"has synced is the disk's own promise.",
	},
}

// What happens to clocks, schedules and those who watch them.
var timeFailures = []Failure{
	{
		ID: "F10", Title: "The clock jumps",
		Fails: "The clock is set by minutes, an hour or a day, forward and back, or the machine sleeps.",
		Holds: "No slot starts twice, and none that the clock passed is skipped without a record. Leases go by the database's clock.",
		Shown: slices.Concat(by("internal/simulation", "TestClockJumps"),
			by("scheduler", "TestNoSlotIsLostOrDoubledWhateverTheClockDoes", "TestTheDatabasesClockIsSet", "TestANewScheduleUnderAWrongClock", "TestAPausedMachine"),
			lived("process stands still")),
		Beyond: "A running process is not shown another time: libfaketime works through the C library, which a Go binary does not use, and setting the " +
			"machine's own clock would set everybody's. The clock is an argument of the scheduler, and there it is set.",
	},
	{
		ID: "F11", Title: "Daylight saving begins and ends",
		Fails: "A wall-clock time does not exist that day, or exists twice.",
		Holds: "It starts once: after the gap, or at the first of the two. Windows and quiet hours hold on those days too. The rules and a table of " +
			"every zone's days are in [CALENDAR.md](CALENDAR.md).",
		Shown: slices.Concat(by("scheduler", "TestOneFirePerWallSlot", "TestOneFirePerWallSlotInStrangeYears", "TestDSTTable"),
			by("policy", "TestWindowsOnDaysOfClockChange", "TestHourToldTwiceIsNotInsideByDateAlone")),
	},
	{
		ID: "F12", Title: "Several schedulers see the same slot",
		Fails: "Eight of them look at once, again and again.",
		Holds: "One makes the run; a unique key decides it, not a lease.",
		Shown: slices.Concat(played("ticks"), by("scheduler", "TestManySchedulersStartEachSlotOnce"), by("internal/e2e", "TestScheduleFiresOnce"), kept("one run per occurrence")),
	},
	{
		ID: "F13", Title: "A worker stands still and comes back",
		Fails: "A sender is stopped for longer than its lease lasts, another takes over, the first goes on.",
		Holds: "Nobody gets a second message: the gate decides for each row, whoever believes to hold the lease. What the first knows of its own messages is still taken.",
		Shown: slices.Concat(played("freeze", "chaos"), played("fleet", "ticks"), lived("lease taken over", "process stands still"), by("internal/e2e", "TestLeaseTakenFromAFrozenSender"),
			by("sender", "TestALostLeaseStopsSending", "TestALeaseThatCannotBeRenewed", "TestARenewalThatHangs"), kept("leases", "the gate and what is not queued")),
	},
	{
		ID: "F27", Title: "A campaign is renamed or made anew",
		Fails: "Files are split, campaigns change their places, an `id` or a schedule is edited.",
		Holds: "The `id` is the campaign: nothing else starts an extra run. A campaign under another `id` is another, and `plan` says so; what an edit leaves behind is recorded.",
		Shown: slices.Concat(by("cmd/permesso", "TestPlanNamesAChangedID"), by("scheduler", "TestAnEditForgetsNoSlot", "TestEditsAndRunsByHand")),
	},
	{
		ID: "F28", Title: "Nothing runs at the time of a slot",
		Fails: "No scheduler is up when a slot comes, for minutes or for days.",
		Holds: "`catch_up` decides by the clock and what is on record: one late run, all of them, or none, and what does not run is recorded as missed. " +
			"The rules are in [CALENDAR.md](CALENDAR.md).",
		Shown: slices.Concat(by("internal/e2e", "TestScheduleAfterDowntime"), by("scheduler", "TestTick", "TestDueJudgesEachSlotOnce", "TestTickAfterACrashAndBesideTrouble", "TestOverlapQueue"),
			lived("missed slot")),
	},
}
