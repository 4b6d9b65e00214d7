-- +goose Up
-- One row per import of a file. seen_at is its last commit: an import that was cut off has it, and no finished_at.
CREATE TABLE imports (
    import_id    TEXT   NOT NULL PRIMARY KEY,
    kind         TEXT   NOT NULL CHECK (kind IN ('contacts', 'consents', 'suppressions')),
    file         TEXT   NOT NULL DEFAULT '',
    file_hash    BYTEA,
    actor        TEXT   NOT NULL DEFAULT '',
    started_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    finished_at  BIGINT,
    added        BIGINT NOT NULL DEFAULT 0,
    changed      BIGINT NOT NULL DEFAULT 0,
    unchanged    BIGINT NOT NULL DEFAULT 0,
    rejected     BIGINT NOT NULL DEFAULT 0,
    undone_by    TEXT   NOT NULL DEFAULT '',
    undone_at    BIGINT,
    forgotten_at BIGINT
);

-- What an import of contacts did to one of them, until it is undone or forgotten. Of a contact that it added, person and import are all
-- there is; of one that it changed, the values before and after, and the contact's updated_at before (was) and after (version).
CREATE TABLE import_changes (
    import_id TEXT   NOT NULL,
    person_id BYTEA  NOT NULL,
    was       BIGINT,
    version   BIGINT,
    fields    TEXT,
    PRIMARY KEY (import_id, person_id)
);

-- One row: who gives a number its person shares it, who takes a person away holds it alone.
CREATE TABLE people_gate (
    only_one   BIGINT NOT NULL PRIMARY KEY CHECK (only_one = 1),
    changed_at BIGINT NOT NULL DEFAULT 0
);
INSERT INTO people_gate (only_one) VALUES (1);

-- +goose Down
DROP TABLE people_gate, import_changes, imports;
