//! IMDb's tables, by their first lines.

use crate::ImportError;
use crate::file::File;
use crate::problem::shown;
use crate::rows::{Lines, Rows};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Basics,
    Ratings,
    Crew,
    Principals,
    Names,
}

const TABLES: [(Table, &str, &str); 5] = [
    (
        Table::Basics,
        "title.basics",
        "tconst titleType primaryTitle originalTitle isAdult startYear endYear runtimeMinutes genres",
    ),
    (
        Table::Ratings,
        "title.ratings",
        "tconst averageRating numVotes",
    ),
    (Table::Crew, "title.crew", "tconst directors writers"),
    (
        Table::Principals,
        "title.principals",
        "tconst ordering nconst category job characters",
    ),
    (
        Table::Names,
        "name.basics",
        "nconst primaryName birthYear deathYear primaryProfession knownForTitles",
    ),
];

impl Table {
    /// Which one a file is.
    pub(super) fn of(file: &File) -> Result<Table, ImportError> {
        let failed = |source| ImportError::file(&file.path, "read")(source);
        let mut lines = Lines::new(file.open(0).map_err(failed)?, 0, 0);
        let row = lines.next().map_err(failed)?;
        let found = row.map_or_else(String::new, |row| {
            String::from_utf8_lossy(row.bytes)
                .trim_end()
                .replace('\t', " ")
        });
        let known = TABLES.iter().find(|(_, _, header)| *header == found);
        known.map(|(table, ..)| *table).ok_or_else(|| {
            let names: Vec<_> = TABLES.iter().map(|(_, name, _)| *name).collect();
            ImportError::Layout(format!(
                "{} is none of IMDb's tables that are read here ({}): it begins with {:?}",
                file.path.display(),
                names.join(", "),
                shown(&found)
            ))
        })
    }

    pub(super) fn name(self) -> &'static str {
        let named = TABLES.iter().find(|(table, ..)| *table == self);
        named.map_or("", |(_, name, _)| *name)
    }
}
