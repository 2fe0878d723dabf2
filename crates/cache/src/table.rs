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

/// The most fetches at once.
const FLIGHTS: usize = 1024;
/// The most of them that no caller waits for.
const REFRESHES: usize = 64;
/// The most keys of which nothing is held but that the source failed for them just now.
const FAILURES: usize = 1024;
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

/// What whoever asked has to do. `J` is what a fetch is waited for by; a fetch is known by its
/// number, and who is told one has it carried out.
#[derive(Debug)]
pub(crate) enum Asked<V, J> {
    /// Take this.
    Fresh(Held<V>),
    /// Take this; nobody waits for the fetch.
    Stale {
        held: Held<V>,
        old: Old,
        fetch: Option<u64>,
    },
    /// Wait; if there is something to take instead, not for long.
    Wait {
        join: J,
        instead: Option<Held<V>>,
        fetch: Option<u64>,
    },
    /// The source failed for it just now.
    Failed(Arc<Error>),
    /// Too many fetches are under way.
    Full,
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

/// What those who wait for a fetch are told.
#[derive(Clone, Debug)]
pub(crate) enum Landed<V> {
    Value(Held<V>),
    /// The source is behind what is held.
    Old(Held<V>, Old),
    Failure {
        error: Arc<Error>,
        is_answer: bool,
    },
}

/// For how long what serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The most that values may weigh, in bytes.
    pub(crate) limit: u64,
    /// How old they may be when the source fails.
    pub(crate) kept: Duration,
    /// How old they may be to be served while they are fetched anew, without waiting for that.
    pub(crate) stale: Duration,
    /// For how long a source that is behind is left alone.
    pub(crate) pause: Duration,
}

/// All of one cache.
#[derive(Debug)]
pub(crate) struct Table<K, V, J> {
    rules: Rules,
    /// Those used last come last.
    rows: LinkedHashMap<K, Row<V>, Xxh3Builder>,
    /// Of keys without a row.
    failures: LinkedHashMap<K, Failure, Xxh3Builder>,
    /// Fetches that others may join, and whose outcome is held.
    flights: LinkedHashMap<K, Flight<J>, Xxh3Builder>,
    /// All fetches that have not ended, by number.
    running: LinkedHashMap<u64, Running<K>, Xxh3Builder>,
    refreshes: usize,
    last_flight: u64,
    weight: u64,
    /// Grows when all that was fetched before is outdated.
    epoch: u64,
}

#[derive(Debug)]
struct Row<V> {
    value: V,
    version: u64,
    /// The newest version that was told of.
    announced: u64,
    fetched: Instant,
    fresh_until: Instant,
    epoch: u64,
    outdated: bool,
    /// Of the last fetch, if it failed.
    failure: Option<Failure>,
    weight: u64,
}

#[derive(Debug)]
struct Failure {
    error: Arc<Error>,
    until: Instant,
    epoch: u64,
}

#[derive(Debug)]
struct Running<K> {
    key: K,
    /// Whether nobody waited for it when it began.
    is_refresh: bool,
    /// Whether its key was forgotten since.
    is_forgotten: bool,
}

#[derive(Debug)]
struct Flight<J> {
    number: u64,
    join: J,
}

/// What the outcome of a fetch is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Good {
    /// It is what the source has.
    Present,
    /// Something was announced since it began: it may be what was before.
    Past,
    /// Its key was forgotten since it began.
    Nothing,
}

impl<K: Clone + Eq + Hash, V: Clone, J: Clone> Table<K, V, J> {
    /// An empty table.
    pub(crate) fn new(rules: Rules, seed: u64) -> Self {
        let hasher = Xxh3Builder::new().with_seed(seed);
        Table {
            rules,
            rows: LinkedHashMap::with_hasher(hasher),
            failures: LinkedHashMap::with_hasher(hasher),
            flights: LinkedHashMap::with_hasher(hasher),
            running: LinkedHashMap::with_hasher(hasher),
            refreshes: 0,
            last_flight: 0,
            weight: 0,
            epoch: 0,
        }
    }

    /// Values held.
    pub(crate) fn values(&self) -> usize {
        self.rows.len()
    }

