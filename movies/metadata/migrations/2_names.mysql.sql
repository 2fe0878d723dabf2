ALTER TABLE movies
    ADD COLUMN imdb_id VARCHAR(16) NOT NULL DEFAULT '',
    ADD COLUMN poster VARCHAR(64) NOT NULL DEFAULT '',
    -- Counted from 1 in order of arrival; 0 until the film is entered under its names.
    ADD COLUMN number BIGINT NOT NULL DEFAULT 0,
    -- In milliseconds since 1970 UTC.
    ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0,
    ADD INDEX movies_by_number (number),
    ADD INDEX movies_by_change (changed_at, id);

-- One row: whoever changes films holds it, so that numbers and changes have an order.
CREATE TABLE catalogue (
    id BIGINT NOT NULL PRIMARY KEY,
    films BIGINT NOT NULL,
    last_number BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
INSERT INTO catalogue (id, films, last_number, changed_at) VALUES (1, 0, 0, 0);

-- Which films a name leads to: 4,096 numbers to a block.
CREATE TABLE postings (
    name VARCHAR(128) NOT NULL,
    block BIGINT NOT NULL,
    bits VARBINARY(512) NOT NULL,
    PRIMARY KEY (name, block)
);

-- How many films a genre ("g" and its key) or decade ("d" and its first year) has.
CREATE TABLE facets (
    facet VARCHAR(128) NOT NULL PRIMARY KEY,
    kind VARCHAR(1) NOT NULL,
    name VARCHAR(64) NOT NULL,
    films BIGINT NOT NULL,
    INDEX facets_by_size (kind, films, facet)
);
