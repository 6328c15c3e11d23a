-- Callbacks that receivers refused and that may have been pages: whoever works on a pull sees the count
-- grow, whichever process refused.
CREATE TABLE qopen_journal.refusal (count bigint NOT NULL);
INSERT INTO qopen_journal.refusal VALUES (0);
