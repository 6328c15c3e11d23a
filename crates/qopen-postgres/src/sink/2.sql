-- Which of two lists is later: a number that is taken when a pull is started, and no clock. What was
-- published before is earlier than all that is started from now on.
CREATE SEQUENCE qopen.list_order;
ALTER TABLE qopen.pull ADD COLUMN list_order bigint NOT NULL DEFAULT 0;

-- A name of any length can be looked up; an index by itself holds 2,700 bytes at most.
DROP INDEX qopen.tag_name;
CREATE INDEX tag_name ON qopen.tag USING hash (tag_name);
DO $$
DECLARE
    old regclass;
BEGIN
    -- The partial table has a generated index name.
    FOR old IN
        SELECT indexrelid::regclass FROM pg_index
        WHERE indrelid = 'qopen.partial_tag'::regclass AND NOT indisprimary
    LOOP
        EXECUTE 'DROP INDEX ' || old;
    END LOOP;
END $$;
