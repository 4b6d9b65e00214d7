-- +goose Up
-- When Meta's first status of a message was stored, by our clock: a status may tell of a time long before.
ALTER TABLE deliveries ADD COLUMN heard_at INTEGER;
-- The run whose unproven messages this run sends again; '' in every other.
ALTER TABLE runs ADD COLUMN resends TEXT NOT NULL DEFAULT '';

-- Attempts whose answer was lost, until Meta's word or its proven silence settles them. Their ids begin with their time.
CREATE TABLE unsettled (
    attempt_id BLOB NOT NULL PRIMARY KEY,
    run_id     TEXT NOT NULL,
    person_id  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO unsettled (attempt_id, run_id, person_id)
    SELECT attempt_id, run_id, person_id FROM deliveries WHERE state = 'unknown' AND attempt_id IS NOT NULL;

-- What is early for long belongs to messages of others who use the number, and is let go of.
CREATE INDEX early_statuses_received ON early_statuses (received_at);

-- +goose Down
DROP INDEX early_statuses_received;
DROP TABLE unsettled;
ALTER TABLE runs DROP COLUMN resends;
ALTER TABLE deliveries DROP COLUMN heard_at;
