-- Users and records get numbers: a rating is then four small numbers in each of its two trees
-- instead of three texts, and keys are compared as numbers.
CREATE TABLE users (
    number INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO users (user_id) SELECT DISTINCT user_id FROM ratings ORDER BY user_id;

-- New records get the next number, and those rated often come early: what one batch
-- changes lies together.
CREATE TABLE numbered_aggregates (
    number INTEGER PRIMARY KEY,
    record_type TEXT NOT NULL,
    record_id TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0),
    sum INTEGER NOT NULL CHECK (sum >= 0),
    h1 INTEGER NOT NULL,
    h2 INTEGER NOT NULL,
    h3 INTEGER NOT NULL,
    h4 INTEGER NOT NULL,
    h5 INTEGER NOT NULL,
    h6 INTEGER NOT NULL,
    h7 INTEGER NOT NULL,
    h8 INTEGER NOT NULL,
    h9 INTEGER NOT NULL,
    h10 INTEGER NOT NULL,
    version INTEGER NOT NULL,
    changed_at INTEGER NOT NULL DEFAULT 0,
    -- What tells most apart stands first, so that most comparisons are of one text.
    UNIQUE (record_id, record_type)
) STRICT;
INSERT INTO numbered_aggregates
        (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version,
         changed_at)
    SELECT record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version,
           changed_at
    FROM aggregates ORDER BY record_type, record_id;
DROP TABLE aggregates;
ALTER TABLE numbered_aggregates RENAME TO aggregates;
CREATE INDEX aggregates_by_change ON aggregates (record_type, changed_at, record_id);

CREATE TABLE numbered_ratings (
    user_number INTEGER NOT NULL,
    record_number INTEGER NOT NULL,
    half_stars INTEGER NOT NULL CHECK (half_stars BETWEEN 1 AND 10),
    -- In milliseconds since 1970 UTC; 0 for ratings from before this was kept.
    rated_at INTEGER NOT NULL,
    PRIMARY KEY (user_number, record_number)
) WITHOUT ROWID, STRICT;
DROP INDEX ratings_by_time;
-- A user's ratings, read from the end. Made before its rows: they come user by user, so that nothing
-- is sorted.
CREATE INDEX ratings_by_time ON numbered_ratings (user_number, rated_at, record_number);
-- In the order of the old tree, which is that of the numbers.
INSERT INTO numbered_ratings (user_number, record_number, half_stars, rated_at)
    SELECT users.number, aggregates.number, ratings.half_stars, ratings.rated_at
    FROM ratings
    CROSS JOIN users ON users.user_id = ratings.user_id
    CROSS JOIN aggregates ON aggregates.record_type = ratings.record_type
        AND aggregates.record_id = ratings.record_id;
DROP TABLE ratings;
ALTER TABLE numbered_ratings RENAME TO ratings;
