CREATE TABLE movies (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sort_key TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    director TEXT COLLATE "C" NOT NULL,
    year BIGINT NOT NULL,
    -- JSON arrays of strings.
    cast_names TEXT COLLATE "C" NOT NULL,
    genres TEXT COLLATE "C" NOT NULL
);

CREATE INDEX movies_in_order ON movies (sort_key, id);
