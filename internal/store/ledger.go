package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/policy"
)

// SealWith has the store chain what it appends to the consent ledger with the key that keys returns; it is asked when the first
// event is appended, and again until it answers. A store that was told none seals with a key of its own that nobody else has: its
// events can be read, and never be verified.
func (s *Store) SealWith(key func(context.Context) (ledger.Key, error)) {
	s.seal.Lock()
	defer s.seal.Unlock()
	s.sealer, s.key = key, nil
}

func (s *Store) ledgerKey(ctx context.Context) (ledger.Key, error) {
	s.seal.Lock()
	defer s.seal.Unlock()
	if s.key != nil {
		return *s.key, nil
	}
	key := ledger.NewKey(random(ledger.SecretSize))
	if s.sealer != nil {
		var err error
		if key, err = s.sealer(ctx); err != nil {
			return ledger.Key{}, fmt.Errorf("reading the key of the consent ledger: %w", err)
		}
	}
	s.key = &key
	return key, nil
}

// appendConsents is the one door to the consent ledger: it appends the events that are not there yet, chained, and returns how many
// those are. Of two that say the same in all but business, language, actor, ip and agent, the first is there. The persons must exist,
// and the caller holds their locks wherever a gate may be under way. Nothing is said twice about when: At is the event's, now is when
// it was recorded. With allNew it takes for granted that none is there; errNotNew when one was, and then the transaction is over.
func (s *Store) appendConsents(ctx context.Context, tx *sqlx.Tx, now instant, events []policy.PersonConsent, allNew bool) (added int, err error) {
	for i := range events {
		if events[i].Event.At.IsZero() {
			return 0, ErrUndated
		}
	}
	events, err = s.withoutErased(ctx, tx, events)
	if err != nil {
		return 0, err
	}
	news := namedConsents(events)
	if !allNew {
		if news, err = s.absentConsents(ctx, tx, news); err != nil {
			return 0, err
		}
	}
	if len(news) == 0 {
		return 0, nil
	}
	s.appended.Add(1)
	wordings, err := s.addWordings(ctx, tx, news)
	if err != nil {
		return 0, err
	}
	key, err := s.ledgerKey(ctx)
	if err != nil {
		return 0, err
	}
	chain, err := s.holdChain(ctx, tx, key)
	if err != nil {
		return 0, err
	}
	chain.salts = random(ledger.SaltSize * len(news))
	into, rows := consentRows(&chain, now, news, wordings)
	if err := s.load(ctx, tx, into, rows); err != nil {
		if errors.Is(err, errNotNew) && !allNew {
			return 0, errOvertaken // another transaction appended one of these after we looked
		}
		return 0, err
	}
	return len(news), chain.keep(ctx, tx)
}

// namedConsent is an event with the key by which the same one is known again.
type namedConsent struct {
	*policy.PersonConsent
	id  key16
	row int // of the events
}

// namedConsents sorts the events by person, category and time.
func namedConsents(events []policy.PersonConsent) []namedConsent {
	var id consentEventID
	named := make([]namedConsent, len(events))
	for i := range events {
		named[i] = namedConsent{&events[i], id.of(&events[i].Event), i}
	}
	slices.SortFunc(named, func(a, b namedConsent) int {
		if order := comparePersons(a.Person, b.Person); order != 0 {
			return order // as most of a file's are told apart
		}
		return cmp.Or(a.Event.At.Compare(b.Event.At), cmp.Compare(a.Event.Category, b.Event.Category), bytes.Compare(a.id[:], b.id[:]), cmp.Compare(a.row, b.row))
	})
	return named
}

// absentConsents drops those that are there, and repetitions.
func (s *Store) absentConsents(ctx context.Context, tx *sqlx.Tx, named []namedConsent) ([]namedConsent, error) {
	named = slices.CompactFunc(named, func(a, b namedConsent) bool {
		return a.id == b.id && a.Person == b.Person && at(a.Event.At) == at(b.Event.At) && a.Event.Category == b.Event.Category
	})
	there := make([]bool, len(named))
	for from := 0; from < len(named); from += recordsPerStatement {
		b := s.dialect.newBatch()
		for i := from; i < min(len(named), from+recordsPerStatement); i++ {
			e := &named[i]
			b.row().num(int64(i)).bytes(e.Person[:]).str(e.Event.Category).num(int64(at(e.Event.At))).bytes(e.id[:])
		}
		var found []int
		if err := s.queries.consentsThere.read(ctx, tx, &found, &b); err != nil {
			return nil, fmt.Errorf("looking up consents: %w", err)
		}
		for _, i := range found {
			there[i] = true
		}
	}
	absent := named[:0]
	for i, e := range named {
		if !there[i] {
			absent = append(absent, e)
		}
	}
	return absent, nil
}

// addWordings writes the texts that are not there yet and returns their hashes.
func (s *Store) addWordings(ctx context.Context, tx *sqlx.Tx, events []namedConsent) (map[string][]byte, error) {
	wordings := map[string][]byte{}
	for i := range events {
		if text := events[i].Event.Wording; text != "" && wordings[text] == nil {
			hash := sha256.Sum256([]byte(text))
			wordings[text] = hash[:]
		}
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(wordings)), recordsPerStatement) {
		b := s.dialect.newBatch()
		for _, text := range chunk {
			b.row().bytes(wordings[text]).str(text)
		}
		if _, err := s.queries.addWordings.exec(ctx, tx, &b); err != nil {
			return nil, fmt.Errorf("writing wordings: %w", err)
		}
	}
	return wordings, nil
}

// chainHeld is a chain that a transaction appends to.
type chainHeld struct {
	id     uint32
	seq    int64
	link   ledger.Link
	sealer *ledger.Sealer
	salts  []byte
}

