-- +goose Up
-- What a run came to in numbers, as JSON, from when its deliveries began to be deleted; forgotten_at is when the last was.
ALTER TABLE runs ADD COLUMN totals TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN forgotten_at BIGINT;

-- When a person was last sent to, and last reached, by a delivery that was deleted.
ALTER TABLE persons ADD COLUMN sent_at BIGINT;
ALTER TABLE persons ADD COLUMN delivered_at BIGINT;

-- What is old is found without reading the rest.
CREATE INDEX persons_review_text ON persons (review_at) WHERE review_text IS NOT NULL;
CREATE INDEX webhooks_received ON webhooks (received_at);

-- +goose Down
DROP INDEX webhooks_received;
DROP INDEX persons_review_text;
ALTER TABLE persons DROP COLUMN delivered_at;
ALTER TABLE persons DROP COLUMN sent_at;
ALTER TABLE runs DROP COLUMN forgotten_at;
ALTER TABLE runs DROP COLUMN totals;
