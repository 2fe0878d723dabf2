CREATE TABLE users (
    number BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id VARCHAR(64) NOT NULL,
    UNIQUE INDEX users_by_id (user_id)
);
INSERT INTO users (user_id) SELECT DISTINCT user_id FROM ratings ORDER BY user_id;
ALTER TABLE aggregates
    ADD COLUMN number BIGINT NOT NULL AUTO_INCREMENT FIRST,
    DROP PRIMARY KEY,
    ADD PRIMARY KEY (number),
    ADD UNIQUE INDEX aggregates_by_record (record_type, record_id);
ALTER TABLE ratings
    ADD COLUMN user_number BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN record_number BIGINT NOT NULL DEFAULT 0;
UPDATE ratings
    JOIN users ON users.user_id = ratings.user_id
    JOIN aggregates ON aggregates.record_type = ratings.record_type
        AND aggregates.record_id = ratings.record_id
    SET ratings.user_number = users.number, ratings.record_number = aggregates.number;
ALTER TABLE ratings
    DROP PRIMARY KEY,
    DROP INDEX ratings_by_time,
    DROP COLUMN user_id,
    DROP COLUMN record_type,
    DROP COLUMN record_id,
    ADD PRIMARY KEY (user_number, record_number),
    ADD INDEX ratings_of_users_by_time (user_number, rated_at, record_number);
