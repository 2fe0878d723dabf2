use super::*;
use crate::reader::Reader;
use crate::{Problem, Tally};
use std::fs;

/// A folder with these files.
fn folder(movies: &[u8], ratings: &[u8], links: Option<&[u8]>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("movies.csv"), movies).unwrap();
    fs::write(folder.path().join("ratings.csv"), ratings).unwrap();
    if let Some(links) = links {
        fs::write(folder.path().join("links.csv"), links).unwrap();
    }
    folder
}

struct Found {
    films: Vec<Metadata>,
    ratings: Vec<Rated>,
    problems: Vec<Problem>,
    tally: Tally,
}

impl Found {
    fn lines(&self) -> Vec<String> {
        self.problems.iter().map(Problem::to_string).collect()
    }
}

fn read(folder: &Path) -> Found {
    let import = open(folder).unwrap();
    let mut reader = Reader::new(import.passes, import.layout, Default::default(), false);
    let mut found = Found {
        films: Vec::new(),
        ratings: Vec::new(),
        problems: Vec::new(),
        tally: Tally::default(),
    };
    while let Some(batch) = reader.next().unwrap() {
        found.films.extend(batch.films);
        found.ratings.extend(batch.ratings);
        found.problems.extend(batch.problems);
        found.tally += batch.tally;
    }
    found
}

/// What is wrong with these lines of `ratings.csv`.
fn wrong_ratings(lines: &[u8]) -> Vec<String> {
    let mut ratings = b"userId,movieId,rating,timestamp\n".to_vec();
    ratings.extend(lines);
    let folder = folder(
        b"movieId,title,genres\n1,One (1999),Drama\n",
        &ratings,
        Some(b"movieId,imdbId,tmdbId\n"),
    );
    read(folder.path()).lines()
}

#[test]
fn films_and_ratings_are_what_the_files_say() {
    let folder = folder(
        b"movieId,title,genres\n1,Toy Story (1995),Adventure|Comedy\n2,\"City of Lost Children, The (Cit\xc3\xa9 des enfants perdus, La) (1995)\",(no genres listed)\n3,Babylon 5,Newly Invented\n",
        b"userId,movieId,rating,timestamp\n7,1,4.0,964982703\n7,3,0.5,964982704\n",
        Some(b"movieId,imdbId,tmdbId\n1,0114709,862\n2,0112682,\n3,,\n"),
    );
    let found = read(folder.path());
    assert_eq!(found.lines(), Vec::<String>::new());
    let film = &found.films[0];
    assert_eq!(
        (film.id.as_str(), film.title.as_str(), film.year),
        ("tt0114709", "Toy Story", 1995)
    );
    assert_eq!(
        (film.imdb_id.as_str(), film.genres.as_slice()),
        (
            "tt0114709",
            &["Adventure".to_owned(), "Comedy".to_owned()][..]
        )
    );
    let film = &found.films[1];
    assert_eq!(film.title, "The City of Lost Children");
    assert_eq!(
        film.description,
        "Also known as La Cité des enfants perdus."
    );
    assert!(film.genres.is_empty());
    let film = &found.films[2];
    assert_eq!(
        (film.id.as_str(), film.year, film.imdb_id.as_str()),
        ("ml-3", 0, "")
    );
    assert_eq!(film.genres, ["Newly Invented"]);
    let given: Vec<_> = found
        .ratings
        .iter()
        .map(|rated| {
            (
                rated.entry.user_id.as_str(),
                rated.entry.record_id.as_str(),
                rated.entry.half_stars,
                rated.entry.rated_at,
            )
        })
        .collect();
    assert_eq!(
        given,
        [
            ("ml-7", "tt0114709", 8, 964_982_703_000),
            ("ml-7", "ml-3", 1, 964_982_704_000)
        ]
    );
}

#[test]
fn files_from_windows_read_alike() {
    let folder = folder(
        b"\xef\xbb\xbfmovieId,title,genres\r\n1,\"Say \"\"Yes\"\", The (1999)\",Drama\r\n",
        b"\xef\xbb\xbfuserId,movieId,rating,timestamp\r\n1,1,3.5,1\r\n\r\n1,1,4.5,2",
        None,
    );
    let found = read(folder.path());
    assert_eq!(found.lines(), Vec::<String>::new());
    assert_eq!(found.films[0].title, "The Say \"Yes\"");
    assert_eq!(found.films[0].id, "ml-1");
    assert_eq!(found.ratings.len(), 2, "the last line needs no end");
}

