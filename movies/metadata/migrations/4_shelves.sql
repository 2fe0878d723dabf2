-- The order of the catalogue: each shelf holds the numbers of the films that stand from its place
-- to the place of the next one, in order, four bytes each, the highest first.
CREATE TABLE shelves (
    sort_key TEXT NOT NULL,
    id TEXT NOT NULL,
    numbers BLOB NOT NULL,
    PRIMARY KEY (sort_key, id)
) STRICT;

-- No film stands before the first shelf. The others get 256 films to start with; those that are
-- not numbered yet count, so that no shelf will be too full when they are.
INSERT INTO shelves (sort_key, id, numbers) VALUES ('', '', x'');
INSERT INTO shelves (sort_key, id, numbers)
SELECT
    MAX(CASE WHEN nth % 256 = 0 THEN sort_key END),
    MAX(CASE WHEN nth % 256 = 0 THEN id END),
    COALESCE(
        unhex(group_concat(CASE WHEN number > 0 THEN printf('%08x', number) END, '' ORDER BY nth)),
        x''
    )
FROM (
    SELECT sort_key, id, number, ROW_NUMBER() OVER (ORDER BY sort_key, id) - 1 AS nth FROM movies
) AS placed
GROUP BY nth / 256;
