-- Which database this is, for whoever writes into the same one.
CREATE TABLE qopen_journal.identity (id uuid NOT NULL DEFAULT gen_random_uuid());
INSERT INTO qopen_journal.identity DEFAULT VALUES;

-- What was committed before this was looked at by the spotter.
CREATE TABLE qopen_journal.spotter (looked pg_snapshot NOT NULL);
INSERT INTO qopen_journal.spotter VALUES (pg_current_snapshot());

-- Epochs of claims: greater from one to the next, also where a pull was forgotten in between.
CREATE SEQUENCE qopen_journal.epoch;

-- A pull as work. No page writes to a row that is there.
CREATE TABLE qopen_journal.pull (
    robot_id text COLLATE "C" NOT NULL,
    mark_id text COLLATE "C" NOT NULL,
    -- Started, and not finished.
    wants boolean NOT NULL DEFAULT false,
    -- Pages were kept that no worker has looked at; notes, or quarantined items.
    pages boolean NOT NULL DEFAULT false,
    notes boolean NOT NULL DEFAULT false,
    epoch bigint NOT NULL DEFAULT 0,
    worker text,
    held_until timestamptz,
    PRIMARY KEY (robot_id, mark_id)
) WITH (fillfactor = 60);
CREATE INDEX pull_work ON qopen_journal.pull (robot_id, mark_id)
    WHERE wants OR pages OR notes OR worker IS NOT NULL;
CREATE INDEX pull_mark ON qopen_journal.pull (mark_id);

CREATE TABLE qopen_journal.page (
    robot_id text COLLATE "C" NOT NULL,
    mark_id text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- By which the spotter tells what is committed since.
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- Bytes of the payload when it is unpacked (LZ4); null where it is not packed.
    unpacked integer,
    payload bytea NOT NULL,
    PRIMARY KEY (robot_id, mark_id, digest)
);
CREATE INDEX page_xid ON qopen_journal.page (xid);

CREATE TABLE qopen_journal.note (
    robot_id text COLLATE "C" NOT NULL,
    mark_id text COLLATE "C" NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    note json NOT NULL,
    PRIMARY KEY (robot_id, mark_id, number)
);

CREATE TABLE qopen_journal.quarantined (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Null where nobody knows whose it is.
    robot_id text COLLATE "C",
    mark_id text COLLATE "C",
    digest bytea NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    unpacked integer,
    payload bytea NOT NULL
);
CREATE UNIQUE INDEX quarantined_item ON qopen_journal.quarantined
    (coalesce(robot_id, ''), coalesce(mark_id, ''), digest);

CREATE TABLE qopen_journal.event (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    unpacked integer,
    payload bytea NOT NULL
);

-- Who hands events on.
CREATE TABLE qopen_journal.turn (
    name text PRIMARY KEY,
    worker text NOT NULL,
    held_until timestamptz NOT NULL
);

-- Payloads come packed.
ALTER TABLE qopen_journal.page ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE qopen_journal.quarantined ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE qopen_journal.event ALTER COLUMN payload SET STORAGE EXTERNAL;
