//! Somebody who watches all films: told of every change from the log, in a group that ends with it;
//! and reading what there is whenever something may have been missed.

use super::{FILMS, Party};
use crate::model::Sums;
use async_trait::async_trait;
use backlot::messaging::Engine;
use backlot::messaging::consume::Setup;
use backlot::messaging::follow::{Follow, Follower};
use backlot::service::Metrics;
use backlot::{Context, Error};
use backlot_sim::Host;
use movies_api::events::RatingsChanged;
use movies_api::{Aggregate, GetAggregatedRatingRequest, RatingClient};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What somebody knows of all films: version and numbers of each. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<BTreeMap<String, (u32, Sums)>>>);

impl Board {
    /// The newest that is known of a film.
    #[must_use]
    pub fn of(&self, film: &str) -> (u32, Sums) {
        self.0.lock().get(film).copied().unwrap_or_default()
    }

    /// Learns what a film was at this version. What is wrong with that, if something is.
    fn learn(&self, film: &str, version: u32, sums: Sums) -> Option<String> {
        let mut films = self.0.lock();
        let known = films.entry(film.to_owned()).or_default();
        if version > known.0 {
            *known = (version, sums);
        } else if *known != (version, sums) && version == known.0 {
            return Some(format!(
                "{film} was told to be {sums:?} at version {version}, and {:?} before",
                known.1
            ));
        }
        None
    }
}

struct Watcher {
    host: Host,
    board: Board,
    ratings: RatingClient,
}

/// Watches until everything is over.
pub async fn watch(host: Host, party: Party, log: Arc<dyn Engine>) {
    let setup = Setup {
        engine: log,
        service: "watcher",
        member: host.name().to_owned(),
        env: host.env().clone(),
        metrics: Metrics::new(),
    };
    let watcher = Watcher {
        board: party.board.clone(),
        ratings: host.caller().client(),
        host,
    };
    let follower = Follower::<RatingsChanged, _>::new(&setup, "watcher", watcher);
    let mut over = party.over.subscribe();
    let stop = async {
        // The sender lives in the party: waiting cannot fail.
        drop(over.wait_for(|over| *over).await.map(drop));
    };
    follower.run(stop).await;
}

#[async_trait]
impl Follow<RatingsChanged> for Watcher {
    async fn begin(&self) {
        self.host.trace().count("times a watcher looked again");
        for film in FILMS {
            while let Err(error) = self.read(film).await {
                let text = format!("{film} cannot be read: {}", error.chain());
                self.host.trace().detail(self.host.name(), text);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    fn tell(&self, event: RatingsChanged) {
        for change in event.changes {
            self.host.trace().count("changes told");
            let sums = Sums {
                count: change.count,
                sum: change.sum,
                histogram: change.histogram,
            };
            self.learn(&change.record_id, change.version, sums);
        }
    }
}

impl Watcher {
    async fn read(&self, film: &str) -> Result<(), Error> {
        let request = GetAggregatedRatingRequest {
            record_type: "movie".into(),
            record_id: film.to_owned(),
        };
        let cx = Context::background().with_timeout(Duration::from_secs(1));
        let found = self.ratings.get_aggregated_rating(&cx, request).await?;
        let aggregate = found.aggregate.unwrap_or_default();
        self.learn(film, aggregate.version, sums(&aggregate));
        Ok(())
    }

    fn learn(&self, film: &str, version: u32, sums: Sums) {
        if let Some(text) = self.board.learn(film, version, sums) {
            self.host.trace().violation("watcher", text);
        }
    }
}

/// The numbers of an aggregate as a service answers it.
pub(super) fn sums(aggregate: &Aggregate) -> Sums {
    let mut sums = Sums {
        count: aggregate.count,
        ..Sums::default()
    };
    for (half_stars, (cell, count)) in
        (1..).zip(sums.histogram.iter_mut().zip(&aggregate.histogram))
    {
        *cell = *count;
        sums.sum += half_stars * u64::from(*count);
    }
    sums
}
