-- +goose Up
-- Until when free-form text may be sent to a person by a number: 24 hours after they last wrote to it.
CREATE TABLE windows (
    person_id  BYTEA   NOT NULL,
    number_id  TEXT    NOT NULL,
    open_until BIGINT  NOT NULL,
    PRIMARY KEY (person_id, number_id)
);

-- Free-form messages that answer what a person wrote, written with the act that asks for them. asked_by is a hash of the message
-- that did: it is answered once.
CREATE TABLE answers (
    answer_id  BYTEA   NOT NULL PRIMARY KEY,
    asked_by   BYTEA   NOT NULL,
    person_id  BYTEA   NOT NULL,
    to_hash    BYTEA   NOT NULL,
    number_id  TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('confirmation', 'help', 'question')),
    scope      TEXT    NOT NULL DEFAULT '',
    language   TEXT    NOT NULL DEFAULT '',
    message_id TEXT    NOT NULL DEFAULT '',
    asked_at   BIGINT  NOT NULL,
    due_at     BIGINT  NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'dropped')),
    reason     TEXT    NOT NULL DEFAULT '',
    attempts   BIGINT  NOT NULL DEFAULT 0,
    text       TEXT    NOT NULL DEFAULT '',
    business   TEXT    NOT NULL DEFAULT '',
    wamid      TEXT,
    sending_at BIGINT,
    said       TEXT    NOT NULL DEFAULT '' CHECK (said IN ('', 'yes', 'no')),
    said_at    BIGINT
);
CREATE UNIQUE INDEX answers_asked_by ON answers (asked_by);
CREATE INDEX answers_due ON answers (number_id, due_at) WHERE state = 'queued';
CREATE INDEX answers_person ON answers (person_id, asked_at);
CREATE INDEX answers_wamid ON answers (wamid) WHERE wamid IS NOT NULL;

-- What people wrote, on its way to the business. The text stays until it is delivered or given up; the row stays as long as Meta
-- may repeat the message.
CREATE TABLE replies (
    reply_id      BYTEA   NOT NULL PRIMARY KEY,
    person_id     BYTEA   NOT NULL,
    at            BIGINT  NOT NULL,
    received_at   BIGINT  NOT NULL,
    place         BIGINT  NOT NULL,
    context_wamid TEXT    NOT NULL DEFAULT '',
    data          TEXT    NOT NULL,
    state         TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts      BIGINT  NOT NULL DEFAULT 0,
    next_at       BIGINT  NOT NULL,
    done_at       BIGINT,
    error         TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX replies_due ON replies (next_at) WHERE state = 'pending';
CREATE INDEX replies_person ON replies (person_id, at, received_at, place) WHERE state = 'pending';
CREATE INDEX replies_done ON replies (done_at) WHERE state <> 'pending';

-- +goose Down
DROP TABLE replies, answers, windows;
