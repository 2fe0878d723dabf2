-- What is on its way to be a film's poster.
CREATE TABLE uploads (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    film TEXT COLLATE "C" NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    received BIGINT NOT NULL,
    -- Whose segments hold its bytes.
    content TEXT COLLATE "C" NOT NULL,
    -- In milliseconds since 1970 UTC.
    touched_at BIGINT NOT NULL
);
CREATE INDEX uploads_by_time ON uploads (touched_at, id);

-- Each content once, under its hash.
CREATE TABLE files (
    sha256 TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    media_type TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL
);

-- Bytes, 64 KiB to a segment; the last one may be shorter.
CREATE TABLE segments (
    content TEXT COLLATE "C" NOT NULL,
    segment BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (content, segment)
);