    /// What they weigh, in bytes.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    /// Somebody asks for a key.
    pub(crate) fn ask(&mut self, key: &K, now: Instant, open: impl FnOnce() -> J) -> Asked<V, J> {
        let epoch = self.epoch;
        let recent = |failure: &&Failure| failure.epoch == epoch;
        let Some(row) = self.rows.to_back(key) else {
            let failure = self.failures.get(key).filter(recent);
            return match failure.filter(|failure| now < failure.until) {
                Some(failure) => Asked::Failed(Arc::clone(&failure.error)),
                None => self.wait(key, None, open),
            };
        };
        let held = row.held(now);
        if held.age > self.rules.kept {
            // What the source said last stands for itself.
            let failure = row.failure.take();
            self.remove(key);
            if let Some(failure) = failure {
                self.remember(key, failure);
            }
            return self.ask(key, now, open);
        }
        let is_outdated = row.outdated || row.epoch != epoch;
        if !is_outdated && now < row.fresh_until {
            return Asked::Fresh(held);
        }
        // After a failure nobody waits: the source is tried again in the background.
        if let Some(failure) = row.failure.as_ref().filter(recent) {
            let old = Old::Failing(Arc::clone(&failure.error));
            let is_paused = now < failure.until;
            let fetch = if is_paused {
                None
            } else {
                self.refresh(key, open)
            };
            return Asked::Stale { held, old, fetch };
        }
        if is_outdated || held.age > self.rules.stale {
            return self.wait(key, Some(held), open);
        }
        if self.flights.contains_key(key) {
            let (old, fetch) = (Old::Refreshing, None);
            return Asked::Stale { held, old, fetch };
        }
        let fetch = self.refresh(key, open);
        let old = match fetch {
            Some(_) => Old::Refreshing,
            // Too many are under way: the source does not keep up.
            None => Old::Slow,
        };
        Asked::Stale { held, old, fetch }
    }

    /// Somebody waits for a fetch: that which is under way, or a new one.
    fn wait(&mut self, key: &K, instead: Option<Held<V>>, open: impl FnOnce() -> J) -> Asked<V, J> {
        if let Some(flight) = self.flights.get(key) {
            let (join, fetch) = (flight.join.clone(), None);
            return Asked::Wait {
                join,
                instead,
                fetch,
            };
        }
        if self.running.len() >= FLIGHTS {
            return match instead {
                Some(held) => Asked::Stale {
                    held,
                    old: Old::Slow,
                    fetch: None,
                },
                None => Asked::Full,
            };
        }
        let join = open();
        let fetch = Some(self.fly(key, join.clone(), false));
        Asked::Wait {
            join,
            instead,
            fetch,
        }
    }

    /// Begins a fetch that nobody waits for, unless one is under way or there are too many.
    fn refresh(&mut self, key: &K, open: impl FnOnce() -> J) -> Option<u64> {
        let is_full = self.refreshes >= REFRESHES || self.running.len() >= FLIGHTS;
        if is_full || self.flights.contains_key(key) {
            return None;
        }
        self.refreshes += 1;
        Some(self.fly(key, open(), true))
    }

    fn fly(&mut self, key: &K, join: J, is_refresh: bool) -> u64 {
        self.last_flight += 1;
        let number = self.last_flight;
        let running = Running {
            key: key.clone(),
            is_refresh,
            is_forgotten: false,
        };
        self.running.insert(number, running);
        self.flights.insert(key.clone(), Flight { number, join });
        number
    }

    /// A fetch has ended: what its outcome is good for.
    fn lands(&mut self, key: &K, number: u64) -> Good {
        let running = self.running.remove(&number);
        if running.as_ref().is_some_and(|running| running.is_refresh) {
            self.refreshes -= 1;
        }
        let current = self.flights.get(key);
        if current.is_some_and(|flight| flight.number == number) {
            self.flights.remove(key);
            return Good::Present;
        }
        match running {
            Some(running) if !running.is_forgotten => Good::Past,
            _ => Good::Nothing,
        }
    }

    /// A fetch ended without an outcome: the next who asks begins another.
    pub(crate) fn give_up(&mut self, key: &K, number: u64) {
        self.lands(key, number);
    }

    /// A fetch ended: what those are told who wait for it, and how many values made room.
    pub(crate) fn settle(
        &mut self,
        key: &K,
        number: u64,
        came: Came<V>,
        now: Instant,
    ) -> (Landed<V>, usize) {
        let good = self.lands(key, number);
        match came {
            Came::Value {
                value,
                version,
                weight,
                fresh,
            } => {
                let held = Held {
                    value: value.clone(),
                    age: Duration::ZERO,
                };
                let row = Row {
                    value,
                    version,
                    announced: version,
                    fetched: now,
                    fresh_until: now + fresh,
                    epoch: self.epoch,
                    // What is never fresh is asked for each time.
                    outdated: fresh.is_zero() || good == Good::Past,
                    failure: None,
                    weight: weight.saturating_add(OVERHEAD),
                };
                match good {
                    Good::Present => {
                        self.failures.remove(key);
                    }
                    // Those who asked before may have it. It is better than nothing for others, too.
                    Good::Past
                        if !self.rows.contains_key(key) && !self.failures.contains_key(key) =>
                    {
                        return (Landed::Value(held), self.put(key, row));
                    }
                    Good::Past | Good::Nothing => return (Landed::Value(held), 0),
                }
                let kept = self.rules.kept;
                let before = self.rows.get_mut(key);
                let before = before.filter(|before| before.held(now).age <= kept);
                match before {
                    Some(before) if before.announced > version => self.behind(key, row, now),
                    _ => (Landed::Value(held), self.put(key, row)),
                }
            }
            Came::Failure {
                error,
                pause,
                is_answer,
            } => {
                let landed = Landed::Failure {
                    error: Arc::clone(&error),
                    is_answer,
                };
                if good != Good::Present {
                    return (landed, 0);
                }
                let failure = Failure {
                    error,
                    until: now + pause,
                    epoch: self.epoch,
                };
                match self.rows.get_mut(key) {
                    Some(row) if !is_answer => row.failure = Some(failure),
                    _ => {
                        self.remove(key);
                        self.remember(key, failure);
                    }
                }
                (landed, 0)
            }
        }
    }

