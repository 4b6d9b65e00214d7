-- +goose Up
-- What Meta last said of how many people the portfolio may write to in any 24 hours: -1 is any number, NULL is not known.
ALTER TABLE instance ADD COLUMN messaging_limit BIGINT;

-- How many people were counted who had a message in the last 24 hours, when, and how many more the gates let pass since, those
-- whom they had let pass before among them. Never less than there are: where it is too many, the gate counts anew.
CREATE TABLE portfolio (
    only_one   BIGINT NOT NULL PRIMARY KEY CHECK (only_one = 1),
    counted    BIGINT NOT NULL DEFAULT 0,
    counted_at BIGINT NOT NULL DEFAULT 0,
    granted    BIGINT NOT NULL DEFAULT 0
);
INSERT INTO portfolio (only_one) VALUES (1);

-- The wave that a run is at, since when, and when nothing of it was left to send.
ALTER TABLE runs ADD COLUMN wave INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN wave_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN wave_over_at BIGINT;
-- Messages from before this are not judged by the run's guard: a person resumed it after it had stopped.
ALTER TABLE runs ADD COLUMN guard_from BIGINT NOT NULL DEFAULT 0;
-- When a run with waves or a guard is next looked at; NULL of one that has neither.
ALTER TABLE runs ADD COLUMN watch_at BIGINT;

-- +goose Down
ALTER TABLE runs DROP COLUMN watch_at;
ALTER TABLE runs DROP COLUMN guard_from;
ALTER TABLE runs DROP COLUMN wave_over_at;
ALTER TABLE runs DROP COLUMN wave_at;
ALTER TABLE runs DROP COLUMN wave;
DROP TABLE portfolio;
ALTER TABLE instance DROP COLUMN messaging_limit;
