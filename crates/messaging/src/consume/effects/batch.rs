//! Many messages of a partition in one transaction, once by a set of offsets in one row.
//!
//! When a batch fails it is run again, one by one, so that what fails is known; the set tells what
//! is made, whatever came before.

use super::{Consume, Event, Inner, outcome, runs};
use crate::Tracker;
use crate::consume::caught::caught;
use crate::consume::failure::{Failure, Verdict};
use crate::consume::lanes::Item;
use crate::consume::run::{Load, Outcome, Place, Ran};
use crate::engine::Delivery;
use backlot_core::Context;
use backlot_storage::position::At;
use backlot_storage::{StoreError, Tx};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The runs of a set are bounded by what is out at once.
const NO_LIMIT: usize = usize::MAX;

/// Why a transaction did not commit.
enum Stop {
    /// These were made before.
    Made(BTreeSet<u64>),
    Failed(Failure),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Failed(error.into())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

/// What the transaction of a batch needs.
struct Shared<E, C> {
    inner: Arc<Inner<E, C>>,
    place: Place,
    runs: Vec<(u64, u64)>,
    /// Taken by the first attempt.
    events: Mutex<Option<Vec<E>>>,
    /// For another.
    items: Arc<Vec<Item<Delivery>>>,
    cx: Context,
}

pub(super) async fn run<E: Event, C: Consume<E>>(inner: &Arc<Inner<E, C>>, load: Load) -> Ran {
    let Load { items, place } = load;
    let mut ran = Ran {
        items: Vec::with_capacity(items.len()),
        has_marked: false,
    };
    let decoded = caught(async { decode_all::<E, C>(&items) }).await;
    let Ok(Ok(events)) = decoded else {
        // Something in it cannot be read.
        one_by_one(inner, &place, items, &mut ran).await;
        return ran;
    };
    let (mut items, mut events) = (Arc::new(items), Some(events));
    loop {
        let stopped = commit(inner, &place, &items, events.take()).await;
        match stopped {
            Ok(()) => {
                ran.has_marked = true;
                let items = Arc::unwrap_or_clone(items);
                let done = items.into_iter().map(|item| (item, Outcome::Done));
                ran.items.extend(done);
                return ran;
            }
            Err(Stop::Made(made)) => {
                let (before, rest): (Vec<_>, Vec<_>) = Arc::unwrap_or_clone(items)
                    .into_iter()
                    .partition(|item| made.contains(&item.offset));
                let before = before.into_iter().map(|item| (item, Outcome::Before));
                ran.items.extend(before);
                if rest.is_empty() {
                    return ran;
                }
                items = Arc::new(rest);
            }
            Err(Stop::Failed(failure)) => {
                let items = Arc::unwrap_or_clone(items);
                fail(inner, &place, items, failure, &mut ran).await;
                return ran;
            }
        }
    }
}

async fn fail<E: Event, C: Consume<E>>(
    inner: &Arc<Inner<E, C>>,
    place: &Place,
    mut items: Vec<Item<Delivery>>,
    failure: Failure,
    ran: &mut Ran,
) {
    #[cfg(feature = "testing")]
    if inner.group.sabotage.passes_holes {
        let passed = items.drain(..).map(|item| (item, Outcome::Done));
        ran.items.extend(passed);
        return;
    }
    let is_away = failure.verdict() == Verdict::Away;
    if !is_away && items.len() > 1 {
        one_by_one(inner, place, items, ran).await;
        return;
    }
    let mut failure = Some(failure);
    let all = items.drain(..).map(|item| match failure.take() {
        Some(failure) => (item, Outcome::Failed(failure)),
        None => (item, Outcome::Left),
    });
    ran.items.extend(all);
}

/// Each alone, so that only what fails is held up, and what waits for it.
async fn one_by_one<E: Event, C: Consume<E>>(
    inner: &Arc<Inner<E, C>>,
    place: &Place,
    items: Vec<Item<Delivery>>,
    ran: &mut Ran,
) {
    let (mut failed, mut is_away) = (BTreeSet::new(), false);
    for item in items {
        if is_away || failed.contains(&item.slot) {
            ran.items.push((item, Outcome::Left));
            continue;
        }
        let alone = Arc::new(vec![item]);
        let made = caught(async {
            let events = decode_all::<E, C>(&alone)?;
            match commit(inner, place, &alone, Some(events)).await {
                Ok(()) => Ok(true),
                Err(Stop::Made(_)) => Ok(false),
                Err(Stop::Failed(failure)) => Err(failure),
            }
        });
        let outcome = outcome(made.await);
        ran.has_marked |= matches!(outcome, Outcome::Done);
        for item in Arc::unwrap_or_clone(alone) {
            if let Outcome::Failed(failure) = &outcome {
                failed.insert(item.slot);
                is_away = failure.verdict() == Verdict::Away;
            }
            let said = match &outcome {
                Outcome::Failed(failure) => Outcome::Failed(failure.clone()),
                Outcome::Before => Outcome::Before,
                Outcome::Done | Outcome::Left => Outcome::Done,
            };
            ran.items.push((item, said));
        }
    }
}

fn decode_all<E: Event, C: Consume<E>>(items: &[Item<Delivery>]) -> Result<Vec<E>, Failure> {
    let events = items
        .iter()
        .map(|item| Inner::<E, C>::decode(&item.message));
    events.collect()
}

async fn commit<E: Event, C: Consume<E>>(
    inner: &Arc<Inner<E, C>>,
    place: &Place,
    items: &Arc<Vec<Item<Delivery>>>,
    events: Option<Vec<E>>,
) -> Result<(), Stop> {
    let Some(first) = items.first() else {
        return Ok(());
    };
    let cx = inner.contexts.of(&first.message);
    let shared = Arc::new(Shared {
        inner: Arc::clone(inner),
        place: place.clone(),
        runs: runs(items),
        events: Mutex::new(events),
        items: Arc::clone(items),
        cx: cx.clone(),
    });
    let writing = inner.store.write(&cx, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { shared.attempt(tx).await })
    });
    writing.await
}

