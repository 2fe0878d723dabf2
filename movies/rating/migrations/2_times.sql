-- One tree in the order of users: what is read and written together, one user's ratings, lies
-- together. A record's ratings are never read one by one: its aggregate stands for them.
CREATE TABLE ratings_of_users (
    user_id TEXT NOT NULL,
    record_type TEXT NOT NULL,
    record_id TEXT NOT NULL,
    half_stars INTEGER NOT NULL CHECK (half_stars BETWEEN 1 AND 10),
    -- In milliseconds since 1970 UTC; 0 for ratings from before this was kept.
    rated_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, record_type, record_id)
) WITHOUT ROWID, STRICT;
INSERT INTO ratings_of_users (user_id, record_type, record_id, half_stars)
    SELECT user_id, record_type, record_id, half_stars FROM ratings
    ORDER BY user_id, record_type, record_id;
DROP TABLE ratings;
ALTER TABLE ratings_of_users RENAME TO ratings;
-- A user's ratings, read from the end.
CREATE INDEX ratings_by_time ON ratings (user_id, rated_at, record_type, record_id);

-- When a record's ratings last changed, as above.
ALTER TABLE aggregates ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX aggregates_by_change ON aggregates (record_type, changed_at, record_id);

-- Averages that others publish, of votes nobody knows singly.
CREATE TABLE outside_ratings (
    record_type TEXT NOT NULL,
    record_id TEXT NOT NULL,
    source TEXT NOT NULL,
    -- In stars.
    mean REAL NOT NULL,
    votes INTEGER NOT NULL,
    PRIMARY KEY (record_type, record_id, source)
) WITHOUT ROWID, STRICT;
