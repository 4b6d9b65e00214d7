package store

import "regexp"

// lookups are the places where a query looks a table up by key for each row before it: {each TABLE ALIAS: CONDITION}.
// An UPDATE guards a state with a column of its batch, deliveries.state = x.was, and not with a constant: shown a constant,
// PostgreSQL goes by how many rows stood there at the last ANALYZE, and then walks all rows of a table that has changed since.
var lookups = regexp.MustCompile(`\{each (\w+) (\w+): ([^}]*)\}`)

// queries are the statements that take a batch; their {batch} is the dialect's table x.
type queries struct {
	addLifts, liftsOf                                                                 statement
	owners, addIdentifiers, loadIdentifiers, addPersons                               statement
	lock                                                                              statement
	gateRows, gateSuppressions, gateConsents, gateSends                               statement
	gateAllow, gateAllowPriced, gateRefuse, gateDefer, gateWritten                    statement
	backUnspent, unbook, unbooked, book                                               statement
	enqueue                                                                           statement
	setAside, recordBack, recordUnknown, addUnsettled, dropUnsettled, markUnproven    statement
	statusByAttempt, statusByWAMID, addMessages, applyStatus, recordAnswers, earlyFor statement
	keepEarly, dropEarly                                                              statement
	suppress, consentsThere, addWordings                                              statement
	consentsToErase, eraseConsents, chainOld, erasedOf                                statement
	stopsStanding, restoreStops, pastAttempts, issued, addOrphans                     statement
	contactsAsStored, changeContacts, namesOf, importedStops                          statement
	closeWaiting, optedOut                                                            statement
	contactsOf, rememberSends, dropMessages                                           statement
	importChanges, saveImportChanges, dropImportChanges                               statement
	dropContacts, dropIdentifiers, dropPersons, holds, inRun                          statement
	markReplied, cooldown, strike, inFlight, suppressionsOf, identifiersOf            statement
	openWindows, addAnswers, answersPast, answerStatuses, addReplies                  statement
}

// counting are the states that count in the caps: all from accepted on, what is in flight, and what is unknown.
const counting = "('sending', 'unknown', 'accepted', 'held', 'sent', 'delivered', 'read')"

// written are the messages whose people have a place in the messaging limit: all that Meta took, or may have, tests too.
const written = "(d.state IN " + counting + " OR d.accepted_at IS NOT NULL)"