impl<E: Event, C: Consume<E>> Shared<E, C> {
    async fn attempt(&self, tx: &mut Tx) -> Result<(), Stop> {
        let inner = &self.inner;
        let Place {
            partition,
            log,
            floor,
            passed,
        } = &self.place;
        let mut position = tx.position(&inner.group.name, &inner.topic, *partition);
        let stands = position.read_ahead().await?;
        let mut made = match stands {
            Some((at, _)) if at.log > *log => {
                // The log began anew: whoever has the partition now reads that one.
                return Err(Stop::Failed(Failure::away("its log is gone")));
            }
            Some((at, ahead)) if at.log == *log => {
                Tracker::decode(at.next, &ahead, NO_LIMIT).ok_or_else(damaged)?
            }
            _ => Tracker::new(*floor, NO_LIMIT),
        };
        made.settle_range(0, *floor);
        for (first, end) in passed {
            made.settle_range(*first, *end);
        }
        let before: BTreeSet<u64> = self
            .items
            .iter()
            .map(|item| item.offset)
            .filter(|offset| made.is_settled(*offset))
            .collect();
        if !before.is_empty() {
            return Err(Stop::Made(before));
        }
        for (first, end) in &self.runs {
            made.settle_range(*first, *end);
        }
        let events = self.events.lock().take();
        let events = match events {
            Some(events) => events,
            None => decode_all::<E, C>(&self.items)?,
        };
        inner.hand(&self.cx, tx, events).await?;
        let at = At {
            log: *log,
            next: made.prefix(),
        };
        let mut position = tx.position(&inner.group.name, &inner.topic, *partition);
        position.set_ahead(at, &made.encode()).await?;
        Ok(())
    }
}

fn damaged() -> Stop {
    Stop::Failed(Failure::new(
        backlot_core::Code::DataLoss,
        "the set of offsets whose effect is made cannot be read",
    ))
}
