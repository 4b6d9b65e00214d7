-- +goose Up
-- The ledger of consents: each event has its place in a chain, and the keyed hash that binds it to the one before. SQLite
-- changes no condition of a table: it is made anew.
CREATE TABLE ledger (
    person_id    BLOB    NOT NULL,
    category     TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    event_id     BLOB    NOT NULL,
    action       TEXT    NOT NULL CHECK (action IN ('granted', 'pending', 'confirmed', 'revoked', 'expired', 'erased')),
    source       TEXT    NOT NULL,
    wording_hash BLOB,
    evidence     TEXT    NOT NULL DEFAULT '',
    actor        TEXT    NOT NULL DEFAULT '',
    recorded_at  INTEGER NOT NULL,
    business     TEXT    NOT NULL DEFAULT '',
    language     TEXT    NOT NULL DEFAULT '',
    ip           TEXT    NOT NULL DEFAULT '',
    agent        TEXT    NOT NULL DEFAULT '',
    -- The chain in the upper half, the number in it in the lower; null in what was recorded before there were chains, until it is put into one.
    event        INTEGER,
    link         BLOB,
    -- With the salt the personal part (evidence, ip, agent) enters the chain; once that is erased, what it entered as stands in personal.
    salt         BLOB,
    personal     BLOB,
    PRIMARY KEY (person_id, category, at, event_id)
) STRICT, WITHOUT ROWID;
INSERT INTO ledger (person_id, category, at, event_id, action, source, wording_hash, evidence, actor, recorded_at)
    SELECT person_id, category, at, event_id, action, source, wording_hash, evidence, actor, recorded_at FROM consents
    ORDER BY person_id, category, at, event_id;
DROP TABLE consents;
ALTER TABLE ledger RENAME TO consents;
CREATE UNIQUE INDEX consents_event ON consents (event);
CREATE INDEX consents_erased ON consents (person_id) WHERE action = 'erased';

-- A chain and its last event. A transaction that appends holds one, and no other waits for it.
CREATE TABLE consent_chains (
    chain_id INTEGER NOT NULL PRIMARY KEY,
    key_id   BLOB    NOT NULL,
    seq      INTEGER NOT NULL,
    link     BLOB    NOT NULL
) STRICT;

-- How many lines of checkpoints each state_dir wrote at least, by the key that signs them.
CREATE TABLE consent_checkpoints (
    key_id BLOB    NOT NULL PRIMARY KEY,
    lines  INTEGER NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- 1 while events of before wait to be put into a chain.
ALTER TABLE instance ADD COLUMN unchained INTEGER NOT NULL DEFAULT 0;
UPDATE instance SET unchained = 1 WHERE EXISTS (SELECT 1 FROM consents);

-- The consent that the message relied on, by consents.event.
ALTER TABLE deliveries ADD COLUMN consent_event INTEGER;

-- +goose Down
ALTER TABLE deliveries DROP COLUMN consent_event;
ALTER TABLE instance DROP COLUMN unchained;
DROP TABLE consent_checkpoints;
DROP TABLE consent_chains;
CREATE TABLE ledger (
    person_id    BLOB    NOT NULL,
    category     TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    event_id     BLOB    NOT NULL,
    action       TEXT    NOT NULL CHECK (action IN ('granted', 'revoked')),
    source       TEXT    NOT NULL,
    wording_hash BLOB,
    evidence     TEXT    NOT NULL DEFAULT '',
    actor        TEXT    NOT NULL DEFAULT '',
    recorded_at  INTEGER NOT NULL,
    PRIMARY KEY (person_id, category, at, event_id)
) STRICT, WITHOUT ROWID;
INSERT INTO ledger (person_id, category, at, event_id, action, source, wording_hash, evidence, actor, recorded_at)
    SELECT person_id, category, at, event_id, CASE action WHEN 'confirmed' THEN 'granted' WHEN 'expired' THEN 'revoked' ELSE action END,
        source, wording_hash, evidence, actor, recorded_at FROM consents WHERE action NOT IN ('pending', 'erased');
DROP TABLE consents;
ALTER TABLE ledger RENAME TO consents;
