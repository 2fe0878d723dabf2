//! The stores of the services, opened past them: for the bare system and for data in bulk.

use backlot::Clock;
use backlot::storage::sqlite::{self, Options};
use backlot::storage::{Migration, Migrations, Store, StoreError};
use std::path::Path;

const OF_METADATA: Migrations = &[
    Migration::new(
        1,
        "movies",
        include_str!("../../metadata/migrations/1_movies.sql"),
    ),
    Migration::new(
        2,
        "names",
        include_str!("../../metadata/migrations/2_names.sql"),
    ),
    Migration::new(
        3,
        "uploads",
        include_str!("../../metadata/migrations/3_uploads.sql"),
    ),
    Migration::new(
        4,
        "shelves",
        include_str!("../../metadata/migrations/4_shelves.sql"),
    ),
];
const OF_RATING: Migrations = &[
    Migration::new(
        1,
        "ratings",
        include_str!("../../rating/migrations/1_ratings.sql"),
    ),
    Migration::new(
        2,
        "times",
        include_str!("../../rating/migrations/2_times.sql"),
    ),
];

/// Opens the store of metadata in a data folder.
///
/// # Errors
/// When it cannot be opened.
pub fn metadata(data: &Path) -> Result<Store, StoreError> {
    sqlite::open(
        data.join("metadata.db"),
        Options::default(),
        OF_METADATA,
        Clock::real(),
    )
}

/// Opens the store of ratings in a data folder.
///
/// # Errors
/// When it cannot be opened.
pub fn rating(data: &Path) -> Result<Store, StoreError> {
    sqlite::open(
        data.join("rating.db"),
        Options::default(),
        OF_RATING,
        Clock::real(),
    )
}
