ALTER TABLE movies ADD COLUMN imdb_id TEXT NOT NULL DEFAULT '';
ALTER TABLE movies ADD COLUMN poster TEXT NOT NULL DEFAULT '';
-- Counted from 1 in order of arrival; 0 until the film is entered under its names.
ALTER TABLE movies ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
-- In milliseconds since 1970 UTC.
ALTER TABLE movies ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;

DROP INDEX movies_in_order;
CREATE INDEX movies_in_order ON movies (sort_key, id, number);
CREATE INDEX movies_by_number ON movies (number, sort_key, id);
CREATE INDEX movies_by_change ON movies (changed_at, id);

-- One row: whoever changes films holds it, so that numbers and changes have an order.
CREATE TABLE catalogue (
    id INTEGER NOT NULL PRIMARY KEY,
    films INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
INSERT INTO catalogue (id, films, last_number, changed_at) VALUES (1, 0, 0, 0);

-- Which films a name leads to: 4,096 numbers to a block.
CREATE TABLE postings (
    name TEXT NOT NULL,
    block INTEGER NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (name, block)
) STRICT, WITHOUT ROWID;

-- How many films a genre ("g" and its key) or decade ("d" and its first year) has.
CREATE TABLE facets (
    facet TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    films INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX facets_by_size ON facets (kind, films, facet);
