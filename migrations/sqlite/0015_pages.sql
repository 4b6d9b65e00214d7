-- +goose Up
-- What somebody asked for on an opt-in page, until a message from that number confirms it or a day is over. It holds no number.
CREATE TABLE opt_in_requests (
    code         TEXT    NOT NULL PRIMARY KEY,
    hash         BLOB    NOT NULL,
    person_id    BLOB    NOT NULL,
    category     TEXT    NOT NULL,
    wording      TEXT    NOT NULL,
    business     TEXT    NOT NULL,
    language     TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX opt_in_requests_hash ON opt_in_requests (hash, created_at);
CREATE INDEX opt_in_requests_created ON opt_in_requests (created_at);

-- +goose Down
DROP TABLE opt_in_requests;
