package reliability

import "slices"

// What comes in: webhooks, files, words.
var inputFailures = []Failure{
	{
		ID: "F18", Title: "A flood of webhooks",
		Fails: "Far more webhooks come than are stored in the time, some of megabytes, with stops among them.",
		Holds: "What is taken up is bounded; what is not is answered 503 and comes again; stops do not wait behind the rest for long.",
		Shown: slices.Concat(played("flood"), by("internal/webhook", "TestFullQueueGives503", "TestBodiesGatherWhileACommitIsUnderWay", "TestOnlyStopsWait")),
	},
	{
		ID: "F19", Title: "A webhook that is not Meta's",
		Fails: "Bodies with a wrong signature or none, too large, too deep, not JSON, broken off, replayed.",
		Holds: "401, and nothing is parsed or stored; 413 and 400 for what is signed and no webhook; a replay changes nothing.",
		Shown: slices.Concat(played("malice"), by("internal/e2e", "TestWebhookDoor"),
			by("internal/webhook", "TestSignature", "TestSignatureVectors", "TestBadBodies", "TestTooLargeOverTheWire", "TestBodyThatBreaksOff", "FuzzWebhook"),
			kept("stops and starts are a join")),
	},
	{
		ID: "F20", Title: "A cell that is a formula",
		Fails: "A name or an attribute begins with `=`, `+`, `-`, `@`, a tab, or is a number that a spreadsheet would round.",
		Holds: "Nothing that somebody typed runs in a spreadsheet, phones survive, and an import of an export is the same.",
		Shown: slices.Concat(by("internal/imports", "TestExportsSurviveSpreadsheets", "TestImportOfExportIsTheSame", "TestGuard", "TestGuardComesOffAgain", "TestRejectedCellsComeBack"),
			by("cmd/permesso", "TestImportOfExportIsTheSame")),
	},
	{
		ID: "F21", Title: "Numbers that are none",
		Fails: "Digits of other scripts, hidden characters, extensions, missing plus signs, fixed lines, `5.51199E+12`, two forms of one number.",
		Holds: "Each row is taken, mended with a note, or rejected with its line and reason; no row stops a file; forms of one number are one person.",
		Shown: slices.Concat(by("internal/phone", "TestParseCorpus", "TestParseReadsDigitsOfEveryScript", "TestVariantsAreClosed", "FuzzParse", "FuzzFromWhatsApp"),
			by("internal/imports", "TestRejectedRows", "TestFormsOfOnePersonAreOneContact", "FuzzFile"), kept("forms of one number")),
	},
	{
		ID: "F22", Title: "Stops in disguise",
		Fails: "Full-width letters, look-alikes of other alphabets, hidden characters, accents, emoji, politeness around the word, words in many languages.",
		Holds: "What is a stop is taken for one; what may be one holds marketing back until somebody looks; nothing is taken for a yes that is not one.",
		Shown: by("policy", "TestMatchCorpus", "TestEveryBuiltInWordIsRecognised", "TestPolitenessNeverHidesAStop", "TestMatchNeverStartsOnYes", "TestLongTextsAreConversations", "FuzzMatch"),
	},
}

// What Meta says no to.
var metaFailures = []Failure{
	{
		ID: "F23", Title: "The token, the account or a number is refused",
		Fails: "Meta answers 190 in the middle of a run, or the token lacks a right; it blocks the account (368, 131031), restricts a number (131048) or does not know it any more (133010).",
		Holds: "Only what is on its way still asks; runs pause and say why; nobody's attempt is used up; nothing is lost. What heals it is another token, Meta's word on the health of the account and its numbers, or a person.",
		Shown: slices.Concat(by("internal/e2e", "TestTokenRefusedInTheMiddle"), by("sender", "TestPauseReactions"),
			by("internal/e2e", "TestTokenRefusedAndMended", "TestBreakersHealByMetasHealth"), kept("what a breaker stops", "breakers heal", "a breaker and hands")),
	},
	{
		ID: "F24", Title: "Meta is away, or says that it is too fast",
		Fails: "Nothing is taken for minutes; connections fail; 130429 answers a part of what is sent, or all.",
		Holds: "Tries are bounded and do not use up attempts where nobody's message is at fault; the rate falls, and comes back without being told.",
		Shown: slices.Concat(by("sender", "TestSlowDownAndRecover", "TestNotSentStormProbesRarely", "TestBackoffGrows"), lived("not sent"),
			by("sender", "TestStormWaitsAndRecovers", "TestAHigherRateThanAllowedOpensNothing", "TestOneAtATimeAfterABreaker")),
		Beyond: "A storm is lived through on fake time alone (`TestStormWaitsAndRecovers`): what it shows is a matter of minutes, of every second of which the pace counts.",
	},
	{
		ID: "F25", Title: "A template is paused, disabled or edited",
		Fails: "Meta stops sending a template in the middle of a run, or its parameters change.",
		Holds: "What is on its way is all that still goes out; the rest waits; a run keeps the parameters with which it began, or does not go on.",
		Shown: slices.Concat(by("sender", "TestTemplateThatDoesNotFit", "TestPauseReactions"), by("templates", "TestDrift"), lived("paused by Meta's refusals"),
			by("internal/e2e", "TestBreakersOpenAndHeal"), by("sender", "TestTheSameMistakeForEverybody"), kept("breakers opened by statuses")),
	},
}

