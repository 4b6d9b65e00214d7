-- +goose Up
-- Who was erased: whether anybody was is asked for each batch of consents.
CREATE INDEX contacts_erased ON contacts (person_id) WHERE erased_at IS NOT NULL;

-- +goose Down
DROP INDEX contacts_erased;
