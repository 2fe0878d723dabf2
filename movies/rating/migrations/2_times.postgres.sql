ALTER TABLE ratings
    ADD COLUMN rated_at BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT ratings_pkey,
    ADD PRIMARY KEY (user_id, record_type, record_id);
CREATE INDEX ratings_by_time ON ratings (user_id, rated_at, record_type, record_id);
ALTER TABLE aggregates ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX aggregates_by_change ON aggregates (record_type, changed_at, record_id);
CREATE TABLE outside_ratings (
    record_type TEXT COLLATE "C" NOT NULL,
    record_id TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    mean DOUBLE PRECISION NOT NULL,
    votes BIGINT NOT NULL,
    PRIMARY KEY (record_type, record_id, source)
);
