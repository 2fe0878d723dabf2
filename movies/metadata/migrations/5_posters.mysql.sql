-- What can be shown of a poster: a JSON array of pictures.
ALTER TABLE movies ADD COLUMN pictures VARCHAR(2000) NOT NULL DEFAULT '[]';

-- The poster that a film shall have, and why it cannot.
CREATE TABLE posters (
    film VARCHAR(64) NOT NULL PRIMARY KEY,
    sha256 VARCHAR(64) NOT NULL,
    refused VARCHAR(1000) NOT NULL
);

-- Which files a film needs: what nobody needs is deleted.
CREATE TABLE needs (
    sha256 VARCHAR(64) NOT NULL,
    film VARCHAR(64) NOT NULL,
    PRIMARY KEY (sha256, film),
    INDEX needs_by_film (film, sha256)
);
INSERT INTO needs (sha256, film) SELECT poster, id FROM movies WHERE poster <> '';
INSERT INTO posters (film, sha256, refused) SELECT id, poster, '' FROM movies WHERE poster <> '';

ALTER TABLE uploads ADD INDEX uploads_by_hash (sha256);
