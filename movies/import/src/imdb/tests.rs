use super::*;
use crate::reader::Reader;
use crate::{Problem, Tally};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::Path;

const BASICS: &str = "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n";
const RATINGS: &str = "tconst\taverageRating\tnumVotes\n";

#[derive(Default)]
struct Found {
    films: Vec<Metadata>,
    outside: Vec<OutsideEntry>,
    problems: Vec<String>,
    tally: Tally,
    known_only: bool,
}

fn read(paths: &[PathBuf], choice: Choice) -> Found {
    let import = open(paths, choice).unwrap();
    let mut reader = Reader::new(import.passes, import.layout, Default::default(), false);
    let mut found = Found::default();
    while let Some(batch) = reader.next().unwrap() {
        found.films.extend(batch.films);
        found.known_only |= batch.known_only;
        found.outside.extend(batch.outside);
        found
            .problems
            .extend(batch.problems.iter().map(Problem::to_string));
        found.tally += batch.tally;
    }
    found
}

fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn packed(folder: &Path, name: &str, text: &str) -> PathBuf {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    file(folder, name, encoder.finish().unwrap())
}

#[test]
fn tables_in_any_order_make_films_with_their_people() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let paths = [
        file(
            at,
            "n",
            "nconst\tprimaryName\tbirthYear\tdeathYear\tprimaryProfession\tknownForTitles\nnm0000001\tJean Réno\t1948\t\\N\tactor\ttt1\nnm0000002\tSomebody Else\t\\N\t\\N\t\\N\t\\N\nnm0000003\tMarc Caro\t\\N\t\\N\t\\N\t\\N\n",
        ),
        packed(
            at,
            "r.gz",
            &format!("{RATINGS}tt0112682\t7.5\t66000\ntt0000001\t5.7\t2000\ntt0000009\t8.0\t10\n"),
        ),
        file(
            at,
            "p",
            "tconst\tordering\tnconst\tcategory\tjob\tcharacters\ntt0112682\t1\tnm0000001\tactor\t\\N\t[\"One \\\"Two\\\"\"]\ntt0112682\t2\tnm0000003\tdirector\t\\N\t\\N\ntt0000009\t1\tnm0000002\tactor\t\\N\t\\N\n",
        ),
        packed(
            at,
            "b.gz",
            &format!(
                "{BASICS}tt0000001\tshort\tCarmencita\tCarmencita\t0\t1894\t\\N\t1\tDocumentary\ntt0112682\tmovie\tThe \"City\" of Lost Children\tLa cité des enfants perdus\t0\t1995\t\\N\t112\tFantasy,Sci-Fi\ntt0000008\tmovie\tUnrated\tUnrated\t0\t1995\t\\N\t\\N\t\\N\ntt0000009\tmovie\tFor Adults\tFor Adults\t1\t1995\t\\N\t\\N\t\\N\n"
            ),
        ),
        file(
            at,
            "c",
            "tconst\tdirectors\twriters\ntt0112682\tnm0000003,nm0000099\t\\N\ntt0000009\t\\N\t\\N\n",
        ),
    ];
    let found = read(&paths, Choice::default());
    assert_eq!(found.problems, Vec::<String>::new());
    assert_eq!(found.films.len(), 1);
    let film = &found.films[0];
    assert_eq!(
        (film.id.as_str(), film.imdb_id.as_str()),
        ("tt0112682", "tt0112682")
    );
    assert_eq!(
        (film.title.as_str(), film.year),
        ("The \"City\" of Lost Children", 1995)
    );
    assert_eq!(
        film.description,
        "Original title: La cité des enfants perdus."
    );
    assert_eq!(
        (film.director.as_str(), film.cast.as_slice()),
        ("Marc Caro", &["Jean Réno".to_owned()][..])
    );
    assert_eq!(film.genres, ["Fantasy", "Sci-Fi"]);
    assert_eq!(
        (
            found.outside.len(),
            found.outside[0].mean,
            found.outside[0].votes
        ),
        (1, 3.75, 66_000)
    );
    assert_eq!(found.tally.left_out, 5);
    assert!(!found.known_only);
}

