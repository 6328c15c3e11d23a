-- Every record has a number of its own. Later records have greater ones.
CREATE TABLE IF NOT EXISTS journal (
    format INTEGER NOT NULL,
    last INTEGER NOT NULL,
    ages TEXT NOT NULL
) STRICT;
INSERT INTO journal SELECT 1, 0, '{}' WHERE NOT EXISTS (SELECT * FROM journal);

CREATE TABLE IF NOT EXISTS pull (
    id INTEGER PRIMARY KEY,
    robot TEXT NOT NULL,
    mark TEXT NOT NULL,
    -- The number of its start, or else of its first record.
    place INTEGER NOT NULL,
    -- The number of its newest record.
    newest INTEGER NOT NULL,
    UNIQUE (robot, mark)
) STRICT;

CREATE TABLE IF NOT EXISTS page (
    number INTEGER PRIMARY KEY,
    pull INTEGER NOT NULL REFERENCES pull ON DELETE CASCADE,
    digest BLOB NOT NULL,
    at INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (pull, digest)
) STRICT;

CREATE TABLE IF NOT EXISTS note (
    number INTEGER PRIMARY KEY,
    pull INTEGER NOT NULL REFERENCES pull ON DELETE CASCADE,
    at INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS note_pull ON note (pull);

CREATE TABLE IF NOT EXISTS item (
    number INTEGER PRIMARY KEY,
    -- NULL if its pull is unknown.
    pull INTEGER REFERENCES pull ON DELETE CASCADE,
    digest BLOB NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS item_once ON item (ifnull(pull, 0), digest);
CREATE INDEX IF NOT EXISTS item_pull ON item (pull);

CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    payload BLOB NOT NULL
) STRICT;
