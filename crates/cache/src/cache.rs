//! The cache: carries out what the table says.

use crate::kept::{Forgot, Kept, Report};
use crate::options::Options;
use crate::table::{Asked, Came, Held, Old, Table};
use crate::telemetry::Series;
use async_trait::async_trait;
use backlot_core::{Code, Context, Criticality, Dice, Env, Error};
use backlot_service::{Metrics, Tasks};
use parking_lot::Mutex;
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The longest that a source is left alone because it asked for that.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where values come from.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The name of the cache, one of its service, for example `films`.
    const NAME: &'static str;
    /// What values are asked for by; operators name it as text.
    type Key: Clone + Eq + Hash + FromStr + Send + Sync + 'static;
    /// What is held, and cloned for each who asks: an [`Arc`] where it is large.
    type Value: Clone + Send + Sync + 'static;

    /// Gets the value of a key, on behalf of whoever asked first; of the service itself when it is
    /// fetched anew in the background.
    async fn fetch(&self, cx: &Context, key: &Self::Key) -> Result<Self::Value, Error>;

    /// Which version a value is: one that is lower never takes its place. All the same if the
    /// source has none.
    fn version(&self, _value: &Self::Value) -> u64 {
        0
    }

    /// How much memory a key and its value take, in bytes.
    fn weigh(&self, key: &Self::Key, value: &Self::Value) -> usize;
}

/// What a cache stands on.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The seams.
    pub env: Env,
    /// Owns what is fetched in the background.
    pub tasks: Tasks,
    /// Where it counts.
    pub metrics: Metrics,
    /// The service whose cache it is, which fetches in the background.
    pub service: &'static str,
}

/// A cache in front of a source. Clones share it.
pub struct Cache<S: Source>(Arc<Inner<S>>);

struct Inner<S: Source> {
    source: S,
    options: Options,
    service: &'static str,
    tasks: Tasks,
    dice: Dice,
    series: Series,
    table: Mutex<TableOf<S>>,
}

/// What somebody else's fetch will have come to; it ends without when that was given up.
type Join<V> = watch::Receiver<Option<Landed<V>>>;

type TableOf<S> = Table<<S as Source>::Key, <S as Source>::Value, Join<<S as Source>::Value>>;

/// What a fetch came to.
#[derive(Clone)]
enum Landed<V> {
    Value(Held<V>),
    Failure(Arc<Error>),
}

/// What a caller gets.
#[derive(Clone, Debug)]
pub struct Found<V> {
    /// The value.
    pub value: V,
    /// How long ago it was fetched.
    pub age: Duration,
    /// Why it may no longer be true; nothing when it is fresh.
    pub old: Option<Old>,
}

/// A fetch under way: dropped before its end it is given up, and the next who asks fetches.
struct Flight<S: Source> {
    cache: Cache<S>,
    key: S::Key,
    number: u64,
    /// Tells those who joined; gone when they have been told.
    land: Option<Land<S::Value>>,
}

type Land<V> = watch::Sender<Option<Landed<V>>>;

impl<S: Source> Cache<S> {
    /// An empty cache.
    #[must_use]
    pub fn new(setup: &Setup, source: S, options: Options) -> Self {
        let dice = setup.env.dice.branch(S::NAME);
        let seed = dice.next_u64();
        Cache(Arc::new(Inner {
            source,
            table: Mutex::new(Table::new(options.bytes, options.kept, seed)),
            options,
            service: setup.service,
            tasks: setup.tasks.clone(),
            dice,
            series: Series::of(S::NAME, &setup.metrics),
        }))
    }

    /// The value of a key, held or fetched. When the source fails or takes too long, what is held is
    /// given with a mark.
    ///
    /// # Errors
    /// Those of the source, where nothing is held that can be given: its own to whoever fetched,
    /// and the same without their causes to those who waited with it or come shortly after;
    /// `DeadlineExceeded` to those whose time ended before.
    pub async fn get(&self, cx: &Context, key: &S::Key) -> Result<Found<S::Value>, Error> {
        let found = self.find(cx, key).await;
        if found.is_err() {
            self.0.series.failed.inc();
        }
        found
    }

