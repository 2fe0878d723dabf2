-- The order of the catalogue: each shelf holds the numbers of the films that stand from its place
-- to the place of the next one, in order, four bytes each, the highest first.
CREATE TABLE shelves (
    sort_key TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    numbers BYTEA NOT NULL,
    PRIMARY KEY (sort_key, id)
);

-- No film stands before the first shelf. The others get 256 films to start with; those that are
-- not numbered yet count, so that no shelf will be too full when they are.
INSERT INTO shelves (sort_key, id, numbers) VALUES ('', '', ''::bytea);
INSERT INTO shelves (sort_key, id, numbers)
SELECT
    MAX(CASE WHEN nth % 256 = 0 THEN sort_key END),
    MAX(CASE WHEN nth % 256 = 0 THEN id END),
    COALESCE(
        string_agg(CASE WHEN number > 0 THEN int4send(number::int) END, ''::bytea ORDER BY nth),
        ''::bytea
    )
FROM (
    SELECT sort_key, id, number, ROW_NUMBER() OVER (ORDER BY sort_key, id) - 1 AS nth FROM movies
) AS placed
GROUP BY nth / 256;
