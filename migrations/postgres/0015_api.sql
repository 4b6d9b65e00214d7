-- +goose Up
-- The keys of /api/v1. Of the key itself there is only its SHA-256: nobody can read it back.
CREATE TABLE api_keys (
    name         TEXT    NOT NULL PRIMARY KEY,
    hash         BYTEA   NOT NULL,
    scopes       TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    created_by   TEXT    NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);

-- What was answered to a request that named itself by an Idempotency-Key, for a day.
CREATE TABLE api_answers (
    key_name   TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    hash       BYTEA   NOT NULL,
    status     BIGINT  NOT NULL,
    answer     BYTEA   NOT NULL,
    at         BIGINT  NOT NULL,
    PRIMARY KEY (key_name, request_id)
);
CREATE INDEX api_answers_at ON api_answers (at);

-- +goose Down
DROP TABLE api_answers;
DROP TABLE api_keys;