    /// The source failed for a key of which nothing is held.
    fn remember(&mut self, key: &K, failure: Failure) {
        self.failures.insert(key.clone(), failure);
        if self.failures.len() > FAILURES {
            self.failures.pop_front();
        }
    }

    /// The source answered with an older version than it had: the newer of what is held and what
    /// came stays, as what it is.
    fn behind(&mut self, key: &K, mut row: Row<V>, now: Instant) -> (Landed<V>, usize) {
        let error = Error::unavailable("the source is behind what was known of it before");
        let error = Arc::new(error);
        let failure = Failure {
            error: Arc::clone(&error),
            until: now + self.rules.pause,
            epoch: self.epoch,
        };
        let mut evicted = 0;
        if let Some(before) = self.rows.get(key)
            && before.version < row.version
        {
            row.announced = before.announced;
            row.outdated = true;
            evicted = self.put(key, row);
        }
        let old = Old::Failing(Arc::clone(&error));
        let landed = match self.rows.get_mut(key) {
            Some(before) => {
                before.failure = Some(failure);
                Landed::Old(before.held(now), old)
            }
            // It is too large to be held.
            None => Landed::Failure {
                error,
                is_answer: false,
            },
        };
        (landed, evicted)
    }

    /// Holds a row; how many made room for it.
    fn put(&mut self, key: &K, row: Row<V>) -> usize {
        self.remove(key);
        if row.weight > self.rules.limit {
            return 0;
        }
        self.weight += row.weight;
        self.rows.insert(key.clone(), row);
        let before = self.rows.len();
        while self.weight > self.rules.limit {
            let Some((_, row)) = self.rows.pop_front() else {
                break;
            };
            self.weight -= row.weight;
        }
        before - self.rows.len()
    }

    fn remove(&mut self, key: &K) -> bool {
        let Some(row) = self.rows.remove(key) else {
            return false;
        };
        self.weight -= row.weight;
        true
    }

    /// A key changed, and now has this version, if that is known: whoever asks from now on is not
    /// told what was before as if it were the present. Whether a value became outdated.
    pub(crate) fn outdate(&mut self, key: &K, version: Option<u64>) -> bool {
        // A fetch under way may have read what was before: nobody joins it, and it is no present.
        self.flights.remove(key);
        self.failures.remove(key);
        let Some(row) = self.rows.get_mut(key) else {
            return false;
        };
        row.failure = None;
        row.announced = row.announced.max(version.unwrap_or_default());
        let is_known = version.is_some_and(|version| version <= row.version);
        let was_outdated = row.outdated;
        row.outdated |= !is_known;
        row.outdated && !was_outdated
    }

    /// Anything may have changed.
    pub(crate) fn outdate_all(&mut self) {
        self.epoch += 1;
        self.flights.clear();
    }

    /// Holds nothing of a key any more; whether it did.
    pub(crate) fn forget(&mut self, key: &K) -> bool {
        for running in self.running.values_mut() {
            running.is_forgotten |= running.key == *key;
        }
        self.flights.remove(key);
        self.failures.remove(key);
        self.remove(key)
    }

    /// Holds nothing any more; how many values it did.
    pub(crate) fn forget_all(&mut self) -> usize {
        self.outdate_all();
        for running in self.running.values_mut() {
            running.is_forgotten = true;
        }
        self.failures.clear();
        self.weight = 0;
        let values = self.rows.len();
        self.rows.clear();
        values
    }
}

impl<V: Clone> Row<V> {
    fn held(&self, now: Instant) -> Held<V> {
        Held {
            value: self.value.clone(),
            age: now.saturating_duration_since(self.fetched),
        }
    }
}
