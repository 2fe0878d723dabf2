-- Where messages are pushed to.
CREATE TABLE endpoints (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    topic TEXT NOT NULL,
    url TEXT NOT NULL,
    concurrency BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    timeout_ms BIGINT NOT NULL,
    ordered BIGINT NOT NULL,
    secret TEXT NOT NULL,
    -- Signs too until its time is over, in milliseconds since 1970 UTC.
    old_secret TEXT,
    old_secret_until BIGINT,
    -- Why nothing is pushed, and since when; nothing while it is.
    disabled TEXT,
    disabled_at BIGINT,
    -- Rises with every change, for those who push.
    revision BIGINT NOT NULL
);
