CREATE TABLE movies (
    id TEXT NOT NULL PRIMARY KEY,
    sort_key TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    director TEXT NOT NULL,
    year INTEGER NOT NULL,
    -- JSON arrays of strings.
    cast_names TEXT NOT NULL,
    genres TEXT NOT NULL
);

CREATE INDEX movies_in_order ON movies (sort_key, id);
