-- +goose Up
CREATE TABLE instance (
    id           TEXT   NOT NULL PRIMARY KEY,
    hash_key     BLOB  NOT NULL,
    created_at   INTEGER NOT NULL,
    halted_at    INTEGER,
    halted_why   TEXT,
    -- Two processes that meet an empty database at once must not make two keys: neither would know the other's people.
    only_one     INTEGER NOT NULL DEFAULT 1 CHECK (only_one = 1)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX instance_only_one ON instance (only_one);

-- One row per person; it is the lock that serialises cap against cap and stop against send.
CREATE TABLE persons (
    person_id      BLOB   NOT NULL PRIMARY KEY,
    touched        INTEGER  NOT NULL DEFAULT 0,
    review_at      INTEGER,
    review_text    TEXT,
    cooldown_until INTEGER,
    strikes        INTEGER NOT NULL DEFAULT 0,
    replied_at     INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE contacts (
    person_id   BLOB  NOT NULL PRIMARY KEY,
    phone       TEXT   NOT NULL,
    user_id     TEXT   NOT NULL DEFAULT '',
    name        TEXT   NOT NULL DEFAULT '',
    language    TEXT   NOT NULL DEFAULT '',
    timezone    TEXT   NOT NULL DEFAULT '',
    external_id TEXT   NOT NULL DEFAULT '',
    tags        TEXT   NOT NULL DEFAULT '',
    attributes  TEXT   NOT NULL DEFAULT '{}',
    country     TEXT   NOT NULL DEFAULT '',
    zones       TEXT   NOT NULL DEFAULT '',
    main_zone   TEXT   NOT NULL DEFAULT '',
    erased_at   INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE identifiers (
    hash       BLOB  NOT NULL PRIMARY KEY,
    person_id  BLOB  NOT NULL,
    kind       TEXT   NOT NULL CHECK (kind IN ('phone', 'user_id', 'parent_user_id')),
    value      TEXT   NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX identifiers_person ON identifiers (person_id);

CREATE TABLE wordings (
    hash BLOB NOT NULL PRIMARY KEY,
    text TEXT  NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE consents (
    person_id    BLOB  NOT NULL,
    category     TEXT   NOT NULL,
    at           INTEGER NOT NULL,
    event_id     BLOB  NOT NULL,
    action       TEXT   NOT NULL CHECK (action IN ('granted', 'revoked')),
    source       TEXT   NOT NULL,
    wording_hash BLOB,
    evidence     TEXT   NOT NULL DEFAULT '',
    actor        TEXT   NOT NULL DEFAULT '',
    recorded_at  INTEGER NOT NULL,
    PRIMARY KEY (person_id, category, at, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE suppressions (
    hash      BLOB  NOT NULL,
    scope     TEXT   NOT NULL,
    origin    TEXT   NOT NULL,
    value     TEXT   NOT NULL DEFAULT '',
    reason    TEXT   NOT NULL DEFAULT '',
    source    TEXT   NOT NULL DEFAULT '',
    at        INTEGER NOT NULL,
    lifted_at INTEGER NOT NULL DEFAULT 0,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (hash, scope, origin)
) STRICT, WITHOUT ROWID;

-- What a person took back, and when: a stop that comes later, but was asked for earlier, does not hold.
CREATE TABLE lifts (
    hash  BLOB NOT NULL,
    kind  TEXT NOT NULL,
    scope TEXT NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (hash, kind, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE templates (
    name      TEXT   NOT NULL,
    language  TEXT   NOT NULL,
    status    TEXT   NOT NULL,
    kind      TEXT   NOT NULL DEFAULT '',
    entry     TEXT   NOT NULL,
    resync    INTEGER NOT NULL DEFAULT 0,
    synced_at INTEGER NOT NULL,
    PRIMARY KEY (name, language)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
    campaign_id TEXT   NOT NULL PRIMARY KEY,
    spec        TEXT   NOT NULL,
    since       INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    run_id      TEXT    NOT NULL PRIMARY KEY,
    campaign_id TEXT    NOT NULL,
    occurrence  TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('planning', 'waiting', 'running', 'paused', 'done', 'cancelled', 'missed')),
    why         TEXT    NOT NULL DEFAULT '',
    number_id   TEXT    NOT NULL DEFAULT '',
    category    TEXT    NOT NULL DEFAULT '',
    kind        TEXT    NOT NULL DEFAULT '',
    priority    INTEGER NOT NULL DEFAULT 0,
    test        INTEGER NOT NULL DEFAULT 0,
    manual      INTEGER NOT NULL DEFAULT 0,
    fire_at     INTEGER  NOT NULL,
    config      TEXT    NOT NULL DEFAULT '',
    config_hash TEXT    NOT NULL DEFAULT '',
    plan        TEXT    NOT NULL DEFAULT '',
    planned_at  INTEGER,
    created_at  INTEGER  NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX runs_occurrence ON runs (campaign_id, occurrence);
CREATE INDEX runs_open ON runs (state) WHERE state IN ('planning', 'waiting', 'running', 'paused');

-- With a rowid, unlike the others: its rows are rewritten twice for each message, which a tree keyed by 36 bytes makes a fifth slower.
CREATE TABLE deliveries (
    run_id        TEXT    NOT NULL,
    person_id     BLOB   NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'sending', 'accepted', 'held', 'sent', 'delivered', 'read',
                                                    'failed', 'skipped', 'cancelled', 'expired', 'unknown')),
    reason        TEXT,
    queued_at     INTEGER  NOT NULL,
    due_at        INTEGER,
    language      TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    attempt_id    BLOB,
    sending_at    INTEGER,
    accepted_at   INTEGER,
    sent_at       INTEGER,
    delivered_at  INTEGER,
    read_at       INTEGER,
    failed_at     INTEGER,
    replied_at    INTEGER,
    changed_at    INTEGER,
    wamid         TEXT,
    error_code    INTEGER,
    error_title   TEXT,
    error_details TEXT,
    billable      INTEGER,
    price_category TEXT,
    price_model   TEXT,
    PRIMARY KEY (run_id, person_id)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (run_id, due_at, person_id) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_sends ON deliveries (person_id, sending_at) WHERE sending_at IS NOT NULL;
CREATE UNIQUE INDEX deliveries_attempt ON deliveries (attempt_id) WHERE attempt_id IS NOT NULL;

-- Which delivery a message of Meta's belongs to. Beside the deliveries, not an index over them: an answer then changes no
-- indexed column of its delivery, which PostgreSQL writes at a third of the cost.
CREATE TABLE messages (
    wamid     TEXT NOT NULL,
    run_id    TEXT NOT NULL,
    person_id BLOB NOT NULL,
    PRIMARY KEY (wamid, run_id, person_id)
) STRICT, WITHOUT ROWID;

-- Statuses, and stops that name nobody else, that came before we knew their message; applied as soon as it is known.
CREATE TABLE early_statuses (
    wamid       TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    at          INTEGER NOT NULL,
    status      TEXT   NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (wamid, state, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhooks (
    body_hash   BLOB  NOT NULL PRIMARY KEY,
    received_at INTEGER NOT NULL,
    body        TEXT   NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    number_id TEXT   NOT NULL PRIMARY KEY,
    holder    TEXT   NOT NULL,
    until     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
    audit_id TEXT   NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor    TEXT   NOT NULL,
    action   TEXT   NOT NULL,
    subject  TEXT   NOT NULL DEFAULT '',
    details  TEXT   NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE audit_log;
DROP TABLE messages;
DROP TABLE leases;
DROP TABLE webhooks;
DROP TABLE early_statuses;
DROP TABLE deliveries;
DROP TABLE runs;
DROP TABLE schedules;
DROP TABLE templates;
DROP TABLE lifts;
DROP TABLE suppressions;
DROP TABLE consents;
DROP TABLE wordings;
DROP TABLE identifiers;
DROP TABLE contacts;
DROP TABLE persons;
DROP TABLE instance;
