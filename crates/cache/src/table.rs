//! What is held, and who fetches: events in, actions out. It knows no clock and no task; whoever
//! drives it says what time it is, carries fetches out and brings back what came of them.

use backlot_core::Error;
use hashlink::LinkedHashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3Builder;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;

/// The most fetches at once that no caller waits for.
const REFRESHES: usize = 64;
/// What a value takes besides itself, in bytes: its place in the table.
const OVERHEAD: u64 = 160;

/// Why a value is older than it should be.
#[derive(Clone, Debug)]
pub enum Old {
    /// It is being fetched anew.
    Refreshing,
    /// The source takes too long.
    Slow,
    /// The source failed with this error.
    Failing(Arc<Error>),
}

/// A value that is held, and how old it is.
#[derive(Clone, Debug)]
pub(crate) struct Held<V> {
    pub(crate) value: V,
    pub(crate) age: Duration,
}

/// What whoever asked has to do. `J` is what others join a fetch by; a fetch is known by its number.
#[derive(Debug)]
pub(crate) enum Asked<V, J> {
    /// Take this.
    Fresh(Held<V>),
    /// Take this; and have this fetched in the background, if it says so.
    Stale {
        held: Held<V>,
        old: Old,
        refresh: Option<(u64, J)>,
    },
    /// It is known to be outdated: have it fetched in the background if it says so, wait for that
    /// for a while, and take this otherwise.
    Outdated {
        held: Held<V>,
        join: J,
        refresh: Option<u64>,
    },
    /// Fetch it.
    Fetch(u64, J),
    /// Another fetches it.
    Join(J),
    /// The source failed for it just now.
    Failed(Arc<Error>),
}

/// What came of a fetch.
#[derive(Clone, Debug)]
pub(crate) enum Came<V> {
    Value {
        value: V,
        version: u64,
        /// In bytes.
        weight: u64,
        /// For how long it is fresh.
        fresh: Duration,
    },
    Failure {
        error: Arc<Error>,
        /// For how long the source is left alone.
        pause: Duration,
        /// Whether this is the source's answer, rather than that it cannot be asked: then nothing
        /// older is true.
        is_answer: bool,
    },
}

/// What became of what came.
#[derive(Debug)]
pub(crate) struct Settled<V> {
    /// A newer version was held already: take that.
    pub(crate) newer: Option<Held<V>>,
    /// How many values made room.
    pub(crate) evicted: usize,
}

/// All of one cache.
#[derive(Debug)]
pub(crate) struct Table<K, V, J> {
    limit: u64,
    kept: Duration,
    /// Those used last come last.
    rows: LinkedHashMap<K, Row<V>, Xxh3Builder>,
    /// Fetches that others may join, and whose outcome is held.
    flights: LinkedHashMap<K, Flight<J>, Xxh3Builder>,
    weight: u64,
    values: usize,
    last_flight: u64,
    refreshes: usize,
    /// Grows when all that was fetched before is outdated.
    epoch: u64,
}

#[derive(Debug)]
struct Row<V> {
    value: Option<Value<V>>,
    /// Of the last fetch, if it failed.
    failure: Option<Failure>,
    weight: u64,
}

#[derive(Debug)]
struct Value<V> {
    value: V,
    version: u64,
    fetched: Instant,
    fresh_until: Instant,
    epoch: u64,
    outdated: bool,
}

#[derive(Debug)]
struct Failure {
    error: Arc<Error>,
    until: Instant,
    epoch: u64,
}

#[derive(Debug)]
struct Flight<J> {
    number: u64,
    join: J,
    is_refresh: bool,
}

impl<K: Clone + Eq + Hash, V: Clone, J: Clone> Table<K, V, J> {
    /// An empty table of at most `limit` bytes, whose values serve for `kept`.
    pub(crate) fn new(limit: u64, kept: Duration, seed: u64) -> Self {
        let hasher = Xxh3Builder::new().with_seed(seed);
        Table {
            limit,
            kept,
            rows: LinkedHashMap::with_hasher(hasher),
            flights: LinkedHashMap::with_hasher(hasher),
            weight: 0,
            values: 0,
            last_flight: 0,
            refreshes: 0,
            epoch: 0,
        }
    }

