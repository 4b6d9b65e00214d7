-- +goose Up
-- The keys of /api/v1. Of the key itself there is only its SHA-256: nobody can read it back.
CREATE TABLE api_keys (
    name         TEXT    NOT NULL PRIMARY KEY,
    hash         BLOB    NOT NULL,
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);

-- What was answered to a request that named itself by an Idempotency-Key, for a day.
CREATE TABLE api_answers (
    key_name   TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    status     INTEGER NOT NULL,
    answer     BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (key_name, request_id)
) STRICT;
CREATE INDEX api_answers_at ON api_answers (at);

-- +goose Down
DROP TABLE api_answers;
DROP TABLE api_keys;