// What operators do, and what happens to an installation as a whole.
var operationFailures = []Failure{
	{
		ID: "F26", Title: "The configuration is edited during a run",
		Fails: "Files are edited, written in pieces, and wrong for a while.",
		Holds: "A run keeps the configuration with which it began, by its hash; a wrong file never takes the place of a right one.",
		Shown: slices.Concat(played("edits"), by("internal/e2e", "TestConfigurationIsTakenUp", "TestConfigurationInPieces"), lived("configuration edited"), by("internal/config", "TestReadWaitsForTheWriter")),
	},
	{
		ID: "F29", Title: "A backup is put back, a database is cloned",
		Fails: "The database is an hour older than it was, or there are two of it.",
		Holds: "The installation notices, receives webhooks and sends nothing until a person says what it is; then nobody gets a second message, and stops " +
			"since the backup hold, from the journal that is kept outside the database.",
		Shown: slices.Concat(by("internal/e2e", "TestRestoredBackup", "TestSnapshotOfAllIsNoticedByReports", "TestCloneNeverSends", "TestJournalThatCannotBeWritten", "TestStateDirOfAnotherInstallation"),
			by("internal/statedir", "TestTornTail", "TestDamagedInTheMiddle", "TestManyWriters", "FuzzJournal"), by("internal/app", "TestJudge"), by("scheduler", "TestSkip"),
			kept("stops are restored", "homes", "quarantine", "messages that nobody sent")),
	},
	{
		ID: "F30", Title: "Campaigns meet in one person",
		Fails: "Several campaigns, numbers and processes send to the same people at once, with answers lost on the way.",
		Holds: "Nobody gets more than the cap: what is on its way and what is unknown count, a definite refusal gives its place back.",
		Shown: slices.Concat(played("cap"), lived("cap at the gate"), by("internal/e2e", "TestCapOverCampaignsAtOnce", "TestCapWhenAWorkerDies"), kept("caps under concurrency", "what takes a slot of the cap")),
	},
	{
		ID: "F31", Title: "A row that always fails",
		Fails: "The data of one person make the gate, the database or the program itself fail, each time.",
		Holds: "One person never stops a run: their row ends as `failed`, or they are refused, and the others pass.",
		Shown: slices.Concat(played("poison"), kept("a poisoned row"), by("internal/webhook", "TestPoisonedBodyFailsAlone"),
			slices.Concat(by("sender", "TestAPoisonedRowFailsAlone", "TestARowThatTheGateCannotJudgeIsSetAside", "TestARunOfPoisonedRowsPauses", "TestAPanicWhilePostingIsAnUnknownMessage", "TestAPanicTellsNoData"),
				by("scheduler", "TestAPoisonedPersonIsRefusedAlone"))),
	},
	{
		ID: "F32", Title: "A very large audience",
		Fails: "A run has hundreds of thousands of people, an import as many rows.",
		Holds: "Memory does not grow with them, and the first messages leave while later people are planned.",
		Shown: slices.Concat(played("huge"), by("internal/e2e", "TestImportsTakeTheSameMemoryForAnyFile"), by("internal/imports", "TestMemoryDoesNotDependOnTheFile", "TestMemoryDoesNotDependOnTheWorkbook"),
			by("sender", "TestPlanningRunGoesOn")),
	},
	{
		ID: "F33", Title: "Restarts and deployments",
		Fails: "`serve` is ended by SIGTERM in the middle of its work and started again, over and over.",
		Holds: "What is on its way is finished, leases are given back, and not one message is unknown because of it.",
		Shown: slices.Concat(played("restarts", "chaos"), played("rolling"), by("internal/e2e", "TestInterrupted"), by("sender", "TestStopDrains", "TestStopDoesNotWaitForEver"), lived("restarted")),
	},
	{
		ID: "F34", Title: "Two versions side by side",
		Fails: "A program meets a database that is newer or older than it.",
		Holds: "A newer one is refused by every verb with a sentence; an older one on PostgreSQL waits for `migrate`.",
		Shown: slices.Concat(by("internal/store", "TestANewerDatabaseIsRefused", "TestMigrate"), by("cmd/permesso", "TestMigrateStatusOfANewerDatabase"),
			by("internal/store", "TestAnOlderDatabase")),
		Beyond: "There is no release before this one to run against the new schema.",
	},
}
