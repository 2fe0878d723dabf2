//! The cache: carries out what the table says.

use crate::kept::{Forgot, Kept, Report};
use crate::options::Options;
use crate::table::{Asked, Came, Held, Landed, Old, Rules, Table};
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

/// How often fresh is what is older still served without waiting for a newer one.
const STALE: u32 = 10;
/// How long those are asked to wait for whom there is no room.
const SOON: Duration = Duration::from_millis(100);

/// Where values come from.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The name of the cache, one of its service, for example `films`.
    const NAME: &'static str;
    /// What values are asked for by; operators name it as text.
    type Key: Clone + Eq + Hash + FromStr + Send + Sync + 'static;
    /// What is held, and cloned for each who asks: an [`Arc`] where it is large.
    type Value: Clone + Send + Sync + 'static;

    /// Gets the value of a key. Whoever asked first is not who asks here: it is the service, for
    /// all who may ask, with a deadline of its own.
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
    /// Owns fetches.
    pub tasks: Tasks,
    /// Where it counts.
    pub metrics: Metrics,
    /// The service whose cache it is, which fetches.
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

/// What a fetch will have come to; it ends without when that was given up.
type Join<V> = watch::Receiver<Option<Landed<V>>>;
type Land<V> = watch::Sender<Option<Landed<V>>>;
type TableOf<S> = Table<<S as Source>::Key, <S as Source>::Value, Join<<S as Source>::Value>>;
type AskedOf<S> = Asked<<S as Source>::Value, Join<<S as Source>::Value>>;

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

/// A fetch under way: dropped before its end it is given up, and the next who asks begins another.
struct Flight<S: Source> {
    cache: Cache<S>,
    key: S::Key,
    number: u64,
    /// Tells those who wait; gone when they have been told.
    land: Option<Land<S::Value>>,
}