#[test]
fn what_is_missing_stays_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let basics = file(
        folder.path(),
        "b",
        format!("{BASICS}tt10872600\tmovie\tBare\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n"),
    );
    let found = read(&[basics], Choice::default());
    assert_eq!(found.problems, Vec::<String>::new());
    let film = &found.films[0];
    assert_eq!(
        (film.id.as_str(), film.year, film.description.as_str()),
        ("tt10872600", 0, "")
    );
    assert!(film.genres.is_empty() && film.cast.is_empty() && film.director.is_empty());
}

#[test]
fn a_bad_row_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let basics = file(
        at,
        "b.tsv",
        format!(
            "{BASICS}tt12\tmovie\tA\tA\t0\t1999\t\\N\t\\N\t\\N\ntt0000002\tmovie\t\\N\tA\t0\t1999\t\\N\t\\N\t\\N\ntt0000003\tmovie\tA\tA\t2\t1999\t\\N\t\\N\t\\N\ntt0000004\tmovie\tA\tA\t0\t199\t\\N\t\\N\t\\N\ntt0000005\tmovie\tA\n"
        ),
    );
    let ratings = file(
        at,
        "r.tsv",
        format!("{RATINGS}tt0000001\t10.1\t5\ntt0000001\t5.0\t0\ntt0000001\tNaN\t5\n\\N\t5.0\t5\n"),
    );
    let found = read(&[basics, ratings], Choice::default());
    assert_eq!(
        found.problems,
        [
            "b.tsv:2: tconst \"tt12\": must be tt and 7 digits or more, such as tt0114709",
            "b.tsv:3: primaryTitle \"\\\\N\": must not be empty",
            "b.tsv:4: isAdult \"2\": must be 0 or 1",
            "b.tsv:5: startYear \"199\": must be a year of four digits or \\N",
            "b.tsv:6: has 3 fields between tabs, expected 9",
            "r.tsv:2: averageRating \"10.1\": must be 1.0 to 10.0",
            "r.tsv:3: numVotes \"0\": must be a number of votes, 1 or more",
            "r.tsv:4: averageRating \"NaN\": must be 1.0 to 10.0",
            "r.tsv:5: tconst \"\\\\N\": must be tt and 7 digits or more, such as tt0114709",
        ]
    );
}

#[test]
fn a_compressed_file_without_its_end_gives_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{RATINGS}tt0000001\t5.0\t5\ntt0000002\t6.0\t5\n");
    let path = packed(folder.path(), "title.ratings.tsv.gz", &text);
    let whole = fs::read(&path).unwrap();
    // The trailer alone is cut: all rows are there.
    fs::write(&path, &whole[..whole.len() - 6]).unwrap();
    let found = read(std::slice::from_ref(&path), Choice::default());
    assert_eq!((found.outside.len(), found.tally.damaged), (2, 1));
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    assert!(
        found.problems[0].contains("before its end: fetch it again"),
        "{:?}",
        found.problems
    );
    assert!(
        found.known_only,
        "without title.basics the catalogue decides"
    );
}

#[test]
fn votes_decide_which_films_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let row = |number: u32| {
        format!("tt000000{number}\tmovie\tFilm {number}\t\\N\t0\t\\N\t\\N\t\\N\t\\N\n")
    };
    let basics = file(at, "b", format!("{BASICS}{}{}", row(1), row(2)));
    let ratings = file(
        at,
        "r",
        format!("{RATINGS}tt0000001\t5.0\t99\ntt0000002\t5.0\t100\n"),
    );
    let found = read(&[ratings, basics], Choice { min_votes: 100 });
    let ids: Vec<_> = found.films.iter().map(|film| film.id.as_str()).collect();
    assert_eq!((ids, found.outside.len()), (vec!["tt0000002"], 1));
}

#[test]
fn files_that_do_not_fit_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let refused = |paths: &[PathBuf]| open(paths, Choice::default()).unwrap_err().to_string();
    let (one, two) = (file(at, "b1", BASICS), file(at, "b2", BASICS));
    assert!(refused(&[one, two]).contains("are both title.basics"));
    let other = file(at, "x", "movieId,title,genres\n");
    assert!(refused(&[other]).contains("is none of IMDb's tables"));
    let crew = file(at, "c", "tconst\tdirectors\twriters\n");
    assert!(refused(&[crew]).contains("title.basics is missing"));
}
