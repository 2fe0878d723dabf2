-- The order of the catalogue: each shelf holds the numbers of the films that stand from its place
-- to the place of the next one, in order, four bytes each, the highest first.
CREATE TABLE shelves (
    sort_key VARCHAR(700) NOT NULL,
    id VARCHAR(64) NOT NULL,
    numbers VARBINARY(1792) NOT NULL,
    PRIMARY KEY (sort_key, id)
);

-- No film stands before the first shelf. The others get 256 films to start with, the most that
-- GROUP_CONCAT joins (1,024 bytes); those that are not numbered yet count, so that no shelf will be
-- too full when they are.
INSERT INTO shelves (sort_key, id, numbers) VALUES ('', '', '');
INSERT INTO shelves (sort_key, id, numbers)
SELECT
    MAX(CASE WHEN nth MOD 256 = 0 THEN sort_key END),
    MAX(CASE WHEN nth MOD 256 = 0 THEN id END),
    COALESCE(
        GROUP_CONCAT(
            CASE WHEN number > 0 THEN UNHEX(LPAD(HEX(number), 8, '0')) END ORDER BY nth SEPARATOR ''
        ),
        ''
    )
FROM (
    SELECT sort_key, id, number, ROW_NUMBER() OVER (ORDER BY sort_key, id) - 1 AS nth FROM movies
) AS placed
GROUP BY nth DIV 256;
