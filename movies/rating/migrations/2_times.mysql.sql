ALTER TABLE ratings
    ADD COLUMN rated_at BIGINT NOT NULL DEFAULT 0,
    DROP PRIMARY KEY,
    ADD PRIMARY KEY (user_id, record_type, record_id),
    ADD INDEX ratings_by_time (user_id, rated_at, record_type, record_id);
ALTER TABLE aggregates
    ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0,
    ADD INDEX aggregates_by_change (record_type, changed_at, record_id);
CREATE TABLE outside_ratings (
    record_type VARCHAR(32) NOT NULL,
    record_id VARCHAR(64) NOT NULL,
    source VARCHAR(32) NOT NULL,
    mean DOUBLE NOT NULL,
    votes BIGINT NOT NULL,
    PRIMARY KEY (record_type, record_id, source)
);
