-- The order in which pulls were started, or first heard of.
CREATE SEQUENCE qopen_journal.place;
ALTER TABLE qopen_journal.pull ADD COLUMN place bigint;
UPDATE qopen_journal.pull SET place = ordered.place FROM (
    SELECT robot_id, mark_id, nextval('qopen_journal.place') AS place FROM (
        SELECT robot_id, mark_id, coalesce(
            (SELECT min(at) FROM qopen_journal.note
             WHERE note.robot_id = pull.robot_id AND note.mark_id = pull.mark_id),
            (SELECT min(at) FROM qopen_journal.page
             WHERE page.robot_id = pull.robot_id AND page.mark_id = pull.mark_id)
        ) AS began FROM qopen_journal.pull ORDER BY 3, 1, 2
    ) AS began
) AS ordered WHERE pull.robot_id = ordered.robot_id AND pull.mark_id = ordered.mark_id;
ALTER TABLE qopen_journal.pull
    ALTER COLUMN place SET DEFAULT nextval('qopen_journal.place'),
    ALTER COLUMN place SET NOT NULL,
    -- What was there of a pull when a worker had finished it, in that snapshot. It holds until the pull
    -- has news, or a worker again.
    ADD COLUMN counted pg_snapshot,
    ADD COLUMN page_count bigint,
    ADD COLUMN page_bytes bigint,
    ADD COLUMN page_last timestamptz;

-- How much time was observed, and which numbers records had by then: ages are told by that.
CREATE TABLE qopen_journal.age (observed json NOT NULL, swept xid8 NOT NULL);
INSERT INTO qopen_journal.age VALUES ('{}', pg_snapshot_xmin(pg_current_snapshot()));
CREATE TABLE qopen_journal.mark (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    page bigint NOT NULL,
    note bigint NOT NULL,
    item bigint NOT NULL,
    event bigint NOT NULL
);

-- Written now and then: whether anything can be.
CREATE TABLE qopen_journal.pulse (at timestamptz NOT NULL);
INSERT INTO qopen_journal.pulse VALUES (clock_timestamp());
