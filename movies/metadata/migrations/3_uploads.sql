-- What is on its way to be a film's poster.
CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    film TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    received INTEGER NOT NULL,
    -- Whose segments hold its bytes.
    content TEXT NOT NULL,
    -- In milliseconds since 1970 UTC.
    touched_at INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_by_time ON uploads (touched_at, id);

-- Each content once, under its hash.
CREATE TABLE files (
    sha256 TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;

-- Bytes, 64 KiB to a segment; the last one may be shorter.
CREATE TABLE segments (
    content TEXT NOT NULL,
    segment INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (content, segment)
) STRICT;
