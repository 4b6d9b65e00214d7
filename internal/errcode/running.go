package errcode

import "slices"

// Why a run, or the service, does not start or go on.
const (
	Internal            Code = "internal"
	Interrupted         Code = "interrupted"
	Halted              Code = "halted"
	DryRun              Code = "dry_run"
	SecondServe         Code = "second_serve"
	Quarantined         Code = "quarantined"
	NotJoined           Code = "not_joined"
	JournalDamaged      Code = "journal_damaged"
	LedgerBroken        Code = "ledger_broken"
	LockUnusable        Code = "lock_unusable"
	AddressInUse        Code = "address_in_use"
	AddressUnusable     Code = "address_unusable"
	StateDirUnusable    Code = "state_dir_unusable"
	ServiceFailed       Code = "service_failed"
	NoTestPhones        Code = "no_test_phones"
	NoPublicURL         Code = "no_public_url"
	NotifyMissing       Code = "notify_missing"
	NotifyFailed        Code = "notify_failed"
	RetentionRuns       Code = "retention_runs"
	NoSuchRun           Code = "no_such_run"
	WrongRunState       Code = "wrong_run_state"
	NumberNotConfigured Code = "number_not_configured"
	RunIncomplete       Code = "run_incomplete"
	RunInterrupted      Code = "run_interrupted"
	RunPaused           Code = "run_paused"
	RunAwaitsApproval   Code = "run_awaits_approval"
	RunMissed           Code = "run_missed"
	RunDrifted          Code = "run_drifted"
	SamePerson          Code = "same_person"
	NobodyNamed         Code = "nobody_named"
	NotApproved         Code = "not_approved"
	NotConfirmed        Code = "not_confirmed"
	RunWaits            Code = "run_waits"
	NothingToLift       Code = "nothing_to_lift"
	NoReview            Code = "no_review"
	PersonsOwnStop      Code = "persons_own_stop"
	NoReasonGiven       Code = "no_reason_given"
	Undated             Code = "undated"
	TooManyToResend     Code = "too_many_to_resend"
	ResendUnconfirmed   Code = "resend_unconfirmed"
)

