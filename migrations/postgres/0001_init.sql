-- +goose Up
CREATE TABLE instance (
    id           TEXT   NOT NULL PRIMARY KEY,
    hash_key     BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    halted_at    BIGINT,
    halted_why   TEXT,
    -- Two processes that meet an empty database at once must not make two keys: neither would know the other's people.
    only_one     BIGINT NOT NULL DEFAULT 1 CHECK (only_one = 1)
);
CREATE UNIQUE INDEX instance_only_one ON instance (only_one);

-- One row per person; it is the lock that serialises cap against cap and stop against send.
CREATE TABLE persons (
    person_id      BYTEA   NOT NULL PRIMARY KEY,
    touched        BIGINT  NOT NULL DEFAULT 0,
    review_at      BIGINT,
    review_text    TEXT,
    cooldown_until BIGINT,
    strikes        INTEGER NOT NULL DEFAULT 0,
    replied_at     BIGINT
) WITH (fillfactor = 40);

CREATE TABLE contacts (
    person_id   BYTEA  NOT NULL PRIMARY KEY,
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
    erased_at   BIGINT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE identifiers (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    person_id  BYTEA  NOT NULL,
    kind       TEXT   NOT NULL CHECK (kind IN ('phone', 'user_id', 'parent_user_id')),
    value      TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX identifiers_person ON identifiers (person_id);

CREATE TABLE wordings (
    hash BYTEA NOT NULL PRIMARY KEY,
    text TEXT  NOT NULL
);

CREATE TABLE consents (
    person_id    BYTEA  NOT NULL,
    category     TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    event_id     BYTEA  NOT NULL,
    action       TEXT   NOT NULL CHECK (action IN ('granted', 'revoked')),
    source       TEXT   NOT NULL,
    wording_hash BYTEA,
    evidence     TEXT   NOT NULL DEFAULT '',
    actor        TEXT   NOT NULL DEFAULT '',
    recorded_at  BIGINT NOT NULL,
    PRIMARY KEY (person_id, category, at, event_id)
);

CREATE TABLE suppressions (
    hash      BYTEA  NOT NULL,
    scope     TEXT   NOT NULL,
    origin    TEXT   NOT NULL,
    value     TEXT   NOT NULL DEFAULT '',
    reason    TEXT   NOT NULL DEFAULT '',
    source    TEXT   NOT NULL DEFAULT '',
    at        BIGINT NOT NULL,
    lifted_at BIGINT NOT NULL DEFAULT 0,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (hash, scope, origin)
);

-- What a person took back, and when: a stop that comes later, but was asked for earlier, does not hold.
CREATE TABLE lifts (
    hash  BYTEA NOT NULL,
    kind  TEXT NOT NULL,
    scope TEXT NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (hash, kind, scope)
);

CREATE TABLE templates (
    name      TEXT   NOT NULL,
    language  TEXT   NOT NULL,
    status    TEXT   NOT NULL,
    kind      TEXT   NOT NULL DEFAULT '',
    entry     TEXT   NOT NULL,
    resync    INTEGER NOT NULL DEFAULT 0,
    synced_at BIGINT NOT NULL,
    PRIMARY KEY (name, language)
);

CREATE TABLE schedules (
    campaign_id TEXT   NOT NULL PRIMARY KEY,
    spec        TEXT   NOT NULL,
    since       BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

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
    fire_at     BIGINT  NOT NULL,
    config      TEXT    NOT NULL DEFAULT '',
    config_hash TEXT    NOT NULL DEFAULT '',
    plan        TEXT    NOT NULL DEFAULT '',
    planned_at  BIGINT,
    created_at  BIGINT  NOT NULL,
    started_at  BIGINT,
    finished_at BIGINT
);
CREATE UNIQUE INDEX runs_occurrence ON runs (campaign_id, occurrence);
CREATE INDEX runs_open ON runs (state) WHERE state IN ('planning', 'waiting', 'running', 'paused');

-- A delivery is rewritten at the gate, at the answer and at each status: room for that in its page spares its indexes.
CREATE TABLE deliveries (
    run_id        TEXT    NOT NULL,
    person_id     BYTEA   NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'sending', 'accepted', 'held', 'sent', 'delivered', 'read',
                                                    'failed', 'skipped', 'cancelled', 'expired', 'unknown')),
    reason        TEXT,
    queued_at     BIGINT  NOT NULL,
    due_at        BIGINT,
    language      TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    attempt_id    BYTEA,
    sending_at    BIGINT,
    accepted_at   BIGINT,
    sent_at       BIGINT,
    delivered_at  BIGINT,
    read_at       BIGINT,
    failed_at     BIGINT,
    replied_at    BIGINT,
    changed_at    BIGINT,
    wamid         TEXT,
    error_code    INTEGER,
    error_title   TEXT,
    error_details TEXT,
    billable      INTEGER,
    price_category TEXT,
    price_model   TEXT,
    PRIMARY KEY (run_id, person_id)
) WITH (fillfactor = 40);
CREATE INDEX deliveries_due ON deliveries (run_id, due_at, person_id) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_sends ON deliveries (person_id, sending_at) WHERE sending_at IS NOT NULL;
CREATE UNIQUE INDEX deliveries_attempt ON deliveries (attempt_id) WHERE attempt_id IS NOT NULL;

-- Which delivery a message of Meta's belongs to. Beside the deliveries, not an index over them: an answer then changes no
-- indexed column of its delivery, which PostgreSQL writes at a third of the cost.
CREATE TABLE messages (
    wamid     TEXT NOT NULL,
    run_id    TEXT NOT NULL,
    person_id BYTEA NOT NULL,
    PRIMARY KEY (wamid, run_id, person_id)
);

-- Statuses, and stops that name nobody else, that came before we knew their message; applied as soon as it is known.
CREATE TABLE early_statuses (
    wamid       TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    status      TEXT   NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (wamid, state, at)
);

CREATE TABLE webhooks (
    body_hash   BYTEA  NOT NULL PRIMARY KEY,
    received_at BIGINT NOT NULL,
    body        TEXT   NOT NULL
);

CREATE TABLE leases (
    number_id TEXT   NOT NULL PRIMARY KEY,
    holder    TEXT   NOT NULL,
    until     BIGINT NOT NULL
);

CREATE TABLE audit_log (
    audit_id TEXT   NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    actor    TEXT   NOT NULL,
    action   TEXT   NOT NULL,
    subject  TEXT   NOT NULL DEFAULT '',
    details  TEXT   NOT NULL DEFAULT ''
);

-- +goose Down
DROP TABLE audit_log, messages, leases, webhooks, early_statuses, deliveries, runs, schedules, templates, lifts, suppressions, consents, wordings, identifiers, contacts, persons, instance;
