//! The task that keeps the charts: it asks both services for everything once, then every second
//! for what changed since the last answer less an overlap, and draws.

use super::drawn::Drawn;
use super::projection::Projection;
use backlot::core::backoff::Backoff;
use backlot::{Clock, Code, Context, Criticality, Dice, Error, Timestamp};
use movies_api as api;
use movies_api::{ListAggregateChangesRequest, ListMetadataChangesRequest};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The least pause between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause is so many times as long as the round was: while a catalogue's ratings are loaded, all
/// films change all the time, and the charts may not take what the load needs.
const CALM: u32 = 9;
/// The longest pause, whatever a slow round took.
const LONGEST: Duration = Duration::from_secs(10);
/// How late a change may become visible, by the contracts of both services.
const OVERLAP: Duration = Duration::from_secs(10);
/// How long one page may take.
const CALL: Duration = Duration::from_secs(10);
/// The most that a page may have.
const PAGE: i32 = 5000;
/// The pause after a round that failed: a service is away.
const AWAY: Backoff = Backoff {
    base: Duration::from_millis(500),
    cap: Duration::from_secs(5),
};
/// How long to wait for the first charts.
const SOON: Duration = Duration::from_secs(1);

/// The services that charts are drawn from, and the seams.
pub(crate) struct Sources {
    pub(crate) metadata: Arc<dyn api::Metadata>,
    pub(crate) rating: Arc<dyn api::Rating>,
    pub(crate) clock: Clock,
    pub(crate) dice: Dice,
}

/// The charts as requests see them.
#[derive(Clone, Debug)]
pub(crate) struct Charts(watch::Receiver<Option<Published>>);

/// Charts, and when they were last known to be up to date.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) drawn: Arc<Drawn>,
    pub(crate) as_of: Timestamp,
}

impl Charts {
    /// The charts of now.
    ///
    /// # Errors
    /// `Unavailable` before the first ones are drawn up.
    pub(crate) fn now(&self) -> Result<Published, Error> {
        self.0.borrow().clone().ok_or_else(|| {
            Error::unavailable("the charts are being drawn up; try again in a second")
                .with_pushback(SOON)
        })
    }
}

/// The charts, and the work that keeps them: to be owned by whoever owns the service's tasks.
pub(crate) fn follow(
    sources: Sources,
    weight: f64,
) -> (Charts, impl Future<Output = ()> + Send + 'static) {
    let (publish, charts) = watch::channel(None);
    (Charts(charts), keep(sources, weight, publish))
}

async fn keep(sources: Sources, weight: f64, publish: watch::Sender<Option<Published>>) {
    let mut follower = Follower::new(sources);
    let mut failures = 0;
    let mut drawn: Option<Arc<Drawn>> = None;
    loop {
        let (began, as_of) = (Instant::now(), follower.sources.clock.wall());
        let wait = match follower.round().await {
            Ok(()) => {
                failures = 0;
                let now = match drawn.take().filter(|_| !follower.changed) {
                    Some(same) => same,
                    None => Arc::new(Drawn::of(&follower.projection, weight)),
                };
                follower.changed = false;
                drawn = Some(Arc::clone(&now));
                publish.send_replace(Some(Published { drawn: now, as_of }));
                ((Instant::now() - began) * CALM).clamp(PAUSE, LONGEST)
            }
            Err(error) => {
                failures += 1;
                // Away is normal in a fleet; requests see it by the age of the charts.
                tracing::debug!(error = %error.chain(), failures, "the charts could not be followed");
                AWAY.bound(failures) / 2 + AWAY.wait(failures, &follower.sources.dice) / 2
            }
        };
        tokio::time::sleep(wait).await;
    }
}

struct Follower {
    sources: Sources,
    projection: Projection,
    films: Cursor,
    ratings: Cursor,
    /// Whether anything changed since the charts were last drawn.
    changed: bool,
}

impl Follower {
    fn new(sources: Sources) -> Self {
        Follower {
            sources,
            projection: Projection::default(),
            films: Cursor::default(),
            ratings: Cursor::default(),
            changed: false,
        }
    }

    /// Takes over all that changed. What was taken over before a failure stays.
    async fn round(&mut self) -> Result<(), Error> {
        self.follow_films().await?;
        self.follow_ratings().await
    }

    async fn follow_films(&mut self) -> Result<(), Error> {
        loop {
            let request = ListMetadataChangesRequest {
                since: self.films.since,
                page_size: PAGE,
                page_token: self.films.token.clone(),
            };
            let cx = call();
            let page = self.sources.metadata.list_metadata_changes(&cx, request);
            let page = page.await.inspect_err(|error| self.films.failed(error))?;
            for change in &page.changes {
                self.changed |= self.projection.sort(change);
                self.films.saw(change.changed_at);
            }
            if self.films.turn(page.next_page_token) {
                return Ok(());
            }
        }
    }

    async fn follow_ratings(&mut self) -> Result<(), Error> {
        loop {
            let cx = call();
            let request = ListAggregateChangesRequest {
                record_type: crate::controller::MOVIE.to_owned(),
                since: self.ratings.since,
                page_size: PAGE,
                page_token: self.ratings.token.clone(),
            };
            let page = self.sources.rating.list_aggregate_changes(&cx, request);
            let page = page.await.inspect_err(|error| self.ratings.failed(error))?;
            for change in &page.changes {
                self.changed |= self.projection.rate(change);
                self.ratings.saw(change.changed_at);
            }
            if self.ratings.turn(page.next_page_token) {
                return Ok(());
            }
        }
    }
}

fn call() -> Context {
    Context::system("charts")
        .with_timeout(CALL)
        .with_criticality(Criticality::SheddablePlus)
}

/// How far a service has been followed.
#[derive(Debug, Default)]
struct Cursor {
    since: i64,
    token: String,
    /// The newest change seen, and when it was first seen.
    newest: Option<(i64, Instant)>,
}

impl Cursor {
    fn saw(&mut self, changed_at: i64) {
        if self.newest.is_none_or(|(newest, _)| changed_at > newest) {
            self.newest = Some((changed_at, Instant::now()));
        }
    }

    /// Goes on to the next page; whether the last one has been seen.
    fn turn(&mut self, next: String) -> bool {
        self.token = next;
        if !self.token.is_empty() {
            return false;
        }
        if let Some((newest, seen)) = self.newest {
            // What is older than the newest change may still come for a while; then it is all
            // there, and need not come again.
            let settled = Instant::now().saturating_duration_since(seen) > 2 * OVERLAP;
            let overlap = i64::try_from(OVERLAP.as_millis()).unwrap_or(i64::MAX);
            self.since = if settled {
                newest.saturating_add(1)
            } else {
                newest.saturating_sub(overlap).max(0)
            };
        }
        true
    }

    /// Goes on where it was, unless that is what was wrong.
    fn failed(&mut self, error: &Error) {
        if error.code() == Code::InvalidArgument {
            self.token.clear();
        }
    }
}
