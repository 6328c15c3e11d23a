-- The published lists of each robot, with the numbers of their changes. The latest one is in qopen.robot_account.
CREATE TABLE qopen.list (
    robot_id text COLLATE "C" NOT NULL,
    -- Counts a robot's lists, from 1. A revision of a list keeps its number.
    number bigint NOT NULL,
    mark_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    -- Whether changes begin with this list: it is the robot's first one, or starts anew.
    baseline boolean NOT NULL,
    -- The list before it. Null for a baseline.
    since_mark_id text COLLATE "C",
    since_revision bigint,
    accounts_before bigint NOT NULL,
    accounts bigint NOT NULL,
    added bigint NOT NULL,
    gone bigint NOT NULL,
    lost bigint NOT NULL,
    removed bigint NOT NULL,
    returned bigint NOT NULL,
    changed bigint NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (robot_id, number)
);

-- The customers that changed with each list.
CREATE TABLE qopen.change (
    robot_id text COLLATE "C" NOT NULL,
    -- The list, in qopen.list.
    number bigint NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    mark_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    since_mark_id text COLLATE "C",
    since_revision bigint,
    -- added, gone, lost, removed, returned or changed.
    change text COLLATE "C" NOT NULL,
    -- The fields that differ, such as profile.name. Empty for added and gone.
    fields text[] NOT NULL,
    -- The whole record in the list before. Null for added.
    before json,
    -- The whole record in this list. Null for gone.
    account json,
    PRIMARY KEY (robot_id, number, account_id)
);