#[test]
fn a_bad_rating_is_named_with_its_place_and_the_cure() {
    assert_eq!(
        wrong_ratings(b"1,1,6,964982703\n1,1,3.25,964982703\nx,1,4.0,1\n1,1,4.0,soon\n1,2,4.0,1\n1,1\n1,1,4.0,99999999999999\n\"1,1,4.0,1\n1,1,4.0,1\n"),
        [
            "ratings.csv:2: rating \"6\": must be 0.5 to 5 in steps of 0.5",
            "ratings.csv:3: rating \"3.25\": must be 0.5 to 5 in steps of 0.5",
            "ratings.csv:4: userId \"x\": must be a user's number, such as 42",
            "ratings.csv:5: timestamp \"soon\": must be seconds since 1970, such as 964982703",
            "ratings.csv:6: movieId \"2\": is no film of movies.csv",
            "ratings.csv:7: has 2 fields, expected 4",
            "ratings.csv:8: timestamp \"99999999999999\": must be seconds since 1970, such as 964982703",
            "ratings.csv:9: has a quote that is never closed; a quote within a field is written twice",
        ]
    );
}

#[test]
fn a_last_line_that_is_cut_off_says_so() {
    assert_eq!(
        wrong_ratings(b"1,1,4.0,964982703\n1,1,4"),
        [
            "ratings.csv:3: has 3 fields, expected 4; it is the last line and has no line end: the file may be cut off"
        ]
    );
}

#[test]
fn a_film_that_cannot_be_taken_is_named() {
    let folder = folder(
        b"movieId,title,genres\none,One (1999),Drama\n2,  ,Drama\n3,Am\xe9lie (2001),Comedy\n4,Four\n5,Five,Drama\n",
        b"userId,movieId,rating,timestamp\n",
        Some(b"movieId,imdbId,tmdbId\n5,tt5,\n6,0000006,\n7,0000006,\n"),
    );
    let found = read(folder.path());
    let lines = found.lines();
    assert_eq!(
        lines[..4],
        [
            "links.csv:2: imdbId \"tt5\": must be the digits of an IMDb id, such as 0114709",
            "links.csv:4: imdbId \"0000006\": belongs to another film already: film 7 has the id ml-7 here",
            "movies.csv:2: movieId \"one\": must be a film's number, such as 1",
            "movies.csv:3: title \"  \": must not be empty",
        ]
    );
    assert!(lines[4].starts_with("movies.csv:4: text \"\u{fffd}lie (2001),Come\": is not UTF-8; the older MovieLens layouts"), "{}", lines[4]);
    assert_eq!(lines[5], "movies.csv:5: has 2 fields, expected 3");
    assert_eq!((found.tally.bad, lines.len(), found.films.len()), (6, 6, 1));
}

#[test]
fn what_is_too_long_is_cut_with_a_note() {
    let line = format!("movieId,title,genres\n1,{} (1999),Drama\n", "x".repeat(600));
    let folder = folder(line.as_bytes(), b"userId,movieId,rating,timestamp\n", None);
    let found = read(folder.path());
    assert_eq!(
        (found.tally.bad, found.tally.cut, found.films[0].title.len()),
        (0, 1, 500)
    );
    assert_eq!(
        found.problems[0].reason,
        "of 600 characters the first 500 are kept"
    );
    assert!(!found.problems[0].skipped);
}

#[test]
fn other_layouts_are_named_with_the_one_expected() {
    let other = |names: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "1::1::5::964982703\n").unwrap();
        }
        open(folder.path()).unwrap_err().to_string()
    };
    assert!(other(&["ratings.dat", "movies.dat"]).contains("MovieLens 1M or 10M"));
    assert!(other(&["u.data", "u.item"]).contains("MovieLens 100K"));
    assert!(other(&["movies.csv"]).contains("holds no movies.csv and ratings.csv"));
    let error = other(&["movies.csv", "ratings.csv"]);
    assert!(
        error.contains("expected the columns movieId,title,genres"),
        "{error}"
    );
    let error = open(Path::new("/nowhere/ml-latest.zip"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("unpack it first"), "{error}");
}

#[test]
fn strict_reading_stops_before_the_bad_line() {
    let folder = folder(
        b"movieId,title,genres\n1,One (1999),Drama\n",
        b"userId,movieId,rating,timestamp\n1,1,4.0,1\n2,1,7.0,1\n3,1,4.0,1\n",
        None,
    );
    let import = open(folder.path()).unwrap();
    let mut reader = Reader::new(import.passes, import.layout, Default::default(), true);
    let (mut read, mut end) = (0, Default::default());
    let error = loop {
        match reader.next() {
            Ok(batch) => {
                let batch = batch.unwrap();
                read += batch.ratings.len();
                end = batch.end;
            }
            Err(error) => break error,
        }
    };
    assert_eq!(
        error.to_string(),
        "ratings.csv:3: rating \"7.0\": must be 0.5 to 5 in steps of 0.5; --strict stops at the first bad line"
    );
    assert_eq!((read, end.lines), (1, 2));
}
