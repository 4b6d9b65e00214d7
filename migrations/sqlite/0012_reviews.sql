-- +goose Up
-- A review keeps the time of the first text that looked like an opt-out in review_at, and the latest text and its time.
ALTER TABLE persons ADD COLUMN review_last_at INTEGER;
-- Texts up to this time were judged: a webhook that comes again does not ask for them again.
ALTER TABLE persons ADD COLUMN review_closed_at INTEGER NOT NULL DEFAULT 0;
UPDATE persons SET review_last_at = review_at WHERE review_at IS NOT NULL;
CREATE INDEX persons_review ON persons (review_at, person_id) WHERE review_at IS NOT NULL;

-- +goose Down
DROP INDEX persons_review;
ALTER TABLE persons DROP COLUMN review_closed_at;
ALTER TABLE persons DROP COLUMN review_last_at;