    /// Values held.
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    /// What they weigh, in bytes.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    /// Somebody asks for a key.
    pub(crate) fn ask(&mut self, key: &K, now: Instant, open: impl FnOnce() -> J) -> Asked<V, J> {
        let (epoch, kept) = (self.epoch, self.kept);
        let Some(row) = self.rows.to_back(key) else {
            return self.miss(key, open);
        };
        let failure = row.failure.as_ref().filter(|last| last.epoch == epoch);
        let paused = failure.filter(|failure| now < failure.until);
        let usable = row.value.as_ref();
        let usable = usable.filter(|value| now.saturating_duration_since(value.fetched) <= kept);
        let Some(value) = usable else {
            return match paused {
                Some(failure) => Asked::Failed(Arc::clone(&failure.error)),
                None => self.miss(key, open),
            };
        };
        let held = value.held(now);
        let is_outdated = value.outdated || value.epoch != epoch;
        if !is_outdated && now < value.fresh_until {
            return Asked::Fresh(held);
        }
        // After a failure nobody waits: the source is tried again in the background.
        if let Some(failure) = failure {
            let old = Old::Failing(Arc::clone(&failure.error));
            let refresh = match paused {
                Some(_) => None,
                None => self.refresh(key, open),
            };
            return Asked::Stale { held, old, refresh };
        }
        if !is_outdated {
            let refresh = self.refresh(key, open);
            let old = Old::Refreshing;
            return Asked::Stale { held, old, refresh };
        }
        if let Some(flight) = self.flights.get(key) {
            let (join, refresh) = (flight.join.clone(), None);
            return Asked::Outdated {
                held,
                join,
                refresh,
            };
        }
        match self.refresh(key, open) {
            Some((number, join)) => Asked::Outdated {
                held,
                join,
                refresh: Some(number),
            },
            // Too many are under way: the source is not keeping up.
            None => Asked::Stale {
                held,
                old: Old::Slow,
                refresh: None,
            },
        }
    }

    fn miss(&mut self, key: &K, open: impl FnOnce() -> J) -> Asked<V, J> {
        if let Some(flight) = self.flights.get(key) {
            return Asked::Join(flight.join.clone());
        }
        let (number, join) = self.fly(key, open, false);
        Asked::Fetch(number, join)
    }

    /// Begins a fetch in the background, unless one is under way or there are too many.
    fn refresh(&mut self, key: &K, open: impl FnOnce() -> J) -> Option<(u64, J)> {
        if self.flights.contains_key(key) || self.refreshes >= REFRESHES {
            return None;
        }
        self.refreshes += 1;
        Some(self.fly(key, open, true))
    }

    fn fly(&mut self, key: &K, open: impl FnOnce() -> J, is_refresh: bool) -> (u64, J) {
        self.last_flight += 1;
        let (number, join) = (self.last_flight, open());
        let flight = Flight {
            number,
            join: join.clone(),
            is_refresh,
        };
        self.flights.insert(key.clone(), flight);
        (number, join)
    }

    /// Nobody may join this fetch any more, and what comes of it is not held.
    fn ground(&mut self, key: &K) {
        if let Some(flight) = self.flights.remove(key)
            && flight.is_refresh
        {
            self.refreshes -= 1;
        }
    }

    /// Whether this fetch is the one whose outcome is held; it has ended.
    fn lands(&mut self, key: &K, number: u64) -> bool {
        let current = self.flights.get(key);
        let is_current = current.is_some_and(|flight| flight.number == number);
        if is_current {
            self.ground(key);
        }
        is_current
    }

    /// Whoever fetched gave up without an outcome: the next who asks fetches.
    pub(crate) fn give_up(&mut self, key: &K, number: u64) {
        self.lands(key, number);
    }

