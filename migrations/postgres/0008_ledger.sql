-- +goose Up
-- The ledger of consents: each event has its place in a chain, and the keyed hash that binds it to the one before.
ALTER TABLE consents DROP CONSTRAINT consents_action_check;
ALTER TABLE consents ADD CONSTRAINT consents_action_check
    CHECK (action IN ('granted', 'pending', 'confirmed', 'revoked', 'expired', 'erased'));
ALTER TABLE consents
    ADD COLUMN business TEXT NOT NULL DEFAULT '',
    ADD COLUMN language TEXT NOT NULL DEFAULT '',
    ADD COLUMN ip       TEXT NOT NULL DEFAULT '',
    ADD COLUMN agent    TEXT NOT NULL DEFAULT '',
    -- The chain in the upper half, the number in it in the lower; null in what was recorded before there were chains, until it is put into one.
    ADD COLUMN event    BIGINT,
    ADD COLUMN link     BYTEA,
    -- With the salt the personal part (evidence, ip, agent) enters the chain; once that is erased, what it entered as stands in personal.
    ADD COLUMN salt     BYTEA,
    ADD COLUMN personal BYTEA;
CREATE UNIQUE INDEX consents_event ON consents (event);
CREATE INDEX consents_erased ON consents (person_id) WHERE action = 'erased';

-- A chain and its last event. A transaction that appends holds one, and no other waits for it.
CREATE TABLE consent_chains (
    chain_id BIGINT NOT NULL PRIMARY KEY,
    key_id   BYTEA  NOT NULL,
    seq      BIGINT NOT NULL,
    link     BYTEA  NOT NULL
);

-- How many lines of checkpoints each state_dir wrote at least, by the key that signs them.
CREATE TABLE consent_checkpoints (
    key_id BYTEA  NOT NULL PRIMARY KEY,
    lines  BIGINT NOT NULL,
    at     BIGINT NOT NULL
);

-- 1 while events of before wait to be put into a chain.
ALTER TABLE instance ADD COLUMN unchained BIGINT NOT NULL DEFAULT 0;
UPDATE instance SET unchained = 1 WHERE EXISTS (SELECT 1 FROM consents);

-- The consent that the message relied on, by consents.event.
ALTER TABLE deliveries ADD COLUMN consent_event BIGINT;

-- +goose Down
ALTER TABLE deliveries DROP COLUMN consent_event;
ALTER TABLE instance DROP COLUMN unchained;
DROP TABLE consent_checkpoints;
DROP TABLE consent_chains;
DROP INDEX consents_erased;
DROP INDEX consents_event;
DELETE FROM consents WHERE action IN ('pending', 'erased');
UPDATE consents SET action = 'granted' WHERE action = 'confirmed';
UPDATE consents SET action = 'revoked' WHERE action = 'expired';
ALTER TABLE consents DROP CONSTRAINT consents_action_check;
ALTER TABLE consents ADD CONSTRAINT consents_action_check CHECK (action IN ('granted', 'revoked'));
ALTER TABLE consents DROP COLUMN business, DROP COLUMN language, DROP COLUMN ip, DROP COLUMN agent,
    DROP COLUMN event, DROP COLUMN link, DROP COLUMN salt, DROP COLUMN personal;
