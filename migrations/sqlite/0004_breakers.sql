-- +goose Up
-- What holds sending back until something is mended. A row stays after it: closed_at is null while it holds.
CREATE TABLE breakers (
    kind      TEXT   NOT NULL CHECK (kind IN ('token', 'account', 'number', 'template', 'campaign', 'deaf')),
    subject   TEXT   NOT NULL,
    since     INTEGER NOT NULL,
    code      INTEGER NOT NULL DEFAULT 0,
    why       TEXT   NOT NULL,
    healing   TEXT   NOT NULL CHECK (healing IN ('probe', 'time', 'news', 'hand')),
    -- How often in a row it opened, and how long each try to heal it waits.
    times     INTEGER NOT NULL DEFAULT 1,
    wait      INTEGER NOT NULL DEFAULT 0,
    next_at   INTEGER NOT NULL,
    closed_at INTEGER,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
-- The breaker that paused the run; '' when a person did.
ALTER TABLE runs ADD COLUMN paused_by TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE runs DROP COLUMN paused_by;
DROP TABLE breakers;