    /// A fetch ended.
    pub(crate) fn settle(
        &mut self,
        key: &K,
        number: u64,
        came: Came<V>,
        now: Instant,
    ) -> Settled<V> {
        let mut settled = Settled {
            newer: None,
            evicted: 0,
        };
        // Something was announced or forgotten since it began: it may have read what was before.
        if !self.lands(key, number) {
            return settled;
        }
        match came {
            Came::Value {
                value,
                version,
                weight,
                fresh,
            } => {
                let held = self.rows.get(key).and_then(|row| row.value.as_ref());
                if let Some(newer) = held.filter(|held| held.version > version) {
                    settled.newer = Some(newer.held(now));
                    return settled;
                }
                let value = Value {
                    value,
                    version,
                    fetched: now,
                    fresh_until: now + fresh,
                    epoch: self.epoch,
                    // What is never fresh is asked for each time.
                    outdated: fresh.is_zero(),
                };
                let row = Row {
                    value: Some(value),
                    failure: None,
                    weight: weight.saturating_add(OVERHEAD),
                };
                settled.evicted = self.put(key, row);
            }
            Came::Failure {
                error,
                pause,
                is_answer,
            } => {
                let failure = Failure {
                    error,
                    until: now + pause,
                    epoch: self.epoch,
                };
                match self.rows.get_mut(key) {
                    Some(row) if !is_answer => row.failure = Some(failure),
                    _ => {
                        let row = Row {
                            value: None,
                            failure: Some(failure),
                            weight: OVERHEAD,
                        };
                        settled.evicted = self.put(key, row);
                    }
                }
            }
        }
        settled
    }

    /// Holds a row; how many values made room for it.
    fn put(&mut self, key: &K, row: Row<V>) -> usize {
        self.remove(key);
        if row.weight > self.limit {
            return 0;
        }
        self.weight += row.weight;
        self.values += usize::from(row.value.is_some());
        self.rows.insert(key.clone(), row);
        let before = self.values;
        while self.weight > self.limit {
            let Some((_, row)) = self.rows.pop_front() else {
                break;
            };
            self.weight -= row.weight;
            self.values -= usize::from(row.value.is_some());
        }
        before - self.values
    }

    fn remove(&mut self, key: &K) -> bool {
        let Some(row) = self.rows.remove(key) else {
            return false;
        };
        self.weight -= row.weight;
        self.values -= usize::from(row.value.is_some());
        row.value.is_some()
    }

    /// A key changed, and now has this version, if that is known: whoever asks from now on is not
    /// told what was before as if it were the present. Whether a value became outdated.
    pub(crate) fn outdate(&mut self, key: &K, version: Option<u64>) -> bool {
        self.ground(key);
        let Some(row) = self.rows.get_mut(key) else {
            return false;
        };
        // It failed for what was before.
        row.failure = None;
        let Some(value) = &mut row.value else {
            self.remove(key);
            return false;
        };
        let is_known = version.is_some_and(|version| version <= value.version);
        let was_outdated = value.outdated;
        value.outdated |= !is_known;
        value.outdated && !was_outdated
    }

    /// Anything may have changed.
    pub(crate) fn outdate_all(&mut self) {
        self.epoch += 1;
        self.flights.clear();
        self.refreshes = 0;
    }

    /// Holds nothing of a key any more; whether it did.
    pub(crate) fn forget(&mut self, key: &K) -> bool {
        self.ground(key);
        self.remove(key)
    }

    /// Holds nothing any more; how many values it did.
    pub(crate) fn forget_all(&mut self) -> usize {
        self.outdate_all();
        self.rows.clear();
        self.weight = 0;
        std::mem::take(&mut self.values)
    }
}

impl<V: Clone> Value<V> {
    fn held(&self, now: Instant) -> Held<V> {
        Held {
            value: self.value.clone(),
            age: now.saturating_duration_since(self.fetched),
        }
    }
}