func running() []Entry {
	halted := in(AreaRunning, 0, []Entry{{
		Code: Halted, Title: "Everything is halted",
		Means: "Somebody stopped all sending with `permesso halt`; it holds in every process and after a restart. A run is refused with exit code 5; one that was under way ends with 4 and stays open.",
		Do:    "Find out why, then take it back with `permesso resume`.",
	}})
	refused := in(AreaRunning, 5, []Entry{
		{
			Code: SecondServe, Title: "Another serve has this SQLite file",
			Means: "One SQLite file takes one `permesso serve`. The other verbs work beside it.",
			Do:    "Let the other one work, or stop it; for several processes use PostgreSQL.",
		},
		{
			Code: Quarantined, Title: "The database is in quarantine",
			Means: "It is, or may be, not the database that this installation last worked with: a restored backup, a clone, one that was moved, or this `state_dir` is new to it. It would send again what was sent since, and does not know the stops that came since. Webhooks are received and stops hold; nothing is sent.",
			Do:    "Find out which it is. For an older copy, `permesso resume --after-restore`; when nothing was lost, `permesso resume --join`. docs/RESTORE.md leads through it.",
		},
		{
			Code: NotJoined, Title: "The database is an older copy and cannot be joined",
			Means: "`state_dir` remembers, or WhatsApp reports, more than the database knows. To go on as if nothing was lost would send messages a second time.",
			Do:    "`permesso resume --after-restore`; docs/RESTORE.md says what it does.",
		},
		{
			Code: RunDrifted, Title: "The run is no longer what was to be approved",
			Means: "Since its plan was shown the campaign, a rule or its template was changed, or its people became more than 5 % more or fewer. It waits on, with its plan made anew; nothing was sent.",
			Do:    "Look at it with `permesso runs show RUN`, and approve the plan that it has now.",
		},
		{
			Code: SamePerson, Title: "A second person has to approve",
			Means: "Whoever made a run by hand does not approve it. People are told apart by the name of the account that they work in (USER).",
			Do:    "Have somebody else run `permesso runs approve RUN`, in an account of their own.",
		},
		{
			Code: NobodyNamed, Title: "It is not known who approves",
			Means: "An approval is kept in the audit log with a name, and the environment variable USER is empty, as in many containers.",
			Do:    "Approve from an account of your own, or set USER to your name.",
		},
	})
	incomplete := in(AreaRunning, 4, []Entry{
		{
			Code: DryRun, Title: "dry_run is on, so nothing was sent",
			Means: "The configuration forbids sending. The plan was made and printed; no run was stored.",
			Do:    "When the plan is right, set `dry_run: false` in config.yaml.",
		},
		{
			Code: Interrupted, Title: "The verb was interrupted",
			Means: "Ctrl-C or a signal ended it before it was through. What it had already stored stays; nothing is left half done.",
			Do:    "Start it again; importing a file again does no harm.",
		},
		{
			Code: RunInterrupted, Title: "The run was interrupted and is paused",
			Means: "Ctrl-C ended the verb. Messages on their way were finished, the rest waits; nobody gets the run twice.",
			Do:    "Let it go on with `permesso runs resume RUN`, or end it with `permesso runs cancel RUN`.",
		},
		{
			Code: RunPaused, Title: "The run is paused",
			Means: "An operator paused it, or a refusal of Meta's that everybody in it would have met. The reason was printed.",
			Do:    "Mend the reason, then `permesso runs resume RUN`.",
		},
		{
			Code: RunAwaitsApproval, Title: "The run waits for approval",
			Means: "It is larger than `approvals.above` in config.yaml allows without a second person.",
			Do:    "Have somebody else look at `permesso runs show RUN` and approve it with `permesso runs approve RUN`, or end it with `permesso runs cancel RUN`.",
		},
		{
			Code: RunMissed, Title: "The run was missed",
			Means: "Nobody approved it before the windows of its people were over, before its not_after, or within catch_up_within of its slot.",
			Do:    "Nothing of it is sent any more; `permesso run CAMPAIGN` makes a new one.",
		},
		{
			Code: NotApproved, Title: "The run was not approved",
			Means: "The question was answered with something other than yes. The run waits on.",
			Do:    "Ask again with `permesso runs approve RUN`, or end the run with `permesso runs cancel RUN`.",
		},
		{
			Code: NotConfirmed, Title: "It was not confirmed",
			Means: "The question was answered with something other than yes. Nothing was changed.",
			Do:    "Ask again with `permesso resume --after-restore`, or answer beforehand with `--yes`.",
		},
		{
			Code: TooManyToResend, Exit: 5, Title: "Too many unproven messages for one person",
			Means: "More people than `approvals.above` would get their message again, and a second person cannot approve that yet.",
			Do:    "Look first at why so many answers were lost. A new run of the campaign can be approved: `permesso run CAMPAIGN`.",
		},
		{
			Code: ResendUnconfirmed, Exit: 2, Title: "Nobody said yes to sending again",
			Means: "An unproven message may have arrived all the same, and who got it would get it twice.",
			Do:    "Repeat the command with `--yes` if that is worth it; or leave them: who is written to next hears of it anyway.",
		},
		{
			Code: RunWaits, Title: "What is left of the run waits for a time",
			Means: "Everybody who is left waits for more than two minutes: for the campaign's window, the end of quiet hours or room in a cap. The foreground does not stay for that.",
			Do:    "Let `permesso serve` run: it sends the rest at the time that was named.",
		},
		{
			Code: RunIncomplete, Title: "The run ended before all of it was sent",
			Means: "A part of the program failed while the run was under way; the cause was printed or logged beside it. The run stays as it is.",
			Do:    "Mend the cause, then let the run go on with `permesso runs resume RUN`.",
		},
	})
	wrongUse := in(AreaRunning, 2, []Entry{
		{
			Code: NoPublicURL, Title: "Nobody knows where the people's pages are reached",
			Means: "`contacts link` makes a link to a person's own page, and config.yaml does not say under which address it is reached from outside.",
			Do:    "Write `public_url: https://wa.aurora.example`, the address that leads to listen.webhook.",
		},
		{
			Code: NoTestPhones, Title: "There are no test phones",
			Means: "`run --test` sends to `test_phones` alone, and the configuration has none.",
			Do:    "Add your own number: `test_phones: [\"+393471234567\"]`.",
		},
		{
			Code: NotifyMissing, Title: "Nobody is told",
			Means: "`notify test` posts to `notify.url`, and the configuration has no `notify`.",
			Do:    "Write `notify: {url: https://ops.aurora.example/hook, secret: \"${NOTIFY_SECRET}\"}`; docs/NOTIFY.md says what is posted.",
		},
	})
	failed := in(AreaRunning, 1, []Entry{
		{
			Code: NotifyFailed, Title: "The receiver did not take the test",
			Means: "`notify.url` did not answer, or with something else than 2xx. Notices wait in the database until it does, for three days.",
			Do:    "Look at the receiver's log for the answer that was named; 401 and 403 mostly mean another secret. Then `permesso notify test` again.",
		},
		{
			Code: RetentionRuns, Title: "Another process deletes what is old",
			Means: "`permesso serve` deletes every hour what is older than `retention` keeps, and one process at a time does it.",
			Do:    "Wait until it is through, or leave it to that process.",
		},
		{
			Code: AddressInUse, Title: "Another program listens on the address",
			Means: "An address can have one listener. Often it is another `permesso serve`.",
			Do:    "Stop the other program, or change the address under `listen` in config.yaml.",
		},
		{
			Code: AddressUnusable, Title: "The address cannot be listened on",
			Means: "It is not one of this machine's, its port is below 1024 and needs a right, or it cannot be read.",
			Do:    "Correct the address, such as `127.0.0.1:8080`.",
		},
		{
			Code: StateDirUnusable, Title: "The state folder cannot be used",
			Means: "`state_dir` holds what must survive outside the database, and cannot be read or written.",
			Do:    "Check the owner and permissions of the folder, or correct `state_dir` in config.yaml.",
		},
		{
			Code: LedgerBroken, Title: "The consent ledger is not as it was recorded",
			Means: "Events of the ledger, or checkpoints of it in `state_dir`, were edited, moved or taken away since they were written; or a backup was put back, and lacks what came after it.",
			Do:    "`permesso consent verify` says what, and where. docs/LEDGER.md says what each finding means, and how a ledger is accepted as it stands.",
		},
		{
			Code: JournalDamaged, Title: "The suppression journal is damaged",
			Means: "A line in the middle of `state_dir`/suppressions.journal cannot be read, and whole lines follow it. Nothing is cut off or skipped, since a stop may stand there; nothing is sent.",
			Do:    "Put the file back from a copy. If the database itself was never restored, move the file away instead: the next start writes a new one from the database.",
		},
		{
			Code: LockUnusable, Title: "The lock beside the SQLite file cannot be taken",
			Means: "`serve` takes a lock on FILE.lock to be the only one, and the file cannot be made or locked.",
			Do:    "Check owner and permissions of the database's folder, and keep it on a local disk.",
		},
		{
			Code: ServiceFailed, Title: "A part of the service failed",
			Means: "A listener or a worker ended with an error, and the service stopped in good order with it.",
			Do:    "Read the error that was printed with it, mend the cause and start the service again.",
		},
		{
			Code: NoSuchRun, Title: "There is no such run",
			Means: "No run has this id; a run's id is not its campaign's.",
			Do:    "`permesso runs list` shows them.",
		},
		{
			Code: WrongRunState, Title: "The run is in another state",
			Means: "Only a paused run is resumed, only one that waits is approved, and one that is over is neither paused nor cancelled.",
			Do:    "Look with `permesso runs show RUN`; a run that is over is not opened again, `permesso run CAMPAIGN` makes a new one.",
		},
		{
			Code: NumberNotConfigured, Title: "The run's number is not configured any more",
			Means: "A run keeps its number to the end, and `numbers` in config.yaml no longer has it.",
			Do:    "Put the number back, or end the run with `permesso runs cancel RUN`.",
		},
		{
			Code: NothingToLift, Title: "There was no stop to lift",
			Means: "No stop of an operator or of a file holds for this number.",
			Do:    "`permesso suppress list` shows the stops that hold.",
		},
		{
			Code: NoReview, Title: "No text of this number waits to be read",
			Means: "No message of this person looked like an opt-out, or it was judged already, or the person wrote a plain stop or start since.",
			Do:    "`permesso reviews list` shows the texts that wait.",
		},
		{
			Code: PersonsOwnStop, Title: "Only the person can take this stop back",
			Means: "The stop came from the person or from WhatsApp itself. No operator and no file lifts it, and nothing was changed.",
			Do:    "If the person wants messages again, they write START or use their own page.",
		},
		{
			Code: NoReasonGiven, Title: "A stop is lifted only with a reason",
			Means: "The reason is kept in the audit log, so that it can be said later why somebody was written to again.",
			Do:    "Add `--reason WHY`.",
		},
		{
			Code: Undated, Title: "A record has no time",
			Means: "Of a consent or a stop without its time nobody could say whether it still holds. It was not stored.",
			Do:    "Give the moment at which the person acted.",
		},
		{
			Code: Internal, Title: "Something happened that permesso has no word for",
			Means: "The error was not foreseen. What was stored before it is kept, and in doubt nothing was sent.",
			Do:    "Report it with what was printed, the log, and the output of `permesso version`; take phone numbers and tokens out first.",
		},
	})
	return slices.Concat(halted, refused, incomplete, wrongUse, failed)
}