impl<S: Source> Cache<S> {
    /// An empty cache.
    #[must_use]
    pub fn new(setup: &Setup, source: S, options: Options) -> Self {
        let dice = setup.env.dice.branch(S::NAME);
        let rules = Rules {
            limit: options.bytes,
            kept: options.kept,
            stale: options.fresh * STALE,
            pause: options.pause,
        };
        Cache(Arc::new(Inner {
            source,
            table: Mutex::new(Table::new(rules, dice.next_u64())),
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
    /// Those of the source without their causes, where nothing is held that can be given, also those
    /// of a moment ago; `DeadlineExceeded` to those whose time ends before; `Unavailable` when too
    /// many fetches are under way, and in a process that ends.
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
                Asked::Stale { held, old, fetch } => {
                    series.stale.inc();
                    if let Some(number) = fetch {
                        // It repeats by itself: others go before it.
                        self.fetch(cx, Criticality::SheddablePlus, (key, number, land));
                    }
                    return Ok(held.old(old));
                }
                Asked::Wait {
                    join,
                    instead,
                    fetch,
                } => {
                    if let Some(number) = fetch {
                        self.fetch(cx, cx.criticality(), (key, number, land));
                    }
                    let counted = match fetch {
                        Some(_) => &series.fetched,
                        None => &series.joined,
                    };
                    let landed = match &instead {
                        Some(_) => Ok(self.soon(cx, join).await),
                        None => self.in_time(cx, join).await.map(Some),
                    };
                    let old = match (landed?, &instead) {
                        (Some(Some(Landed::Value(held))), _) => {
                            counted.inc();
                            return Ok(held.fresh());
                        }
                        (Some(Some(Landed::Old(held, old))), _) => {
                            series.late.inc();
                            return Ok(held.old(old));
                        }
                        (Some(Some(Landed::Failure { error, is_answer })), Some(_))
                            if !is_answer =>
                        {
                            Old::Failing(error)
                        }
                        (Some(Some(Landed::Failure { error, .. })), _) => return Err(error.told()),
                        (_, Some(_)) => Old::Slow,
                        // Given up by another: it is somebody else's turn, perhaps ours.
                        (_, None) if fetch.is_none() => continue,
                        (_, None) => return Err(Error::unavailable("the service ends")),
                    };
                    if let Some(held) = instead {
                        series.late.inc();
                        return Ok(held.old(old));
                    }
                }
                Asked::Failed(error) => return Err(error.told()),
                Asked::Full => {
                    return Err(Error::unavailable(format!(
                        "too many values of {} are being fetched",
                        S::NAME
                    ))
                    .with_pushback(SOON));
                }
            }
        }
    }

    /// What a fetch comes to, if that is soon.
    async fn soon(&self, cx: &Context, join: Join<S::Value>) -> Option<Option<Landed<S::Value>>> {
        // Whoever asked needs time to do something with it.
        let patience = self.0.options.patience.min(cx.deadline().remaining() / 2);
        tokio::time::timeout(patience, landing(join)).await.ok()
    }

    /// What a fetch comes to, if that is in time.
    async fn in_time(
        &self,
        cx: &Context,
        join: Join<S::Value>,
    ) -> Result<Option<Landed<S::Value>>, Error> {
        let landing = async { Ok(landing(join).await) };
        cx.deadline().run(landing).await
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
    fn ask(&self, key: &S::Key) -> (AskedOf<S>, Option<Land<S::Value>>) {
        let mut land = None;
        let open = || {
            let (sender, join) = watch::channel(None);
            land = Some(sender);
            join
        };
        let asked = self.0.table.lock().ask(key, Instant::now(), open);
        (asked, land)
    }

    /// Has a fetch carried out. It goes on when those who wait for it leave: others come.
    fn fetch(
        &self,
        cx: &Context,
        criticality: Criticality,
        (key, number, land): (&S::Key, u64, Option<Land<S::Value>>),
    ) {
        let flight = Flight {
            cache: self.clone(),
            key: key.clone(),
            number,
            land,
        };
        let cx = Context::system(self.0.service)
            .with_trace(cx.trace())
            .with_criticality(criticality);
        self.0.tasks.spawn_endless("cache fetch", async move {
            flight.carry_out(&cx).await;
        });
    }

    fn count_held(&self, table: &TableOf<S>) {
        let series = &self.0.series;
        let level = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        series.values.set(level(table.values() as u64));
        series.bytes.set(level(table.weight()));
    }
}

impl<S: Source> Flight<S> {
    /// Fetches, holds the outcome and tells it those who wait.
    async fn carry_out(mut self, cx: &Context) {
        let inner = Arc::clone(&self.cache.0);
        let fetching = cx.deadline().run(inner.source.fetch(cx, &self.key));
        let came = match fetching.await {
            Ok(value) => {
                inner.series.fetch_done.inc();
                let weight = inner.source.weigh(&self.key, &value);
                Came::Value {
                    version: inner.source.version(&value),
                    weight: u64::try_from(weight).unwrap_or(u64::MAX),
                    fresh: about(inner.options.fresh, &inner.dice),
                    value,
                }
            }
            Err(error) => {
                inner.series.fetch_failed.inc();
                tracing::debug!(cache = S::NAME, error = %error.chain(), "a value could not be fetched");
                let asked = error.pushback().unwrap_or_default().min(LONGEST_PAUSE);
                Came::Failure {
                    error: Arc::new(error.told()),
                    pause: inner.options.pause.max(asked),
                    is_answer: is_answer(error.code()),
                }
            }
        };
        let mut table = inner.table.lock();
        let (landed, evicted) = table.settle(&self.key, self.number, came, Instant::now());
        self.cache.count_held(&table);
        drop(table);
        inner.series.evicted.add(evicted as u64);
        if let Some(land) = self.land.take() {
            land.send_replace(Some(landed));
        }
    }
}

impl<S: Source> Drop for Flight<S> {
    fn drop(&mut self) {
        // Those who wait are told when `land` goes with the rest: by then nobody finds this any more.
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
            late: series.late.get(),
            fetched: series.fetched.get(),
            joined: series.joined.get(),
            failed: series.failed.get(),
            source_asked: series.fetch_done.get()
                + series.fetch_failed.get()
                + series.fetch_given_up.get(),
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

/// Failures that are the source's answer: what was true before is no longer.
fn is_answer(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::InvalidArgument)
}

/// A time, give or take a tenth.
fn about(time: Duration, dice: &Dice) -> Duration {
    let tenth = u64::try_from(time.as_micros() / 10).unwrap_or(u64::MAX / 4);
    (time - Duration::from_micros(tenth)) + Duration::from_micros(dice.below(2 * tenth + 1))
}

#[cfg(test)]
mod tests;
