-- +goose Up
-- What operators are to be told, written with the fact that it is about: the outbox of notify. Positions are in the order of the
-- commits, so that nothing comes before what is told already.
CREATE TABLE notices (
    position  INTEGER NOT NULL PRIMARY KEY,
    notice_id TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    type      TEXT    NOT NULL,
    data      TEXT    NOT NULL,
    state     TEXT    NOT NULL DEFAULT 'pending',
    attempts  INTEGER NOT NULL DEFAULT 0,
    next_at   INTEGER NOT NULL,
    done_at   INTEGER,
    error     TEXT    NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX notices_pending ON notices (position) WHERE state = 'pending';

-- One row: whoever writes a notice holds it until the commit.
CREATE TABLE notice_order (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    last     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO notice_order (only_one) VALUES (1);

-- +goose Down
DROP TABLE notice_order;
DROP TABLE notices;
