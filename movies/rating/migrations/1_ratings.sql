CREATE TABLE ratings (
    record_type TEXT NOT NULL,
    record_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    half_stars INTEGER NOT NULL CHECK (half_stars BETWEEN 1 AND 10),
    PRIMARY KEY (record_type, record_id, user_id)
) WITHOUT ROWID;

-- Kept in the commit that changes the rating, so that reading it never counts.
CREATE TABLE aggregates (
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
    PRIMARY KEY (record_type, record_id)
) WITHOUT ROWID;
