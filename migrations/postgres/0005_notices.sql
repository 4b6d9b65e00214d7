-- +goose Up
-- What operators are to be told, written with the fact that it is about: the outbox of notify. Positions are in the order of the
-- commits, so that nothing comes before what is told already.
CREATE TABLE notices (
    position  BIGINT NOT NULL PRIMARY KEY,
    notice_id TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    type      TEXT   NOT NULL,
    data      TEXT   NOT NULL,
    state     TEXT   NOT NULL DEFAULT 'pending',
    attempts  BIGINT NOT NULL DEFAULT 0,
    next_at   BIGINT NOT NULL,
    done_at   BIGINT,
    error     TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX notices_pending ON notices (position) WHERE state = 'pending';

-- One row: whoever writes a notice holds it until the commit.
CREATE TABLE notice_order (
    only_one BIGINT NOT NULL PRIMARY KEY CHECK (only_one = 1),
    last     BIGINT NOT NULL DEFAULT 0
);
INSERT INTO notice_order (only_one) VALUES (1);

-- +goose Down
DROP TABLE notice_order, notices;
