//! Many messages of a partition in one transaction, once by a set of offsets in one row.
//!
//! When a batch fails it is run again without what failed, if its handler tells which that is, and
//! else in halves; the set tells what is made, whatever came before.

use super::{Consume, Event, Inner, runs};
use crate::Tracker;
use crate::consume::caught::{caught, caught_now};
use crate::consume::failure::{Failure, Verdict};
use crate::consume::lanes::{Item, Slot};
use crate::consume::run::{Load, Outcome, Place, Ran};
use crate::engine::Delivery;
use backlot_core::Context;
use backlot_storage::position::At;
use backlot_storage::{StoreError, Tx};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The runs of a set are bounded by what is out at once: at most every second of 32,768, two bytes
/// each, which is half of what a row may hold.
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
    /// Lent to an attempt, which gives them back when it fails.
    events: Mutex<Option<Vec<E>>>,
    /// For another, when they were used up; taken back when the write has ended for its caller.
    items: Mutex<Vec<Item<Delivery>>>,
    /// Whether the handler is at work.
    handling: AtomicBool,
    cx: Context,
}

/// Messages that are to be committed together.
struct Part<E> {
    items: Vec<Item<Delivery>>,
    /// What they say, if it is known.
    events: Option<Vec<E>>,
}

impl<E> Part<E> {
    /// Takes out what is at these places, in their order.
    fn take(
        &mut self,
        is_taken: impl Fn(usize, &Item<Delivery>) -> bool,
    ) -> Vec<(usize, Item<Delivery>)> {
        let taken: Vec<bool> = (0..)
            .zip(&self.items)
            .map(|(place, item)| is_taken(place, item))
            .collect();
        if !taken.contains(&true) {
            return Vec::new();
        }
        if let Some(events) = &mut self.events {
            let mut is_taken = taken.iter();
            events.retain(|_| is_taken.next() == Some(&false));
        }
        let items = std::mem::take(&mut self.items).into_iter().enumerate();
        let (out, left): (Vec<_>, Vec<_>) = items.partition(|(place, _)| taken[*place]);
        self.items = left.into_iter().map(|(_, item)| item).collect();
        out
    }

    /// Leaves the first half, and gives the second.
    fn halve(&mut self) -> Part<E> {
        let half = self.items.len() / 2;
        Part {
            items: self.items.split_off(half),
            events: self.events.as_mut().map(|events| events.split_off(half)),
        }
    }
}

/// A batch on its way.
struct Batch {
    ran: Ran,
    /// Slots in which something failed and is tried again, with the offset of the first that did:
    /// what is behind it waits.
    held: BTreeMap<Slot, u64>,
}

impl Batch {
    fn failed(&mut self, item: Item<Delivery>, failure: Failure) {
        if failure.verdict() != Verdict::Dead {
            let first = self.held.entry(item.slot).or_insert(item.offset);
            *first = item.offset.min(*first);
        }
        self.ran.items.push((item, Outcome::Failed(failure)));
    }

    fn is_behind(&self, item: &Item<Delivery>) -> bool {
        let first = self.held.get(&item.slot);
        first.is_some_and(|first| item.offset > *first)
    }

    fn leave(&mut self, items: impl IntoIterator<Item = Item<Delivery>>) {
        let left = items.into_iter().map(|item| (item, Outcome::Left));
        self.ran.items.extend(left);
    }
}

pub(super) async fn run<E: Event, C: Consume<E>>(inner: &Arc<Inner<E, C>>, load: Load) -> Ran {
    let Load { items, place } = load;
    let mut batch = Batch {
        ran: Ran {
            items: Vec::with_capacity(items.len()),
            has_marked: false,
        },
        held: BTreeMap::new(),
    };
    let all = decoded::<E, C>(items, &mut batch);
    let mut parts = VecDeque::from([all]);
    while let Some(mut part) = parts.pop_front() {
        let behind = part.take(|_, item| batch.is_behind(item));
        batch.leave(behind.into_iter().map(|(_, item)| item));
        if part.items.is_empty() {
            continue;
        }
        let (mut part, mut failure) = match commit(inner, &place, part).await {
            (part, Ok(())) => {
                batch.ran.has_marked = true;
                let done = part.items.into_iter().map(|item| (item, Outcome::Done));
                batch.ran.items.extend(done);
                continue;
            }
            (mut part, Err(Stop::Made(made))) => {
                let before = part.take(|_, item| made.contains(&item.offset));
                let before = before.into_iter().map(|(_, item)| (item, Outcome::Before));
                batch.ran.items.extend(before);
                parts.push_front(part);
                continue;
            }
            (part, Err(Stop::Failed(failure))) => (part, failure),
        };
        #[cfg(feature = "testing")]
        if inner.group.sabotage.passes_holes {
            let passed = part.items.into_iter().map(|item| (item, Outcome::Done));
            batch.ran.items.extend(passed);
            continue;
        }
        if failure.verdict() == Verdict::Away {
            let mut items = part.items.into_iter();
            if let Some(first) = items.next() {
                batch.failed(first, failure);
            }
            batch.leave(items);
            break;
        }
        let mut among = failure.take_among(part.items.len());
        if !among.is_empty() {
            for (place, item) in part.take(|place, _| among.contains_key(&place)) {
                match among.remove(&place) {
                    // It is to wait for what failed before it, and is tried anew with it.
                    Some(_) if batch.is_behind(&item) => batch.leave([item]),
                    Some(failure) => batch.failed(item, failure),
                    None => batch.leave([item]),
                }
            }
            parts.push_front(part);
        } else if part.items.len() > 1 {
            let second = part.halve();
            parts.push_front(second);
            parts.push_front(part);
        } else if let Some(item) = part.items.pop() {
            let is_late = failure.verdict() == Verdict::Late;
            batch.failed(item, failure);
            if is_late {
                // Each of the others would take as long to fail.
                break;
            }
        }
    }
    for part in parts {
        batch.leave(part.items);
    }
    batch.ran
}

