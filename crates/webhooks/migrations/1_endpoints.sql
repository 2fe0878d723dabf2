-- Where messages are pushed to.
CREATE TABLE endpoints (
    name TEXT NOT NULL PRIMARY KEY,
    topic TEXT NOT NULL,
    url TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    ordered INTEGER NOT NULL,
    secret TEXT NOT NULL,
    -- Signs too until its time is over, in milliseconds since 1970 UTC.
    old_secret TEXT,
    old_secret_until INTEGER,
    -- Why nothing is pushed, and since when; nothing while it is.
    disabled TEXT,
    disabled_at INTEGER,
    -- Rises with every change, for those who push.
    revision INTEGER NOT NULL
) STRICT;
