-- What is on its way to be a film's poster.
CREATE TABLE uploads (
    id VARCHAR(64) NOT NULL PRIMARY KEY,
    film VARCHAR(64) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    size BIGINT NOT NULL,
    received BIGINT NOT NULL,
    -- Whose segments hold its bytes.
    content VARCHAR(64) NOT NULL,
    -- In milliseconds since 1970 UTC.
    touched_at BIGINT NOT NULL,
    INDEX uploads_by_time (touched_at, id)
);

-- Each content once, under its hash.
CREATE TABLE files (
    sha256 VARCHAR(64) NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    media_type VARCHAR(32) NOT NULL,
    content VARCHAR(64) NOT NULL
);

-- Bytes, 64 KiB to a segment; the last one may be shorter.
CREATE TABLE segments (
    content VARCHAR(64) NOT NULL,
    segment BIGINT NOT NULL,
    bytes MEDIUMBLOB NOT NULL,
    PRIMARY KEY (content, segment)
);