/// Reads what messages say; those that cannot be read have failed.
fn decoded<E: Event, C: Consume<E>>(items: Vec<Item<Delivery>>, batch: &mut Batch) -> Part<E> {
    let mut part = Part {
        items: Vec::with_capacity(items.len()),
        events: None,
    };
    let mut events = Vec::with_capacity(items.len());
    for item in items {
        let event = match caught_now(|| Inner::<E, C>::decode(&item.message)) {
            Ok(event) => event,
            Err(words) => Err(Failure::panicked(&words)),
        };
        match event {
            Ok(event) => {
                part.items.push(item);
                events.push(event);
            }
            Err(failure) => batch.failed(item, failure),
        }
    }
    part.events = Some(events);
    part
}

fn decode_all<E: Event, C: Consume<E>>(items: &[Item<Delivery>]) -> Result<Vec<E>, Failure> {
    let events = items
        .iter()
        .map(|item| Inner::<E, C>::decode(&item.message));
    events.collect()
}

/// Commits the effects of all of these, or of none; gives them back.
async fn commit<E: Event, C: Consume<E>>(
    inner: &Arc<Inner<E, C>>,
    place: &Place,
    part: Part<E>,
) -> (Part<E>, Result<(), Stop>) {
    let Some(first) = part.items.first() else {
        return (part, Ok(()));
    };
    let cx = inner.contexts.of(&first.message.record);
    let shared = Arc::new(Shared {
        inner: Arc::clone(inner),
        place: place.clone(),
        runs: runs(&part.items),
        events: Mutex::new(part.events),
        items: Mutex::new(part.items),
        handling: AtomicBool::new(false),
        cx: cx.clone(),
    });
    let mine = Arc::clone(&shared);
    let writing = inner.store.write(&cx, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { shared.attempt(tx).await })
    });
    let written = match caught(writing).await {
        Ok(Err(Stop::Failed(failure))) if mine.handling.load(Ordering::Relaxed) => {
            Err(Stop::Failed(failure.attempted()))
        }
        Ok(written) => written,
        Err(words) => Err(Stop::Failed(Failure::panicked(&words))),
    };
    // A store that is still at it (its caller's time was over) goes on with the events it took.
    let items = std::mem::take(&mut *mine.items.lock());
    let events = mine.events.lock().take();
    (Part { items, events }, written)
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
        let offsets = self.runs.iter().flat_map(|(first, end)| *first..*end);
        let before: BTreeSet<u64> = offsets.filter(|offset| made.is_settled(*offset)).collect();
        #[cfg(feature = "testing")]
        let before = if inner.group.sabotage.skips_inbox {
            BTreeSet::new()
        } else {
            before
        };
        if !before.is_empty() {
            return Err(Stop::Made(before));
        }
        for (first, end) in &self.runs {
            made.settle_range(*first, *end);
        }
        let events = self.events.lock().take();
        let events = match events {
            Some(events) => events,
            None => match &self.items.lock()[..] {
                [] => return Err(Stop::Failed(Failure::away("nobody waits for it any more"))),
                items => decode_all::<E, C>(items)?,
            },
        };
        self.handling.store(true, Ordering::Relaxed);
        let handed = inner.hand(&self.cx, tx, events).await;
        self.handling.store(false, Ordering::Relaxed);
        if let Err((failure, events)) = handed {
            *self.events.lock() = events;
            return Err(Stop::Failed(failure));
        }
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
