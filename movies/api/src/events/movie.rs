//! Films that changed.

use backlot::messaging::event::Event;
use serde::{Deserialize, Serialize};

/// The most films of one event: with the longest ids there are it stays below the limit of a
/// payload, which is 512 KiB.
const MAX_MOVIES: usize = 800;

/// What is known of films changed, in one commit. What it is now metadata tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoviesChanged {
    /// The films, at most 800.
    pub movie_ids: Vec<String>,
    /// When, in milliseconds since 1970 UTC; later for each commit that changed films.
    pub changed_at: i64,
}

impl MoviesChanged {
    /// What a commit changed, in as many events as it takes; none if it changed nothing.
    pub fn of(movie_ids: &[String], changed_at: i64) -> impl Iterator<Item = MoviesChanged> {
        movie_ids.chunks(MAX_MOVIES).map(move |some| MoviesChanged {
            movie_ids: some.to_vec(),
            changed_at,
        })
    }
}

impl Event for MoviesChanged {
    const NAME: &'static str = "MoviesChanged";
    const TOPIC: &'static str = "movie-changes";
    const PARTITIONS: u32 = 4;
    const VERSION: u32 = 1;

    /// The film when it is one; what many are now is asked for in any order.
    fn key(&self) -> Option<String> {
        match &*self.movie_ids {
            [one] => Some(one.clone()),
            _ => None,
        }
    }
}