    async fn find(&self, cx: &Context, key: &S::Key) -> Result<Found<S::Value>, Error> {
        let series = &self.0.series;
        loop {
            let (asked, land) = self.ask(key);
            match asked {
                Asked::Fresh(held) => {
                    series.fresh.inc();
                    return Ok(held.fresh());
                }
                Asked::Stale { held, old, refresh } => {
                    series.stale.inc();
                    if let Some((number, _)) = refresh {
                        let flight = self.flight(key, number, land);
                        // It repeats by itself: others go before it.
                        self.refresh(flight, Criticality::SheddablePlus);
                    }
                    return Ok(held.old(old));
                }
                Asked::Outdated {
                    held,
                    join,
                    refresh,
                } => {
                    if let Some(number) = refresh {
                        let flight = self.flight(key, number, land);
                        self.refresh(flight, cx.criticality());
                    }
                    return self.newer_or(cx, held, join).await;
                }
                Asked::Fetch(number, _) => {
                    let held = self.flight(key, number, land).carry_out(cx, is_own).await?;
                    series.fetched.inc();
                    return Ok(held.fresh());
                }
                Asked::Join(join) => {
                    let landed = cx.deadline().run(async { Ok(landing(join).await) });
                    match landed.await? {
                        Some(Landed::Value(held)) => {
                            series.joined.inc();
                            return Ok(held.fresh());
                        }
                        Some(Landed::Failure(error)) => return Err(error.told()),
                        // Given up: it is somebody else's turn, perhaps ours.
                        None => {}
                    }
                }
                Asked::Failed(error) => return Err(error.told()),
            }
        }
    }

    /// What is being fetched, if it comes in time; what is held otherwise.
    async fn newer_or(
        &self,
        cx: &Context,
        held: Held<S::Value>,
        join: Join<S::Value>,
    ) -> Result<Found<S::Value>, Error> {
        let (series, patience) = (&self.0.series, self.0.options.patience);
        // Whoever asked needs time to do something with it.
        let patience = patience.min(cx.deadline().remaining() / 2);
        let old = match tokio::time::timeout(patience, landing(join)).await {
            Ok(Some(Landed::Value(held))) => {
                series.fetched.inc();
                return Ok(held.fresh());
            }
            Ok(Some(Landed::Failure(error))) if is_answer(error.code()) => return Err(error.told()),
            Ok(Some(Landed::Failure(error))) => Old::Failing(error),
            Ok(None) | Err(_) => Old::Slow,
        };
        series.stale.inc();
        Ok(held.old(old))
    }

    /// A key changed, and has this version now, if that is known: whoever asks from now on waits for
    /// the source, and is given what was before with a mark at most.
    pub fn outdate(&self, key: &S::Key, version: Option<u64>) {
        if self.0.table.lock().outdate(key, version) {
            self.0.series.outdated.inc();
        }
    }

    /// Anything may have changed.
    pub fn outdate_all(&self) {
        self.0.table.lock().outdate_all();
    }

    /// Asks the table; if that begins a fetch, also what its outcome is told by.
    #[expect(clippy::type_complexity, reason = "taken apart at once")]
    fn ask(&self, key: &S::Key) -> (Asked<S::Value, Join<S::Value>>, Option<Land<S::Value>>) {
        let mut land = None;
        let open = || {
            let (sender, join) = watch::channel(None);
            land = Some(sender);
            join
        };
        let asked = self.0.table.lock().ask(key, Instant::now(), open);
        (asked, land)
    }

    fn flight(&self, key: &S::Key, number: u64, land: Option<Land<S::Value>>) -> Flight<S> {
        Flight {
            cache: self.clone(),
            key: key.clone(),
            number,
            land,
        }
    }

    fn refresh(&self, flight: Flight<S>, criticality: Criticality) {
        let cx = Context::system(self.0.service).with_criticality(criticality);
        self.0.tasks.spawn("cache refresh", async move {
            // No failure is a caller's own where none waits: that the time was up, too, is the source's.
            if let Err(error) = flight.carry_out(&cx, |_| false).await {
                tracing::debug!(cache = S::NAME, error = %error.chain(), "a value could not be fetched anew");
            }
        });
    }

    fn count_held(&self, table: &TableOf<S>) {
        let series = &self.0.series;
        series
            .values
            .set(i64::try_from(table.values()).unwrap_or(i64::MAX));
        series
            .bytes
            .set(i64::try_from(table.weight()).unwrap_or(i64::MAX));
    }
}

impl<S: Source> Flight<S> {
    /// Fetches, holds the outcome and tells it those who joined; except failures that are `own`: of
    /// this caller alone.
    async fn carry_out(
        mut self,
        cx: &Context,
        own: fn(Code) -> bool,
    ) -> Result<Held<S::Value>, Error> {
        let inner = Arc::clone(&self.cache.0);
        let fetching = cx.deadline().run(inner.source.fetch(cx, &self.key));
        let (came, error) = match fetching.await {
            Ok(value) => {
                let weight = inner.source.weigh(&self.key, &value);
                let came = Came::Value {
                    version: inner.source.version(&value),
                    weight: u64::try_from(weight).unwrap_or(u64::MAX),
                    fresh: about(inner.options.fresh, &inner.dice),
                    value,
                };
                (came, None)
            }
            Err(error) if own(error.code()) => return Err(error),
            Err(error) => {
                let asked = error.pushback().unwrap_or_default().min(LONGEST_PAUSE);
                let came = Came::Failure {
                    error: Arc::new(error.told()),
                    pause: inner.options.pause.max(asked),
                    is_answer: is_answer(error.code()),
                };
                (came, Some(error))
            }
        };
        let landed = self.land(came);
        match (landed, error) {
            (Landed::Value(held), _) => Ok(held),
            (Landed::Failure(_), Some(error)) => Err(error),
            (Landed::Failure(error), None) => Err(error.told()),
        }
    }

