-- The database, the table and the transaction that wrote this row: a row with another of them is a restored copy. Null if
-- a version before this one used the journal last.
ALTER TABLE qopen_journal.identity ADD COLUMN home text;
