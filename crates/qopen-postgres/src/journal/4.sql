-- The cluster, database and table in which the journal was used last: in another place it is a restored copy. Null if a
-- version before this one used it last.
ALTER TABLE qopen_journal.identity ADD COLUMN home text;
