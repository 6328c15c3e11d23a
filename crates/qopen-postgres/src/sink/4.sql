-- What the completeness of a list rests on: as data, and in one sentence. Null for a partial list, and for lists
-- that an earlier version published. The evidence is also null if the journal has none.
ALTER TABLE qopen.pull ADD COLUMN evidence jsonb, ADD COLUMN basis text;

ALTER TABLE qopen.list
    -- The list's number in the order of lists, as in qopen.pull.
    ADD COLUMN list_order bigint,
    ADD COLUMN evidence jsonb,
    ADD COLUMN basis text,
    -- The digests of the lines of the list before and of this list, as in a file of changes. Null if they are not
    -- known.
    ADD COLUMN digest_before text,
    ADD COLUMN digest text;
