//! What real files have that a naive reader trips over; and lines that nobody can take.

use super::film::Film;

/// How often a film is awkward: one in so many.
pub(super) const FILMS: u32 = 10;
/// How often a bad line comes between good ones.
pub(super) const BAD: u64 = 5_000;

/// A title as `movies.csv` has it, before quoting; the awkward ones in turn.
pub(super) fn title(film: &Film, kind: u32) -> String {
    let Film { name, year, .. } = film;
    match kind % 10 {
        0 => format!("{name}, or \"How It Was\", The ({year})"),
        1 => name.clone(),
        2 => format!("{name}, The (Autre nom, L') ({year})"),
        3 => format!("{name} ({year})  "),
        4 => format!("{name} ({year}–{})", year + 2),
        5 => format!("七人の{name} ({year})"),
        6 => format!("Броненосец {name} (a.k.a. {name}) ({year})"),
        7 => format!("{name}, Les ({year})"),
        8 => format!("({year}) {name}"),
        _ => format!("{name}: Or (The Rest) ({year})"),
    }
}

/// Genres as `movies.csv` has them.
pub(super) fn genres(film: &Film, kind: u32) -> String {
    match kind % 3 {
        0 => "(no genres listed)".to_owned(),
        1 => format!("{}|Newly Invented", film.genres.join("|")),
        _ => film.genres.join("|"),
    }
}

/// Lines of `movies.csv` that are no films.
pub(super) const MOVIES: [&[u8]; 5] = [
    b"not a number,Some Film (1999),Drama",
    b"123",
    b"999999998,\"A quote that is never closed (1999),Drama",
    b"999999997,Am\xe9lie (2001),Comedy",
    b"999999996,   ,Drama",
];

/// Lines of `ratings.csv` that are no ratings.
pub(super) const RATINGS: [&str; 8] = [
    "1,1,6.0,964982703",
    "1,1,0.0,964982703",
    "1,1,3.25,964982703",
    "1,999999999,3.0,964982703",
    "1,1,3.0",
    "-1,1,3.0,964982703",
    "1,1,3.0,yesterday",
    "1,,3.0,964982703",
];

/// Lines of `title.basics` that are no titles.
pub(super) const BASICS: [&str; 4] = [
    "tt12\tmovie\tShort Number\tShort Number\t0\t1999\t\\N\t90\tDrama",
    "tt99999991\tmovie\t\\N\t\\N\t0\t1999\t\\N\t90\tDrama",
    "tt99999992\tmovie\tLong Year\tLong Year\t0\t19999\t\\N\t90\tDrama",
    "tt99999993\tmovie\tCut Off",
];

/// Lines of `title.ratings` that are no averages.
pub(super) const AVERAGES: [&str; 3] = [
    "tt99999994\t11.0\t10",
    "tt99999995\t7.5\t0",
    "tt99999996\t\\N\t\\N",
];
