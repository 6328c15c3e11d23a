-- The tags of the customers in robot_account, in the platform's order.
CREATE TABLE tag (
    robot_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    parent_tag_name TEXT NOT NULL,
    tag_name TEXT NOT NULL,
    PRIMARY KEY (robot_id, account_id, place)
) WITHOUT ROWID;

-- The tags of a partial list.
CREATE TABLE partial_tag (
    robot_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    parent_tag_name TEXT NOT NULL,
    tag_name TEXT NOT NULL,
    PRIMARY KEY (robot_id, account_id, place)
) WITHOUT ROWID;

-- What is published of each robot: its complete list, and a partial one where there is one.
CREATE TABLE pull (
    robot_id TEXT NOT NULL,
    complete BOOLEAN NOT NULL,
    mark_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    accounts INTEGER NOT NULL,
    published_at TEXT NOT NULL,
    -- The place in the order of lists: a number that is taken when a pull is started, and no clock.
    list_order INTEGER NOT NULL,
    -- What the completeness of the list rests on, as JSON and in one sentence. Null for a partial list.
    evidence TEXT,
    basis TEXT,
    -- Another number after each publication of the robot.
    publication INTEGER NOT NULL,
    PRIMARY KEY (robot_id, complete)
) WITHOUT ROWID;

-- Accounts and pages of the last pull that could not be read, as they came.
CREATE TABLE quarantine (
    robot_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (robot_id, place)
) WITHOUT ROWID;

-- The published lists of each robot, with the numbers of their changes. The latest one is in robot_account.
CREATE TABLE list (
    robot_id TEXT NOT NULL,
    -- Counts a robot's lists, from 1. A revision of a list keeps its number.
    number INTEGER NOT NULL,
    mark_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    -- Whether changes begin with this list: it is the robot's first one, or starts anew.
    baseline BOOLEAN NOT NULL,
    -- The list before it. Null for a baseline.
    since_mark_id TEXT,
    since_revision INTEGER,
    accounts_before INTEGER NOT NULL,
    accounts INTEGER NOT NULL,
    added INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    published_at TEXT NOT NULL,
    list_order INTEGER NOT NULL,
    evidence TEXT,
    basis TEXT,
    -- The digests of the lines of the list before and of this list, as in a file of changes. Null if they are not
    -- known.
    digest_before TEXT,
    digest TEXT,
    PRIMARY KEY (robot_id, number)
) WITHOUT ROWID;

-- The customers that changed with each list.
CREATE TABLE change (
    robot_id TEXT NOT NULL,
    -- The list, in the table list.
    number INTEGER NOT NULL,
    account_id TEXT NOT NULL,
    mark_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    since_mark_id TEXT,
    since_revision INTEGER,
    -- added, gone, lost, removed, returned or changed.
    change TEXT NOT NULL,
    -- A JSON array of the fields that differ, such as profile.name. Empty for added and gone.
    fields TEXT NOT NULL,
    -- The whole record in the list before. Null for added.
    before TEXT,
    -- The whole record in this list. Null for gone.
    account TEXT,
    PRIMARY KEY (robot_id, number, account_id)
);

-- The last number of the order of lists.
CREATE TABLE list_order (last INTEGER NOT NULL);
INSERT INTO list_order VALUES (0);
