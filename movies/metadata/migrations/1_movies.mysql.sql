CREATE TABLE movies (
    id VARCHAR(64) NOT NULL PRIMARY KEY,
    sort_key VARCHAR(700) NOT NULL,
    title VARCHAR(500) NOT NULL,
    description TEXT NOT NULL,
    director VARCHAR(500) NOT NULL,
    year BIGINT NOT NULL,
    -- JSON arrays of strings.
    cast_names MEDIUMTEXT NOT NULL,
    genres MEDIUMTEXT NOT NULL
);

CREATE INDEX movies_in_order ON movies (sort_key, id);
