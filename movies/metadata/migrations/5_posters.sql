-- What can be shown of a poster: a JSON array of pictures.
ALTER TABLE movies ADD COLUMN pictures TEXT NOT NULL DEFAULT '[]';

-- The poster that a film shall have, and why it cannot.
CREATE TABLE posters (
    film TEXT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL,
    refused TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which files a film needs: what nobody needs is deleted.
CREATE TABLE needs (
    sha256 TEXT NOT NULL,
    film TEXT NOT NULL,
    PRIMARY KEY (sha256, film)
) STRICT, WITHOUT ROWID;
CREATE INDEX needs_by_film ON needs (film, sha256);
INSERT INTO needs (sha256, film) SELECT poster, id FROM movies WHERE poster <> '';
INSERT INTO posters (film, sha256, refused) SELECT id, poster, '' FROM movies WHERE poster <> '';

CREATE INDEX uploads_by_hash ON uploads (sha256);
