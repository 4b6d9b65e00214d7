-- +goose Up
-- Quarantine: this database is, or may be, not the one that the installation last worked with. kind is behind, moved or orphans.
-- attempts_since is from when on every attempt is on record; place is where the database was when it was last accepted.
ALTER TABLE instance ADD COLUMN quarantined_at INTEGER;
ALTER TABLE instance ADD COLUMN quarantined_kind TEXT;
ALTER TABLE instance ADD COLUMN quarantined_why TEXT;
ALTER TABLE instance ADD COLUMN attempts_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instance ADD COLUMN place TEXT NOT NULL DEFAULT '';
UPDATE instance SET attempts_since = CAST(unixepoch('subsec') * 1000000 AS INTEGER);

-- The state_dirs that work with this database. seq counts what each did; the same number stands in its instance file.
CREATE TABLE homes (
    home_id   TEXT   NOT NULL PRIMARY KEY,
    seq       INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row, updated by each transaction that changes stops: their numbers are in the order of their commits.
CREATE TABLE stop_changes (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    last     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO stop_changes (only_one, last) VALUES (1, 0);
ALTER TABLE suppressions ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
CREATE INDEX suppressions_change ON suppressions (change, hash, scope, origin);

-- Attempts that were given back: their deliveries have others since, and a report about one of these is no stranger's.
CREATE TABLE past_attempts (
    attempt_id BLOB  NOT NULL PRIMARY KEY,
    ended_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages of this installation that were reported and that nobody here remembers sending.
CREATE TABLE orphans (
    attempt_id  BLOB  NOT NULL PRIMARY KEY,
    wamid       TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE orphans;
DROP TABLE past_attempts;
DROP INDEX suppressions_change;
ALTER TABLE suppressions DROP COLUMN change;
DROP TABLE stop_changes;
DROP TABLE homes;
ALTER TABLE instance DROP COLUMN place;
ALTER TABLE instance DROP COLUMN attempts_since;
ALTER TABLE instance DROP COLUMN quarantined_why;
ALTER TABLE instance DROP COLUMN quarantined_kind;
ALTER TABLE instance DROP COLUMN quarantined_at;
