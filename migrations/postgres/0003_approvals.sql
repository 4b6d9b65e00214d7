-- +goose Up
-- Who made a run by hand, and what a second person approved of it or is asked to, as JSON; '' while nobody is asked.
ALTER TABLE runs ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN approval TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE runs DROP COLUMN approval;
ALTER TABLE runs DROP COLUMN created_by;
