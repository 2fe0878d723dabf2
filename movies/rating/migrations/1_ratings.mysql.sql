CREATE TABLE ratings (
    record_type VARCHAR(32) NOT NULL,
    record_id VARCHAR(64) NOT NULL,
    user_id VARCHAR(64) NOT NULL,
    half_stars BIGINT NOT NULL CHECK (half_stars BETWEEN 1 AND 10),
    PRIMARY KEY (record_type, record_id, user_id)
);

-- Kept in the commit that changes the rating, so that reading it never counts.
CREATE TABLE aggregates (
    record_type VARCHAR(32) NOT NULL,
    record_id VARCHAR(64) NOT NULL,
    count BIGINT NOT NULL CHECK (count >= 0),
    sum BIGINT NOT NULL CHECK (sum >= 0),
    h1 BIGINT NOT NULL,
    h2 BIGINT NOT NULL,
    h3 BIGINT NOT NULL,
    h4 BIGINT NOT NULL,
    h5 BIGINT NOT NULL,
    h6 BIGINT NOT NULL,
    h7 BIGINT NOT NULL,
    h8 BIGINT NOT NULL,
    h9 BIGINT NOT NULL,
    h10 BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (record_type, record_id)
);
