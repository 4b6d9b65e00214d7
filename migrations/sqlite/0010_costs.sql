-- +goose Up
-- What a message costs by the price list of its run, in millionths of the list's currency, and the category that it was priced as:
-- written at the gate. booked is what of it the run's budget holds; null when it has none, or when the message went back unsent.
ALTER TABLE deliveries ADD COLUMN list_price INTEGER;
ALTER TABLE deliveries ADD COLUMN list_category TEXT;
ALTER TABLE deliveries ADD COLUMN booked INTEGER;

-- What a run with a budget has spent: the sum of booked over its deliveries, kept in the transactions that change it.
CREATE TABLE budgets (
    run_id TEXT   NOT NULL PRIMARY KEY,
    spent  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE budgets;
ALTER TABLE deliveries DROP COLUMN booked;
ALTER TABLE deliveries DROP COLUMN list_category;
ALTER TABLE deliveries DROP COLUMN list_price;
