-- The order of lists: the last number.
CREATE TABLE IF NOT EXISTS list_order (
    id TINYINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
) {table};
INSERT IGNORE INTO list_order (id, last) VALUES (1, 0);

-- A row for each robot, which its writers lock one after the other.
CREATE TABLE IF NOT EXISTS robot_writer (
    robot_key VARCHAR(32) NOT NULL PRIMARY KEY,
    robot_id VARCHAR(512) NOT NULL,
    -- Counts the robot's publications.
    publications BIGINT NOT NULL
) {table};

-- A robot's customers: its last complete list.
CREATE TABLE IF NOT EXISTS robot_account (
    robot_key VARCHAR(32) NOT NULL,
    robot_id VARCHAR(512) NOT NULL,
    account_id VARCHAR(512) NOT NULL,
    {columns}
    -- The whole record, as a line of JSONL has it.
    account LONGTEXT NOT NULL,
    PRIMARY KEY (robot_key, account_id),
    KEY robot_account_of_robot (robot_id(190), account_id(190))
) {table};

-- Their tags, in the platform's order.
CREATE TABLE IF NOT EXISTS tag (
    robot_key VARCHAR(32) NOT NULL,
    robot_id VARCHAR(512) NOT NULL,
    account_id VARCHAR(512) NOT NULL,
    place INTEGER NOT NULL,
    parent_tag_name LONGTEXT NOT NULL,
    tag_name LONGTEXT NOT NULL,
    PRIMARY KEY (robot_key, account_id, place),
    KEY tag_of_robot (robot_id(190), account_id(190))
) {table};

-- A partial list, beside the last complete one.
CREATE TABLE IF NOT EXISTS partial_robot_account LIKE robot_account;
CREATE TABLE IF NOT EXISTS partial_tag LIKE tag;

-- What is published of each robot: its complete list, and a partial one where there is one.
CREATE TABLE IF NOT EXISTS pull (
    robot_key VARCHAR(32) NOT NULL,
    robot_id VARCHAR(512) NOT NULL,
    complete BOOLEAN NOT NULL,
    mark_id VARCHAR(512) NOT NULL,
    revision BIGINT NOT NULL,
    accounts BIGINT NOT NULL,
    -- In UTC.
    published_at DATETIME NOT NULL,
    -- The place in the order of lists: a number that is taken when a pull is started, and no clock.
    list_order BIGINT NOT NULL,
    -- What the completeness of the list rests on, as JSON and in one sentence. Null for a partial list.
    evidence LONGTEXT,
    basis LONGTEXT,
    PRIMARY KEY (robot_key, complete)
) {table};

-- Accounts and pages of the last pull that could not be read, as they came.
CREATE TABLE IF NOT EXISTS quarantine (
    robot_key VARCHAR(32) NOT NULL,
    robot_id VARCHAR(512) NOT NULL,
    place BIGINT NOT NULL,
    entry LONGTEXT NOT NULL,
    PRIMARY KEY (robot_key, place)
) {table};

-- The published lists of each robot, with the numbers of their changes. The latest one is in robot_account.
CREATE TABLE IF NOT EXISTS list (
    robot_key VARCHAR(32) NOT NULL,
    robot_id VARCHAR(512) NOT NULL,
    -- Counts a robot's lists, from 1. A revision of a list keeps its number.
    number BIGINT NOT NULL,
    mark_id VARCHAR(512) NOT NULL,
    revision BIGINT NOT NULL,
    -- Whether changes begin with this list: it is the robot's first one, or starts anew.
    baseline BOOLEAN NOT NULL,
    -- The list before it. Null for a baseline.
    since_mark_id VARCHAR(512),
    since_revision BIGINT,
    accounts_before BIGINT NOT NULL,
    accounts BIGINT NOT NULL,
    added BIGINT NOT NULL,
    gone BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    removed BIGINT NOT NULL,
    returned BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    published_at DATETIME NOT NULL,
    list_order BIGINT NOT NULL,
    evidence LONGTEXT,
    basis LONGTEXT,
    -- The digests of the lines of the list before and of this list, as in a file of changes. Null if they are not
    -- known.
    digest_before VARCHAR(64),
    digest VARCHAR(64),
    PRIMARY KEY (robot_key, number),
    KEY list_of_robot (robot_id(190), number)
) {table};

-- The customers that changed with each list.
CREATE TABLE IF NOT EXISTS `change` (
    robot_key VARCHAR(32) NOT NULL,
    robot_id VARCHAR(512) NOT NULL,
    -- The list, in the table list.
    number BIGINT NOT NULL,
    account_id VARCHAR(512) NOT NULL,
    mark_id VARCHAR(512) NOT NULL,
    revision BIGINT NOT NULL,
    since_mark_id VARCHAR(512),
    since_revision BIGINT,
    -- added, gone, lost, removed, returned or changed.
    `change` VARCHAR(16) NOT NULL,
    -- A JSON array of the fields that differ, such as profile.name. Empty for added and gone.
    fields LONGTEXT NOT NULL,
    -- The whole record in the list before. Null for added.
    `before` LONGTEXT,
    -- The whole record in this list. Null for gone.
    account LONGTEXT,
    PRIMARY KEY (robot_key, number, account_id),
    KEY change_of_robot (robot_id(190), number)
) {table};
