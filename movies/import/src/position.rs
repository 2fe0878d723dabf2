//! How far an import has come: a file of its own, so that it goes on there after any end.
//!
//! It is written after the batches up to there were acknowledged, never before; what came after it
//! is sent again, which changes nothing. When the files have changed since, or the import is done,
//! a position means nothing and is gone.

use crate::ImportError;
use crate::batch::Mark;
use crate::file::{File, Identity};
use crate::tally::Tally;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// What is read from older versions is not understood.
const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stored {
    version: u32,
    files: Vec<Identity>,
    #[serde(flatten)]
    state: State,
}

/// What is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) mark: Mark,
    pub(crate) tally: Tally,
    /// Bytes of the report that belong to it.
    pub(crate) report: u64,
}

/// Where an import keeps its position.
#[derive(Debug)]
pub(crate) struct Position {
    path: PathBuf,
    files: Vec<Identity>,
}

/// What was found of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Earlier {
    /// Nothing: it is the first, or the one before was done.
    None,
    /// It ended here.
    Unfinished(State),
    /// It was of files that have changed since, or cannot be read.
    Stale,
}

impl Position {
    /// The position of an import of these files; `what` tells it from others of the same files.
    pub(crate) fn of(folder: &Path, what: &str, files: &[File]) -> (Self, Earlier) {
        let files: Vec<_> = files.iter().map(|file| file.identity.clone()).collect();
        let mut name = what.to_owned();
        for file in &files {
            name.push('\0');
            name.push_str(&file.path().to_string_lossy());
        }
        let kind = what.split(' ').next().unwrap_or_default();
        let path = folder.join(format!("{kind}-{:016x}.json", xxh3_64(name.as_bytes())));
        let earlier = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Earlier::None,
            Err(_) => Earlier::Stale,
            Ok(bytes) => match serde_json::from_slice::<Stored>(&bytes) {
                Ok(stored) if stored.version == VERSION && stored.files == files => {
                    Earlier::Unfinished(stored.state)
                }
                _ => Earlier::Stale,
            },
        };
        (Position { path, files }, earlier)
    }

    /// Remembers a state.
    pub(crate) fn remember(&self, state: State) -> Result<(), ImportError> {
        let stored = Stored {
            version: VERSION,
            files: self.files.clone(),
            state,
        };
        self.write(&stored)
            .map_err(ImportError::file(&self.path, "written"))
    }

    fn write(&self, stored: &Stored) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(stored)?;
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Aside and into place, so that no end of this process leaves half of it. It is not waited
        // for the disk: when power fails, beginning anew is right as well.
        let aside = self.path.with_extension("new");
        fs::write(&aside, &bytes)?;
        fs::rename(&aside, &self.path)
    }

    /// Forgets it.
    pub(crate) fn forget(&self) -> Result<(), ImportError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ImportError::file(&self.path, "removed")(error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(offset: u64) -> State {
        State {
            mark: Mark {
                pass: 1,
                offset,
                lines: 7,
            },
            ..State::default()
        }
    }

    #[test]
    fn a_position_is_found_again_while_its_files_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ratings.csv");
        fs::write(&path, "one").unwrap();
        let files = || vec![File::at(&path).unwrap()];
        let (position, earlier) = Position::of(folder.path(), "movielens", &files());
        assert_eq!(earlier, Earlier::None);
        position.remember(state(10)).unwrap();
        let found = |what: &str| Position::of(folder.path(), what, &files()).1;
        assert_eq!(found("movielens"), Earlier::Unfinished(state(10)));
        position.remember(state(20)).unwrap();
        assert_eq!(found("movielens"), Earlier::Unfinished(state(20)));
        assert_eq!(found("movielens elsewhere"), Earlier::None);

        fs::write(&path, "two").unwrap();
        assert_eq!(found("movielens"), Earlier::Stale);
        position.forget().unwrap();
        position.forget().unwrap();
        assert_eq!(found("movielens"), Earlier::None);
    }

    #[test]
    fn a_damaged_position_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (position, _) = Position::of(folder.path(), "events", &[]);
        position.remember(state(10)).unwrap();
        fs::write(&position.path, "{").unwrap();
        assert_eq!(Position::of(folder.path(), "events", &[]).1, Earlier::Stale);
    }
}