// holdChain takes a chain of the key's that no other transaction holds, or begins one: who appends never waits for another who does,
// and there are as many chains as ever appended at once. The head is read from the row that is held, so that nothing that a process
// remembers can be wrong, and a transaction that rolls back leaves no gap.
func (s *Store) holdChain(ctx context.Context, tx *sqlx.Tx, key ledger.Key) (chainHeld, error) {
	held := chainHeld{sealer: key.Sealer()}
	var row struct {
		ID   int64  `db:"chain_id"`
		Seq  int64  `db:"seq"`
		Link []byte `db:"link"`
	}
	err := tx.GetContext(ctx, &row, "SELECT chain_id, seq, link FROM consent_chains WHERE key_id = $1 AND seq < $2 ORDER BY chain_id LIMIT 1"+s.dialect.skip,
		key.ID[:], policy.EventsPerChain-1<<24)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		number, err := rand.Int(rand.Reader, big.NewInt(1<<31-1))
		if err != nil {
			return held, fmt.Errorf("naming a chain of the consent ledger: %w", err)
		}
		held.id = uint32(number.Int64()) + 1
		if _, err := tx.ExecContext(ctx, "INSERT INTO consent_chains (chain_id, key_id, seq, link) VALUES ($1, $2, 0, $3)", int64(held.id), key.ID[:], held.link[:]); err != nil {
			return held, fmt.Errorf("beginning a chain of the consent ledger: %w", err)
		}
		return held, nil
	case err != nil:
		return held, fmt.Errorf("taking a chain of the consent ledger: %w", err)
	}
	held.id, held.seq = uint32(row.ID), row.Seq
	copy(held.link[:], row.Link)
	return held, nil
}

// keep writes the chain's new head.
func (c *chainHeld) keep(ctx context.Context, tx *sqlx.Tx) error {
	if _, err := tx.ExecContext(ctx, "UPDATE consent_chains SET seq = $2, link = $3 WHERE chain_id = $1", int64(c.id), c.seq, c.link[:]); err != nil {
		return fmt.Errorf("writing the head of a chain of the consent ledger: %w", err)
	}
	return nil
}

// next chains one more event and returns its salt, nil when it has no personal part.
func (c *chainHeld) next(e *ledger.Entry, personal ledger.Personal) (salt []byte) {
	e.Personal = nil
	if !personal.Empty() {
		salt, c.salts = c.salts[:ledger.SaltSize:ledger.SaltSize], c.salts[ledger.SaltSize:]
		sealed := c.sealer.Personal(salt, personal)
		e.Personal = sealed[:]
	}
	c.seq++
	e.Event = policy.NewEventID(c.id, c.seq)
	c.link = c.sealer.Link(c.link, e)
	return salt
}

// consentRows are the rows of events, which are chained as they are written: each is asked for once, in order.
func consentRows(chain *chainHeld, now instant, events []namedConsent, wordings map[string][]byte) (bulk, rowsOf) {
	first := &events[0].Event
	alike := !slices.ContainsFunc(events, func(e namedConsent) bool {
		return e.Event.Actor != first.Actor || e.Event.Business != first.Business || e.Event.Language != first.Language || e.Event.IP != first.IP || e.Event.Agent != first.Agent
	})
	into, shared := bulkConsents, []any{int64(now)}
	if alike {
		into, shared = bulkConsentsAlike, []any{int64(now), first.Actor, first.Business, first.Language, first.IP, first.Agent}
	}
	links := make([]byte, 0, len(events)*len(ledger.Link{}))
	var entry ledger.Entry
	return into, rowsOf{shared: shared, n: len(events), row: func(i int, row []any) []any {
		e := &events[i]
		entry = ledger.Entry{
			Person: e.Person, At: int64(at(e.Event.At)), RecordedAt: int64(now), Category: e.Event.Category, Action: e.Event.Action, Source: e.Event.Source,
			Business: e.Event.Business, Language: e.Event.Language, Actor: e.Event.Actor, Wording: wordings[e.Event.Wording],
		}
		salt := chain.next(&entry, ledger.Personal{Evidence: e.Event.Evidence, IP: e.Event.IP, Agent: e.Event.Agent})
		links = append(links, chain.link[:]...)
		row = append(row, e.Person[:], e.Event.Category, entry.At, e.id[:], string(e.Event.Action), e.Event.Source, orNull(entry.Wording), e.Event.Evidence,
			int64(entry.Event), links[len(links)-len(chain.link):], orNull(salt))
		if alike {
			return row
		}
		return append(row, e.Event.Actor, e.Event.Business, e.Event.Language, e.Event.IP, e.Event.Agent)
	}}
}

// orNull is the parameter for bytes that may be missing.
func orNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// consentEventID names an event by what it says, so that the same row of a file twice is one event:
// the first 16 bytes of a SHA-256 over each part with its length before it.
type consentEventID struct{ text []byte }

func (id *consentEventID) of(e *policy.ConsentEvent) key16 {
	id.text = id.text[:0]
	id.part(e.Category)
	id.part(string(e.Action))
	id.text = binary.BigEndian.AppendUint64(id.text, 8)
	id.text = binary.BigEndian.AppendUint64(id.text, uint64(at(e.At)))
	id.part(e.Source)
	id.part(e.Wording)
	id.part(e.Evidence)
	sum := sha256.Sum256(id.text)
	return key16(sum[:len(key16{})])
}

func (id *consentEventID) part(text string) {
	id.text = binary.BigEndian.AppendUint64(id.text, uint64(len(text)))
	id.text = append(id.text, text...)
}
