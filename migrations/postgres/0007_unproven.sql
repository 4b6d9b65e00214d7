-- +goose Up
-- When Meta's first status of a message was stored, by our clock: a status may tell of a time long before.
ALTER TABLE deliveries ADD COLUMN heard_at BIGINT;
-- The run whose unproven messages this run sends again; '' in every other.
ALTER TABLE runs ADD COLUMN resends TEXT NOT NULL DEFAULT '';

-- Attempts whose answer was lost, until Meta's word or its proven silence settles them. Their ids begin with their time.
CREATE TABLE unsettled (
    attempt_id BYTEA NOT NULL PRIMARY KEY,
    run_id     TEXT  NOT NULL,
    person_id  BYTEA NOT NULL
);
INSERT INTO unsettled (attempt_id, run_id, person_id)
    SELECT attempt_id, run_id, person_id FROM deliveries WHERE state = 'unknown' AND attempt_id IS NOT NULL;

-- A delivery is written at the gate, at the answer and at each status. With 40 every second answer found its page full and
-- wrote all indexes; with 28 none does, and a run that is sent ends in fewer pages.
ALTER TABLE deliveries SET (fillfactor = 28);

-- What is early for long belongs to messages of others who use the number, and is let go of.
CREATE INDEX early_statuses_received ON early_statuses (received_at);

-- +goose Down
DROP INDEX early_statuses_received;
ALTER TABLE deliveries SET (fillfactor = 40);
DROP TABLE unsettled;
ALTER TABLE runs DROP COLUMN resends;
ALTER TABLE deliveries DROP COLUMN heard_at;