    fn land(&mut self, came: Came<S::Value>) -> Landed<S::Value> {
        let inner = &self.cache.0;
        let landed = match &came {
            Came::Value { value, .. } => Landed::Value(Held {
                value: value.clone(),
                age: Duration::ZERO,
            }),
            Came::Failure { error, .. } => Landed::Failure(Arc::clone(error)),
        };
        match landed {
            Landed::Value(_) => inner.series.fetch_done.inc(),
            Landed::Failure(_) => inner.series.fetch_failed.inc(),
        }
        let mut table = inner.table.lock();
        let settled = table.settle(&self.key, self.number, came, Instant::now());
        self.cache.count_held(&table);
        drop(table);
        inner.series.evicted.add(settled.evicted as u64);
        let landed = settled.newer.map_or(landed, Landed::Value);
        if let Some(land) = self.land.take() {
            land.send_replace(Some(landed.clone()));
        }
        landed
    }
}

impl<S: Source> Drop for Flight<S> {
    fn drop(&mut self) {
        // Whoever joined is told when `land` goes with the rest: by then nobody finds this any more.
        if self.land.is_some() {
            let inner = &self.cache.0;
            inner.table.lock().give_up(&self.key, self.number);
            inner.series.fetch_given_up.inc();
        }
    }
}

impl<S: Source> Kept for Cache<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn report(&self) -> Report {
        let Inner {
            options, series, ..
        } = &*self.0;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (values, bytes) = {
            let table = self.0.table.lock();
            (table.values() as u64, table.weight())
        };
        Report {
            name: S::NAME.to_owned(),
            values,
            bytes,
            limit: options.bytes,
            fresh_ms: millis(options.fresh),
            kept_ms: millis(options.kept),
            fresh: series.fresh.get(),
            stale: series.stale.get(),
            fetched: series.fetched.get(),
            joined: series.joined.get(),
            failed: series.failed.get(),
            source_failed: series.fetch_failed.get(),
            outdated: series.outdated.get(),
            evicted: series.evicted.get(),
            forgotten: series.forgotten.get(),
        }
    }

    fn forget(&self, key: Option<&str>) -> Forgot {
        let key = match key.map(str::parse::<S::Key>) {
            Some(Ok(key)) => Some(key),
            Some(Err(_)) => return Forgot::NoKey,
            None => None,
        };
        let mut table = self.0.table.lock();
        let values = match key {
            Some(key) => usize::from(table.forget(&key)),
            None => table.forget_all(),
        };
        self.count_held(&table);
        self.0.series.forgotten.add(values as u64);
        Forgot::Values(values)
    }
}

impl<S: Source> Clone for Cache<S> {
    fn clone(&self) -> Self {
        Cache(Arc::clone(&self.0))
    }
}

impl<S: Source> fmt::Debug for Cache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&S::NAME).finish()
    }
}

impl<V> Held<V> {
    fn fresh(self) -> Found<V> {
        Found {
            value: self.value,
            age: self.age,
            old: None,
        }
    }

    fn old(self, old: Old) -> Found<V> {
        Found {
            value: self.value,
            age: self.age,
            old: Some(old),
        }
    }
}

/// What a fetch comes to; nothing when it was given up.
async fn landing<V: Clone>(mut join: Join<V>) -> Option<Landed<V>> {
    join.wait_for(Option::is_some).await.ok()?.clone()
}

/// Failures that say something of this caller alone: others may fare better.
fn is_own(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled | Code::DeadlineExceeded | Code::Unauthenticated | Code::PermissionDenied
    )
}

/// Failures that are the source's answer: what was true before is no longer.
fn is_answer(code: Code) -> bool {
    matches!(
        code,
        Code::NotFound
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::OutOfRange
    )
}

/// A time, give or take a tenth.
fn about(time: Duration, dice: &Dice) -> Duration {
    let tenth = u64::try_from(time.as_micros() / 10).unwrap_or(u64::MAX / 4);
    (time - Duration::from_micros(tenth)) + Duration::from_micros(dice.below(2 * tenth + 1))
}

#[cfg(test)]
mod tests;