func buildQueries(d dialect) queries {
	with := d.statement
	person, hash, attempt := bytesOf("person_id"), bytesOf("hash"), bytesOf("attempt_id")
	return queries{
		owners: with(`SELECT i.hash, i.person_id FROM {batch} {each identifiers i: i.hash = x.hash}`, hash),
		addIdentifiers: with(`INSERT INTO identifiers (hash, person_id, kind, value, created_at)
			SELECT x.hash, x.person_id, x.kind,
				CASE WHEN EXISTS (SELECT 1 FROM contacts c WHERE c.person_id = x.person_id AND c.erased_at IS NOT NULL) THEN '' ELSE x.value END, x.created_at
			FROM {batch} WHERE true ORDER BY x.hash ON CONFLICT (hash) DO NOTHING`,
			hash, person, textOf("kind"), textOf("value"), integerOf("created_at")),
		loadIdentifiers: with(`INSERT INTO identifiers (hash, person_id, kind, value, created_at)
			SELECT x.hash, x.person_id, x.kind, x.value, x.created_at FROM {batch} WHERE true ORDER BY x.hash ON CONFLICT (hash) DO NOTHING`,
			textOf("kind"), integerOf("created_at"), hash, person, textOf("value")),
		addPersons: with(`INSERT INTO persons (person_id) SELECT DISTINCT x.person_id FROM {batch} WHERE true ORDER BY x.person_id ON CONFLICT (person_id) DO NOTHING`, person),

		lock: with(d.lock, person),
		// The run is told per row: shown a constant one, both databases may walk all of its rows for each batch.
		gateRows: with(`SELECT d.person_id, d.state, d.attempt_id FROM {batch}
			{each deliveries d: d.run_id = x.run_id AND d.person_id = x.person_id}`, textOf("run_id"), person),
		gateSuppressions: with(`SELECT i.person_id, s.scope, s.origin, s.at, s.lifted_at FROM {batch}
			{each identifiers i: i.person_id = x.person_id} {each suppressions s: s.hash = i.hash}`, person),
		gateConsents: with(`SELECT c.person_id, c.category, c.action, c.at, c.source, COALESCE(c.event, 0) FROM {batch}
			{each consents c: c.person_id = x.person_id AND c.category = $2}`, person),
		gateSends: with(`SELECT d.person_id, d.sending_at, r.campaign_id, r.category, r.kind FROM {batch}
			{each deliveries d: d.person_id = x.person_id AND d.sending_at > $2}
			{each runs r: r.run_id = d.run_id} WHERE r.test = 0 AND d.state IN `+counting, person),
		gateWritten: with(`SELECT DISTINCT d.person_id FROM {batch}
			{each deliveries d: d.person_id = x.person_id AND d.sending_at > $2} WHERE `+written, person),
		gateAllow: with(`UPDATE deliveries SET state = 'sending', reason = NULL, attempt_id = x.attempt_id, language = x.language,
			consent_event = x.consent, sending_at = $2, changed_at = $2, attempts = deliveries.attempts + 1 FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was`,
			textOf("run_id"), person, textOf("was"), attempt, textOf("language"), integerOf("consent")),
		gateAllowPriced: with(`UPDATE deliveries SET state = 'sending', reason = NULL, attempt_id = x.attempt_id, language = x.language,
			sending_at = $2, changed_at = $2, attempts = deliveries.attempts + 1, consent_event = x.consent, list_price = x.list_price, list_category = x.list_category, booked = x.booked
			FROM {batch} WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was`,
			textOf("run_id"), person, textOf("was"), attempt, textOf("language"), integerOf("consent"), integerOf("list_price"), textOf("list_category"), integerOf("booked")),
		// What went back unsent has no sending_at; it is told by its attempt, and only once.
		backUnspent: with(`SELECT d.run_id, CAST(SUM(d.booked) AS BIGINT) AS paid FROM {batch} {each deliveries d: d.run_id = x.run_id AND d.person_id = x.person_id}
			WHERE d.attempt_id = x.attempt_id AND d.sending_at IS NULL AND d.booked IS NOT NULL GROUP BY d.run_id ORDER BY d.run_id`,
			textOf("run_id"), person, attempt),
		unbook: with(`UPDATE deliveries SET booked = NULL FROM {batch} WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id
			AND deliveries.attempt_id = x.attempt_id AND deliveries.sending_at IS NULL`, textOf("run_id"), person, attempt),
		unbooked: with(`SELECT d.run_id, CAST(SUM(d.list_price) AS BIGINT) AS paid FROM {batch} {each deliveries d: d.run_id = x.run_id AND d.person_id = x.person_id}
			JOIN budgets b ON b.run_id = d.run_id WHERE d.booked IS NULL AND d.list_price IS NOT NULL GROUP BY d.run_id ORDER BY d.run_id`, textOf("run_id"), person),
		book: with(`UPDATE deliveries SET booked = deliveries.list_price FROM {batch} WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id
			AND deliveries.booked IS NULL AND EXISTS (SELECT 1 FROM budgets b WHERE b.run_id = x.run_id)`, textOf("run_id"), person),
		gateRefuse: with(`UPDATE deliveries SET state = x.state, reason = x.reason, changed_at = $2 FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was`,
			textOf("run_id"), person, textOf("was"), textOf("state"), textOf("reason")),
		gateDefer: with(`UPDATE deliveries SET due_at = x.due_at, reason = x.reason, changed_at = $2 FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was`,
			textOf("run_id"), person, textOf("was"), textOf("reason"), integerOf("due_at")),

		setAside: with(`UPDATE deliveries SET state = 'failed', failed_at = $2, changed_at = $2, reason = NULL, error_code = 0,
			error_title = x.title, error_details = x.details FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was`,
			textOf("run_id"), person, textOf("was"), textOf("title"), textOf("details")),

		enqueue: with(`INSERT INTO deliveries (run_id, queued_at, person_id, state, reason, due_at)
			SELECT x.run_id, x.queued_at, x.person_id, x.state, x.reason, x.due_at FROM {batch} WHERE true ON CONFLICT (run_id, person_id) DO NOTHING`,
			textOf("run_id"), integerOf("queued_at"), person, textOf("state"), textOf("reason"), integerOf("due_at")),

		// Nothing waits in a run that is over: of one that was cancelled the row is cancelled, of one that is done it stays unknown.
		recordBack: with(`UPDATE deliveries SET state = CASE WHEN r.state = 'cancelled' THEN 'cancelled' ELSE 'queued' END,
			reason = CASE WHEN r.state = 'cancelled' THEN 'run_cancelled' ELSE NULLIF(deliveries.reason, 'unproven') END,
			due_at = $2 + x.wait, changed_at = $2, sending_at = NULL,
			attempts = deliveries.attempts - x.refund, error_code = x.code, error_title = x.title, error_details = x.details
			FROM {batch} JOIN runs r ON r.run_id = x.run_id
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.attempt_id = x.attempt_id
			AND deliveries.state IN ('sending', 'unknown') AND r.state <> 'done'`,
			textOf("run_id"), person, attempt, integerOf("wait"), integerOf("refund"), integerOf("code"), textOf("title"), textOf("details")),
		recordUnknown: with(`UPDATE deliveries SET state = 'unknown', changed_at = $2 FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.attempt_id = x.attempt_id
			AND deliveries.state = x.was`,
			textOf("run_id"), person, textOf("was"), attempt),

		addUnsettled: with(`INSERT INTO unsettled (attempt_id, run_id, person_id) SELECT x.attempt_id, x.run_id, x.person_id
			FROM {batch} WHERE true ON CONFLICT (attempt_id) DO NOTHING`, textOf("run_id"), person, textOf("was"), attempt),
		dropUnsettled: with(`DELETE FROM unsettled WHERE attempt_id IN <(SELECT x.attempt_id FROM {batch})>`, attempt),
		markUnproven: with(`UPDATE deliveries SET reason = 'unproven', changed_at = $2 FROM {batch}
			WHERE deliveries.attempt_id = x.attempt_id AND deliveries.state = 'unknown' AND deliveries.reason IS NULL`, attempt),

		statusByAttempt: with(`SELECT d.run_id, d.person_id, d.state, d.wamid, d.attempt_id, d.attempts FROM {batch}
			{each deliveries d: d.attempt_id = x.attempt_id}`, attempt),
		statusByWAMID: with(`SELECT d.run_id, d.person_id, d.state, m.wamid, d.attempt_id, d.attempts FROM {batch}
			{each messages m: m.wamid = x.wamid} {each deliveries d: d.run_id = m.run_id AND d.person_id = m.person_id}`, textOf("wamid")),
		addMessages: with(`INSERT INTO messages (wamid, run_id, person_id) SELECT x.wamid, x.run_id, x.person_id FROM {batch} WHERE true
			ORDER BY x.wamid ON CONFLICT (wamid, run_id, person_id) DO NOTHING`, textOf("wamid"), textOf("run_id"), person),
		applyStatus: with(`UPDATE deliveries SET state = x.state, changed_at = $2, wamid = COALESCE(deliveries.wamid, x.wamid),
			reason = CASE WHEN deliveries.state IN ('unknown', 'queued') THEN NULL ELSE deliveries.reason END,
			sending_at = COALESCE(deliveries.sending_at, $2),
			accepted_at = COALESCE(deliveries.accepted_at, x.accepted_at),
			sent_at = COALESCE(deliveries.sent_at, x.sent_at), delivered_at = COALESCE(deliveries.delivered_at, x.delivered_at),
			read_at = COALESCE(deliveries.read_at, x.read_at), failed_at = COALESCE(deliveries.failed_at, x.failed_at),
			error_code = COALESCE(x.code, deliveries.error_code), error_title = COALESCE(x.title, deliveries.error_title),
			error_details = COALESCE(x.details, deliveries.error_details), billable = COALESCE(x.billable, deliveries.billable),
			price_category = COALESCE(x.price_category, deliveries.price_category), price_model = COALESCE(x.price_model, deliveries.price_model),
			heard_at = COALESCE(deliveries.heard_at, x.heard_at)
			FROM {batch} WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was`,
			textOf("run_id"), person, textOf("was"), textOf("state"), textOf("wamid"), integerOf("accepted_at"), integerOf("sent_at"), integerOf("delivered_at"),
			integerOf("read_at"), integerOf("failed_at"), integerOf("code"), textOf("title"), textOf("details"), integerOf("billable"),
			textOf("price_category"), textOf("price_model"), integerOf("heard_at")),
		// recordAnswers is applyStatus for Meta's yes to our own posts, most of what is written, with a third of its columns.
		recordAnswers: with(`UPDATE deliveries SET state = x.state, changed_at = $2, accepted_at = $2, wamid = COALESCE(deliveries.wamid, x.wamid) FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was AND deliveries.attempt_id = x.attempt_id`,
			textOf("run_id"), person, textOf("was"), textOf("state"), textOf("wamid"), attempt),
		earlyFor:  with(`SELECT e2.status FROM {batch} {each early_statuses e2: e2.wamid = x.wamid}`, textOf("wamid")),
		dropEarly: with(`DELETE FROM early_statuses WHERE wamid IN <(SELECT x.wamid FROM {batch})>`, textOf("wamid")),
		keepEarly: with(`INSERT INTO early_statuses (wamid, state, at, status, received_at)
			SELECT x.wamid, x.state, x.at, x.status, $2 FROM {batch} WHERE true ON CONFLICT (wamid, state, at) DO NOTHING`,
			textOf("wamid"), textOf("state"), integerOf("at"), textOf("status")),

		suppress: with(`INSERT INTO suppressions (hash, scope, origin, value, reason, source, at, recorded_at, change)
			SELECT x.hash, x.scope, x.origin, CASE WHEN x.gone THEN '' ELSE x.value END, CASE WHEN x.gone THEN '' ELSE x.reason END,
				CASE WHEN x.gone THEN '' ELSE x.source END, x.at, $2, $3
			FROM (SELECT x.*, EXISTS (SELECT 1 FROM identifiers i JOIN contacts c ON c.person_id = i.person_id
				WHERE i.hash = x.hash AND c.erased_at IS NOT NULL) AS gone FROM {batch}) AS x WHERE true ORDER BY x.hash, x.scope, x.origin
			ON CONFLICT (hash, scope, origin) DO UPDATE SET at = excluded.at, source = excluded.source, reason = excluded.reason, change = excluded.change
			WHERE suppressions.at < excluded.at`,
			hash, textOf("scope"), textOf("origin"), textOf("value"), textOf("reason"), textOf("source"), integerOf("at")),
		stopsStanding: with(`SELECT s.change, s.hash, s.scope, s.origin, s.reason, s.source, s.at, s.lifted_at FROM {batch}
			{each suppressions s: s.hash = x.hash AND s.scope = x.scope AND s.origin = x.origin}`, hash, textOf("scope"), textOf("origin")),
		// What is written is joined already with what stands there.
		restoreStops: with(`INSERT INTO suppressions (hash, scope, origin, value, reason, source, at, lifted_at, recorded_at, change)
			SELECT x.hash, x.scope, x.origin, '', x.reason, x.source, x.at, x.lifted_at, $2, $3 FROM {batch} WHERE true ORDER BY x.hash, x.scope, x.origin
			ON CONFLICT (hash, scope, origin) DO UPDATE SET at = excluded.at, lifted_at = excluded.lifted_at,
				source = CASE WHEN excluded.source = '' THEN suppressions.source ELSE excluded.source END,
				reason = CASE WHEN excluded.reason = '' THEN suppressions.reason ELSE excluded.reason END, change = excluded.change`,
			hash, textOf("scope"), textOf("origin"), textOf("reason"), textOf("source"), integerOf("at"), integerOf("lifted_at")),
		pastAttempts: with(`INSERT INTO past_attempts (attempt_id, ended_at) SELECT x.attempt_id, $2 FROM {batch} WHERE true ORDER BY x.attempt_id
			ON CONFLICT (attempt_id) DO NOTHING`, attempt),
		issued: with(`SELECT x.attempt_id FROM {batch} WHERE EXISTS (SELECT 1 FROM deliveries d WHERE d.attempt_id = x.attempt_id)
			OR EXISTS (SELECT 1 FROM past_attempts p WHERE p.attempt_id = x.attempt_id)`, attempt),
		addOrphans: with(`INSERT INTO orphans (attempt_id, wamid, state, received_at) SELECT x.attempt_id, x.wamid, x.state, $2 FROM {batch} WHERE true
			ORDER BY x.attempt_id ON CONFLICT (attempt_id) DO NOTHING`, attempt, textOf("wamid"), textOf("state")),
		addLifts: with(`INSERT INTO lifts (hash, kind, scope, at) SELECT x.hash, x.kind, x.scope, x.at FROM {batch} WHERE true ORDER BY x.hash
			ON CONFLICT (hash, kind, scope) DO UPDATE SET at = excluded.at WHERE lifts.at < excluded.at`,
			hash, textOf("kind"), textOf("scope"), integerOf("at")),
		liftsOf: with(`SELECT i.person_id, l.kind, l.scope, l.at FROM {batch} {each identifiers i: i.person_id = x.person_id}
			{each lifts l: l.hash = i.hash}`, person),
		addWordings: with(`INSERT INTO wordings (hash, text) SELECT x.hash, x.text FROM {batch} WHERE true ORDER BY x.hash ON CONFLICT (hash) DO NOTHING`,
			hash, textOf("text")),
		consentsThere: with(`SELECT x.n FROM {batch} {each consents c: c.person_id = x.person_id AND c.category = x.category AND c.at = x.at AND c.event_id = x.event_id}`,
			integerOf("n"), person, textOf("category"), integerOf("at"), bytesOf("event_id")),
		consentsToErase: with(`SELECT c.person_id, c.category, c.at, c.event_id, c.evidence, c.ip, c.agent, c.salt, c.personal, c.recorded_at FROM {batch}
			{each consents c: c.person_id = x.person_id}`, person),
		eraseConsents: with(`UPDATE consents SET evidence = '', ip = '', agent = '', salt = NULL, event_id = x.random, personal = x.personal FROM {batch}
			WHERE consents.person_id = x.person_id AND consents.category = x.category AND consents.at = x.at AND consents.event_id = x.event_id`,
			person, textOf("category"), integerOf("at"), bytesOf("event_id"), bytesOf("random"), bytesOf("personal")),
		erasedOf: with(`SELECT x.person_id FROM {batch} {each contacts c: c.person_id = x.person_id} WHERE c.erased_at IS NOT NULL`, person),
		chainOld: with(`UPDATE consents SET event = x.event, link = x.link, salt = x.salt FROM {batch}
			WHERE consents.person_id = x.person_id AND consents.category = x.category AND consents.at = x.at AND consents.event_id = x.event_id AND consents.event IS NULL`,
			person, textOf("category"), integerOf("at"), bytesOf("event_id"), integerOf("event"), bytesOf("link"), bytesOf("salt")),
		rememberSends: with(`UPDATE persons SET sent_at = CASE WHEN COALESCE(persons.sent_at, 0) < x.sent_at THEN x.sent_at ELSE persons.sent_at END,
			delivered_at = CASE WHEN COALESCE(persons.delivered_at, 0) < COALESCE(x.delivered_at, 0) THEN x.delivered_at ELSE persons.delivered_at END
			FROM {batch} WHERE persons.person_id = x.person_id`, person, integerOf("sent_at"), integerOf("delivered_at")),
		dropMessages:     with(`DELETE FROM messages WHERE run_id = $2 AND wamid IN <(SELECT x.wamid FROM {batch})>`, textOf("wamid")),
		contactsOf:       with(`SELECT `+contactColumns+` FROM {batch} {each contacts c: c.person_id = x.person_id}`, person),
		contactsAsStored: with(`SELECT `+contactColumns+`, c.created_at, c.updated_at FROM {batch} {each contacts c: c.person_id = x.person_id}`, person),
		// The row that was merged is the row that is written over, or none: updated_at only grows.
		changeContacts: with(`UPDATE contacts SET phone = x.phone, name = x.name, language = x.language, timezone = x.timezone,
			external_id = x.external_id, tags = x.tags, attributes = x.attributes, country = x.country, zones = x.zones, main_zone = x.main_zone,
			updated_at = x.updated_at FROM {batch}
			WHERE contacts.person_id = x.person_id AND contacts.updated_at = x.was AND contacts.erased_at IS NULL`,
			person, textOf("phone"), textOf("name"), textOf("language"), textOf("timezone"), textOf("external_id"), textOf("tags"),
			textOf("attributes"), textOf("country"), textOf("zones"), textOf("main_zone"), integerOf("was"), integerOf("updated_at")),
		importChanges: with(`SELECT c.import_id, c.person_id, c.was, c.version, c.fields FROM {batch}
			{each import_changes c: c.import_id = x.import_id AND c.person_id = x.person_id}`, textOf("import_id"), person),
		saveImportChanges: with(`INSERT INTO import_changes (import_id, person_id, was, version, fields)
			SELECT x.import_id, x.person_id, x.was, x.version, x.fields FROM {batch} WHERE true ORDER BY x.import_id, x.person_id
			ON CONFLICT (import_id, person_id) DO UPDATE SET was = excluded.was, version = excluded.version, fields = excluded.fields`,
			textOf("import_id"), person, integerOf("was"), integerOf("version"), textOf("fields")),
		dropImportChanges: with(`DELETE FROM import_changes WHERE import_id = $2 AND person_id IN <(SELECT x.person_id FROM {batch})>`, person),
		// The row that was judged is the row that goes, or none.
		dropContacts: with(`DELETE FROM contacts WHERE person_id IN <(SELECT x.person_id FROM {batch} {each contacts c: c.person_id = x.person_id}
			WHERE c.updated_at = x.updated_at AND c.erased_at IS NULL)>`, person, integerOf("updated_at")),
		dropIdentifiers: with(`DELETE FROM identifiers WHERE person_id IN <(SELECT x.person_id FROM {batch})>`, person),
		dropPersons:     with(`DELETE FROM persons WHERE person_id IN <(SELECT x.person_id FROM {batch})>`, person),
		// What hangs on a person besides a contact: a consent, a stop or its end, something that they wrote or that Meta said of them,
		// or an identifier that came otherwise than with the contact.
		holds: with(`SELECT x.person_id FROM {batch} WHERE EXISTS (SELECT 1 FROM consents c WHERE c.person_id = x.person_id)
			OR EXISTS (SELECT 1 FROM persons p WHERE p.person_id = x.person_id AND (p.review_at IS NOT NULL OR p.cooldown_until IS NOT NULL
				OR p.strikes > 0 OR p.replied_at IS NOT NULL))
			OR EXISTS (SELECT 1 FROM identifiers i WHERE i.person_id = x.person_id AND (i.kind <> 'phone' OR i.created_at <> x.created_at
				OR EXISTS (SELECT 1 FROM suppressions s WHERE s.hash = i.hash) OR EXISTS (SELECT 1 FROM lifts l WHERE l.hash = i.hash)))`,
			person, integerOf("created_at")),
		inRun:   with(`SELECT d.person_id FROM {batch} {each deliveries d: d.run_id = x.run_id AND d.person_id = x.person_id}`, textOf("run_id"), person),
		namesOf: with(`SELECT i.person_id, i.hash, i.kind, i.value FROM {batch} {each identifiers i: i.person_id = x.person_id}`, person),
		// The run comes with each row, and not as one constant: of a run that was written since the last ANALYZE PostgreSQL expects
		// a handful of rows, and would read the whole run for each of these (1,000 people of a run of 40,000: 20 s against 10 ms).
		closeWaiting: with(`UPDATE deliveries SET state = 'skipped', reason = 'suppressed', changed_at = $2 FROM {batch}
			WHERE deliveries.run_id = x.run_id AND deliveries.person_id = x.person_id AND deliveries.state = x.was`, textOf("run_id"), person, textOf("was")),
		optedOut: with(`SELECT DISTINCT d.person_id FROM {batch} {each deliveries d: d.run_id = x.run_id AND d.person_id = x.person_id}
			WHERE d.state IN ('accepted', 'held', 'sent', 'delivered', 'read') AND x.at >= d.sending_at - d.sending_at % 1000000 AND d.sending_at > $2
			AND NOT EXISTS (SELECT 1 FROM deliveries later WHERE later.person_id = d.person_id AND later.sending_at > d.sending_at
				AND later.sending_at <= x.at AND later.state IN `+counting+`)`, textOf("run_id"), person, integerOf("at")),
		importedStops: with(`SELECT s.hash, s.scope, s.at, s.lifted_at FROM {batch} {each suppressions s: s.hash = x.hash AND s.scope = x.scope
			AND s.origin = 'import'}`, hash, textOf("scope")),
		markReplied: with(`UPDATE persons SET replied_at = x.at FROM {batch}
			WHERE persons.person_id = x.person_id AND COALESCE(persons.replied_at, 0) < x.at`, person, integerOf("at")),
		cooldown: with(`UPDATE persons SET cooldown_until = x.until FROM {batch}
			WHERE persons.person_id = x.person_id AND COALESCE(persons.cooldown_until, 0) < x.until`, person, integerOf("until")),
		strike:   with(`UPDATE persons SET strikes = persons.strikes + x.n FROM {batch} WHERE persons.person_id = x.person_id`, person, integerOf("n")),
		inFlight: with(`SELECT count(*) FROM {batch} {each deliveries d: d.person_id = x.person_id AND d.sending_at > $2} WHERE d.state = 'sending'`, person),
		openWindows: with(`INSERT INTO windows (person_id, number_id, open_until) SELECT x.person_id, x.number_id, x.open_until FROM {batch} WHERE true
			ORDER BY x.person_id, x.number_id ON CONFLICT (person_id, number_id) DO UPDATE SET open_until = excluded.open_until
			WHERE windows.open_until < excluded.open_until`, person, textOf("number_id"), integerOf("open_until")),
		addAnswers: with(`INSERT INTO answers (answer_id, asked_by, person_id, to_hash, number_id, kind, scope, language, message_id, asked_at, due_at)
			SELECT x.answer_id, x.asked_by, x.person_id, x.to_hash, x.number_id, x.kind, x.scope, x.language, x.message_id, x.asked_at, x.due_at FROM {batch} WHERE true
			ORDER BY x.asked_by ON CONFLICT (asked_by) DO NOTHING`,
			bytesOf("answer_id"), bytesOf("asked_by"), person, bytesOf("to_hash"), textOf("number_id"), textOf("kind"), textOf("scope"), textOf("language"),
			textOf("message_id"), integerOf("asked_at"), integerOf("due_at")),
		answersPast: with(`SELECT a.person_id, a.kind, a.scope, a.state, a.asked_at FROM {batch} {each answers a: a.person_id = x.person_id AND a.asked_at > $2}`, person),
		addReplies: with(`INSERT INTO replies (reply_id, person_id, at, received_at, place, context_wamid, data, next_at)
			SELECT x.reply_id, x.person_id, x.at, x.received_at, x.place, x.context_wamid, x.data, x.next_at FROM {batch} WHERE true
			ORDER BY x.reply_id ON CONFLICT (reply_id) DO NOTHING`,
			bytesOf("reply_id"), person, integerOf("at"), integerOf("received_at"), integerOf("place"), textOf("context_wamid"), textOf("data"), integerOf("next_at")),
		// What was delivered beats a failure, and a failure what merely left, whichever came first.
		answerStatuses: with(`UPDATE answers SET wamid = COALESCE(answers.wamid, x.wamid),
			reason = CASE WHEN x.went = 2 OR answers.reason = 'delivered' THEN 'delivered' WHEN x.went = 1 THEN answers.reason ELSE x.code END,
			state = CASE WHEN x.went = 2 OR answers.reason = 'delivered' THEN 'sent' WHEN x.went = 1 AND answers.state <> 'failed' THEN 'sent' ELSE 'failed' END
			FROM {batch} WHERE answers.answer_id = x.answer_id AND answers.state IN ('sending', 'unknown', 'sent', 'failed')`,
			bytesOf("answer_id"), textOf("wamid"), integerOf("went"), textOf("code")),
		identifiersOf: with(`SELECT i.hash, i.kind, i.value FROM {batch} {each identifiers i: i.person_id = x.person_id}`, person),
		suppressionsOf: with(`SELECT i.person_id, i.hash, i.kind, i.value, s.scope, s.origin, s.reason, s.source, s.at, s.lifted_at FROM {batch}
			{each identifiers i: i.person_id = x.person_id} {each suppressions s: s.hash = i.hash} ORDER BY s.at`, person),
	}
}
