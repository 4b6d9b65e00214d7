package main

// mutant is one deliberate bug, and who must find it.
type mutant struct {
	name, what         string
	scenario, database string
	breaks             []string // the invariants by one of which it is to be found
	edits              []edit
}

// edit replaces a text that occurs once in a file of the module.
type edit struct{ file, old, mutated string }

// mutants are the bugs that the proof must notice.
var mutants = []mutant{
	{
		name: "gate-without-suppressions", what: "the gate takes the plan's word that nobody has stopped",
		scenario: "planning", database: "postgres", breaks: []string{"after_stop"},
		edits: []edit{
			{"internal/store/gate.go",
				"func() error { return s.readSuppressions(ctx, tx, &b, f.people) },",
				`func() error {
			for _, person := range f.people {
				person.SuppressionsRead = true
			}
			return nil
		},`},
		},
	},
	{
		name: "gate-without-lock", what: "the gate does not take the lock rows of its people",
		scenario: "cap", database: "postgres", breaks: []string{"cap"},
		edits: []edit{
			{"internal/store/dialect.go",
				`	lock: ` + "`" + `INSERT INTO persons (person_id, touched) SELECT x.person_id, $2 FROM {batch} ORDER BY x.person_id
		ON CONFLICT (person_id) DO UPDATE SET touched = excluded.touched RETURNING ` + "`" + ` + personFacts,`,
				`	lock: ` + "`" + `SELECT ` + "`" + ` + personFacts + ` + "`" + ` FROM persons WHERE person_id IN (SELECT x.person_id FROM {batch}) AND CAST($2 AS BIGINT) = $2` + "`" + `,`},
		},
	},
	{
		name: "gate-without-compare", what: "the gate writes sending over whatever state the row has; the lease, which only paces, is out of the way",
		scenario: "freeze", database: "postgres", breaks: []string{"once"},
		edits: []edit{
			{"internal/store/leases.go",
				"return held, taken, nil",
				"return true, taken, nil"},
			{"internal/store/queries.go",
				`attempts = deliveries.attempts + 1 FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was` + "`" + ``,
				`attempts = deliveries.attempts + 1 FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND x.was = x.was` + "`" + ``},
		},
	},
	{
		name: "acknowledged-before-commit", what: "the receiver answers 200 before anything is stored",
		scenario: "chaos", database: "sqlite", breaks: []string{"stop_kept", "after_stop"},
		edits: []edit{
			{"internal/webhook/receiver.go",
				"	answer.Status = r.store(req.Context(), newPending(box, max(held, int64(len(raw)))), held)",
				`	go r.store(context.WithoutCancel(req.Context()), newPending(box, max(held, int64(len(raw)))), held)
	answer.Status = http.StatusOK`},
		},
	},
	{
		name: "ambiguous-retried", what: "a message whose answer was lost is sent again",
		scenario: "lost", database: "sqlite", breaks: []string{"once"},
		edits: []edit{
			{"sender/backoff.go",
				`	case NotSent:
		if result.Late {`,
				`	case NotSent, Ambiguous:
		if result.Late {`},
		},
	},
	{
		name: "cursor-instead-of-rows", what: "a run is over when its reader came to the end, whatever its rows say",
		scenario: "lost", database: "sqlite", breaks: []string{"none_lost"},
		edits: []edit{
			{"internal/store/runs.go",
				"WHERE run_id = $1 AND state IN ('queued', 'sending') LIMIT 1",
				"WHERE run_id = $1 AND state = 'sending' LIMIT 1"},
		},
	},
	{
		name: "lease-trusted", what: "what a dead holder left in sending is queued again",
		scenario: "kill", database: "sqlite", breaks: []string{"once"},
		edits: []edit{
			{"internal/store/queries.go",
				`recordUnknown: with(` + "`" + `UPDATE deliveries SET state = 'unknown', changed_at = $2`,
				`recordUnknown: with(` + "`" + `UPDATE deliveries SET state = 'queued', changed_at = $2`},
		},
	},
	{
		name: "outcome-fenced-by-lease", what: "an outcome is recorded only while the lease is held",
		scenario: "freeze", database: "postgres", breaks: []string{"unknown"},
		edits: []edit{
			{"sender/record.go",
				`		err := l.o.Ledger.Record(ctx, outcomes)
`,
				`		var err error
		if held, _, failure := l.o.Leases.Hold(ctx, l.o.NumberID, l.o.Holder, leaseSpan); failure == nil && held {
			err = l.o.Ledger.Record(ctx, outcomes)
		}
`},
		},
	},
	{
		name: "limiter-refilled", what: "a takeover begins with a full second of tokens",
		scenario: "restarts", database: "sqlite", breaks: []string{"pace"},
		edits: []edit{
			{"sender/pace.go",
				`	p.limiter = rate.NewLimiter(p.allowed(), p.burst)
	p.limiter.AllowN(now, p.burst)
`,
				`	p.limiter = rate.NewLimiter(p.allowed(), int(limit))
`},
		},
	},
	{
		name: "caps-count-accepted-only", what: "messages in flight and unknown ones do not count in the caps",
		scenario: "cap", database: "sqlite", breaks: []string{"cap"},
		edits: []edit{
			{"internal/store/queries.go",
				`const counting = "('sending', 'unknown', 'accepted',`,
				`const counting = "('accepted',`},
		},
	},
	{
		name: "stop-by-phone-alone", what: "a stop that names a user id alone finds nobody",
		scenario: "stops", database: "sqlite", breaks: []string{"stop_kept"},
		edits: []edit{
			{"internal/store/identity.go",
				`	if i.UserID != "" {
		names`,
				`	if i.UserID != "" && i.Phone != "" {
		names`},
		},
	},
	{
		name: "stop-by-written-form", what: "a number is looked for in the form in which it was written",
		scenario: "stops", database: "sqlite", breaks: []string{"stop_kept", "after_stop"},
		edits: []edit{
			{"internal/store/identity.go",
				`	canonical := string(number.Canonical())
	return identifier`,
				`	canonical := string(number)
	return identifier`},
		},
	},
	{
		name: "last-write-wins", what: "the status that comes last is the state",
		scenario: "disorder", database: "sqlite", breaks: []string{"lattice"},
		edits: []edit{
			{"sender/state.go",
				`	if s.CanBecome(t) {
		return t
	}
	return s
}`,
				`	return t
}`},
		},
	},
	{
		name: "commits-unsynced", what: "a commit is acknowledged before it is on the disk",
		scenario: "server", database: "postgres", breaks: []string{"once", "stop_kept", "on_record"},
		edits: []edit{
			{"internal/store/store.go",
				`query.Set("synchronous_commit", "on")`,
				`query.Set("synchronous_commit", "off")`},
		},
	},
	{
		name: "senders-first", what: "when the database comes back, messages go out before the stops that came meanwhile are stored",
		scenario: "outage", database: "postgres", breaks: []string{"after_stop"},
		edits: []edit{
			{"internal/app/heedful.go",
				`h.owes() && sender.Sleep(ctx, look)`,
				`false && sender.Sleep(ctx, look)`},
		},
	},
	{
		name: "log-synced-late", what: "SQLite's log is on the disk only some time after the commit",
		scenario: "power", database: "sqlite", breaks: []string{"on_record", "stop_kept"},
		edits: []edit{
			{"internal/store/store.go",
				`synchronous(FULL)`,
				`synchronous(NORMAL)`},
		},
	},
	{
		name: "begins-at-leisure", what: "a POST may begin long after its gate",
		scenario: "stops", database: "sqlite", breaks: []string{"after_stop"},
		edits: []edit{
			{"sender/sender.go",
				`const BeginWithin = time.Second
`,
				`const BeginWithin = time.Minute
`},
		},
	},
	{
		name: "acknowledged-in-flight", what: "a stop is acknowledged while a message to the person may still begin",
		scenario: "stops", database: "postgres", breaks: []string{"after_stop"},
		edits: []edit{
			{"internal/webhook/commit.go",
				`	if len(stopped) == 0 {
		for _, p := range batch {`,
				`	if len(stopped) >= 0 {
		for _, p := range batch {`},
		},
	},
	{
		name: "callback-ignored", what: "a status finds its message by Meta's id alone",
		scenario: "lost", database: "sqlite", breaks: []string{"settled"},
		edits: []edit{
			{"internal/store/heard.go",
				"if id, ok := s.parseCallback(status.Callback); ok {",
				`if id, ok := s.parseCallback(status.Callback); ok && status.WAMID == "" {`},
		},
	},
	{
		name: "nothing-settled", what: "what a dead process left in sending stays there",
		scenario: "kill", database: "sqlite", breaks: []string{"none_lost"},
		edits: []edit{
			{"internal/store/leases.go",
				`WHERE d.state = 'sending' AND d.sending_at <= $2
`,
				`WHERE d.state = 'sending' AND d.sending_at <= $2 - $3
`},
		},
	},
	{
		name: "failure-stays", what: "a delivery does not beat a failure that was reported first",
		scenario: "disorder", database: "sqlite", breaks: []string{"lattice"},
		edits: []edit{
			{"sender/state.go",
				`	Failed:    {Delivered, Read},
`,
				`	Failed:    {Read},
`},
		},
	},
	{
		name: "overtaken-ignored", what: "a report that another process overtook is dropped",
		scenario: "disorder", database: "postgres", breaks: []string{"lattice", "settled"},
		edits: []edit{
			{"internal/store/heard.go",
				`	if !complete {
		return nil, nil,`,
				`	if !complete && len(changes) == 0 {
		return nil, nil,`},
		},
	},
	{
		name: "failure-counts-twice", what: "a failure that is reported again counts again",
		scenario: "disorder", database: "sqlite", breaks: []string{"counted"},
		edits: []edit{
			{"internal/store/heard.go",
				"if c.err == nil || c.state != sender.Failed || c.was == sender.Failed {",
				"if c.err == nil || c.state != sender.Failed {"},
		},
	},
	{
		name: "times-overwritten", what: "a later report forgets the times of the earlier ones",
		scenario: "disorder", database: "sqlite", breaks: []string{"lattice"},
		edits: []edit{
			{"internal/store/queries.go",
				"sent_at = COALESCE(deliveries.sent_at, x.sent_at), delivered_at = COALESCE(deliveries.delivered_at, x.delivered_at),",
				"sent_at = x.sent_at, delivered_at = x.delivered_at,"},
		},
	},
	{
		name: "noted-afterwards", what: "the gate lets messages go and notes nothing",
		scenario: "kill", database: "sqlite", breaks: []string{"once", "on_record"},
		edits: []edit{
			{"internal/store/gate.go",
				"{s.queries.gateDefer, &wait}, {letThrough, &allow}} {",
				"{s.queries.gateDefer, &wait}, {letThrough, &batch{}}} {"},
		},
	},
	{
		name: "caps-per-campaign", what: "a cap counts the messages of its own campaign alone",
		scenario: "cap", database: "sqlite", breaks: []string{"cap"},
		edits: []edit{
			{"internal/store/gate.go",
				"func() error { return s.readSends(ctx, tx, &b, f.now.time().Add(-longestCap(run.Rules)), f.people) },",
				`func() error {
			err := s.readSends(ctx, tx, &b, f.now.time().Add(-longestCap(run.Rules)), f.people)
			for _, person := range f.people {
				var own []policy.Send
				for _, send := range person.Sends {
					if send.Campaign == run.Ask.Campaign {
						own = append(own, send)
					}
				}
				person.Sends = own
			}
			return err
		},`},
		},
	},
	{
		name: "gate-without-sends", what: "the gate takes the plan's word for the caps",
		scenario: "cap", database: "sqlite", breaks: []string{"cap"},
		edits: []edit{
			{"internal/store/gate.go",
				"func() error { return s.readSends(ctx, tx, &b, f.now.time().Add(-longestCap(run.Rules)), f.people) },",
				`func() error {
			for _, person := range f.people {
				person.SendsRead = true
			}
			return nil
		},`},
		},
	},
	{
		name: "gate-without-consents", what: "the gate takes the plan's word for the consents",
		scenario: "consents", database: "sqlite", breaks: []string{"consented"},
		edits: []edit{
			{"internal/store/gate.go",
				"func() error { return s.readConsents(ctx, tx, &b, run.Ask.Category, f.people) },",
				`func() error {
			for _, person := range f.people {
				given := policy.Consent{Action: policy.Granted, At: f.now.time().Add(-time.Hour), Source: "plan"}
				person.Consents[run.Ask.Category] = policy.Consent{}.After(given)
				person.ConsentsRead = true
			}
			return nil
		},`},
		},
	},
	{
		name: "cut-answer-is-unsent", what: "an answer that was cut off is taken for a message that never left",
		scenario: "lost", database: "sqlite", breaks: []string{"once"},
		edits: []edit{
			{"internal/graph/send.go",
				`return sender.Result{Fate: sender.Ambiguous, Cause: fmt.Errorf("posting a message: its answer was lost`,
				`return sender.Result{Fate: sender.NotSent, Cause: fmt.Errorf("posting a message: its answer was lost`},
		},
	},
	{
		name: "gateway-error-is-unsent", what: "an error page without a word of Meta is taken for a refusal",
		scenario: "lost", database: "sqlite", breaks: []string{"once"},
		edits: []edit{
			{"internal/graph/send.go",
				"return sender.Result{Fate: sender.Ambiguous, Cause: cause}",
				"return sender.Result{Fate: sender.NotSent, Cause: cause}"},
		},
	},
	{
		name: "acknowledged-unstored", what: "a webhook that could not be stored is acknowledged",
		scenario: "outage", database: "sqlite", breaks: []string{"stop_kept", "after_stop"},
		edits: []edit{
			{"internal/webhook/receiver.go",
				`	if !v.stored {
		return http.StatusServiceUnavailable`,
				`	if !v.stored {
		return http.StatusOK`},
		},
	},
	{
		name: "own-commit-forgotten", what: "a gate whose commit was cut off takes its own rows for another's",
		scenario: "commit", database: "postgres", breaks: []string{"none_lost", "unknown"},
		edits: []edit{
			{"internal/store/gate.go",
				"case at.state == sender.Sending && at.had && at.attempt == row.AttemptID:",
				"case at.state == sender.Sending && !at.had:"},
		},
	},
	{
		name: "replayed-by-the-library", what: "net/http may send a request again when its connection dies",
		scenario: "wire", database: "sqlite", breaks: []string{"once"},
		edits: []edit{
			{"internal/graph/send.go",
				`req.Header["Content-Type"] = []string{"application/json"}`,
				`req.Header["Content-Type"], req.Header["Idempotency-Key"] = []string{"application/json"}, []string{"x"}`},
			{"internal/graph/exchange.go",
				`	case x.on != nil:
		err = errReplay`,
				`	case x.on != nil && x.over:
		err = errReplay`},
		},
	},
	{
		name: "slot-for-everybody", what: "each scheduler makes a run of its own for a slot",
		scenario: "ticks", database: "postgres", breaks: []string{"one_run"},
		edits: []edit{
			{"internal/store/runs.go",
				`	if run.Occurrence == "" {
		run.Occurrence = scheduler.ManualOccurrence(run.ID)
	}`,
				`	run.Occurrence += scheduler.ManualOccurrence(run.ID)`},
		},
	},
	{
		name: "poison-for-ever", what: "a row that cannot be sent is met again and again",
		scenario: "poison", database: "sqlite", breaks: []string{"none_lost"},
		edits: []edit{
			{"sender/line.go",
				`		if err := l.setAside(ctx, f); err != nil {
			return err
		}
`,
				""},
		},
	},
	{
		name: "ends-at-once", what: "a sender that is to stop does not wait for the answers on their way",
		scenario: "rolling", database: "postgres", breaks: []string{"unknown"},
		edits: []edit{
			{"sender/line.go",
				"if !within(drainFor, l.working.Wait) {",
				"if !within(time.Nanosecond, l.working.Wait) {"},
		},
	},
}
