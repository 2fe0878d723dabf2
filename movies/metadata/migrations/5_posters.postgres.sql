-- What can be shown of a poster: a JSON array of pictures.
ALTER TABLE movies ADD COLUMN pictures TEXT COLLATE "C" NOT NULL DEFAULT '[]';

-- The poster that a film shall have, and why it cannot.
CREATE TABLE posters (
    film TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sha256 TEXT COLLATE "C" NOT NULL,
    refused TEXT COLLATE "C" NOT NULL
);

-- Which files a film needs: what nobody needs is deleted.
CREATE TABLE needs (
    sha256 TEXT COLLATE "C" NOT NULL,
    film TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (sha256, film)
);
CREATE INDEX needs_by_film ON needs (film, sha256);
INSERT INTO needs (sha256, film) SELECT poster, id FROM movies WHERE poster <> '';
INSERT INTO posters (film, sha256, refused) SELECT id, poster, '' FROM movies WHERE poster <> '';

CREATE INDEX uploads_by_hash ON uploads (sha256);
