-- A robot's customers: its last complete list.
CREATE TABLE qopen.robot_account (
    robot_id text NOT NULL,
    account_id text NOT NULL,
    account_type bigint NOT NULL,
    deleted_by_contact boolean NOT NULL,
    deleted_by_staff boolean NOT NULL,
    name text NOT NULL,
    gender bigint NOT NULL,
    avatar text NOT NULL,
    alias text NOT NULL,
    phone text NOT NULL,
    -- Null where it is not given.
    add_at timestamptz,
    add_way bigint NOT NULL,
    union_id text NOT NULL,
    external_user_id text NOT NULL,
    state_code text NOT NULL,
    channel_name text NOT NULL,
    "desc" text NOT NULL,
    -- The whole record, as a line of JSONL has it.
    account json NOT NULL,
    PRIMARY KEY (robot_id, account_id)
);

-- Their tags, in the platform's order.
CREATE TABLE qopen.tag (
    robot_id text NOT NULL,
    account_id text NOT NULL,
    place integer NOT NULL,
    parent_tag_name text NOT NULL,
    tag_name text NOT NULL,
    PRIMARY KEY (robot_id, account_id, place)
);
CREATE INDEX tag_name ON qopen.tag (robot_id, parent_tag_name, tag_name);

-- A partial list stands beside the last complete one.
CREATE TABLE qopen.partial_robot_account (LIKE qopen.robot_account INCLUDING ALL);
CREATE TABLE qopen.partial_tag (LIKE qopen.tag INCLUDING ALL);

-- What is published of each robot: its complete list, and a partial one where there is one.
CREATE TABLE qopen.pull (
    robot_id text NOT NULL,
    complete boolean NOT NULL,
    mark_id text NOT NULL,
    revision bigint NOT NULL,
    accounts bigint NOT NULL,
    -- When the pull was started, or first heard of.
    started_at timestamptz,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (robot_id, complete)
);

-- Accounts and pages of the last pull that could not be read, as they came.
CREATE TABLE qopen.quarantine (
    robot_id text NOT NULL,
    place bigint NOT NULL,
    entry json NOT NULL,
    PRIMARY KEY (robot_id, place)
);
