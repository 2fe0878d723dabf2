//! The task that keeps the log: publishes what is due, removes what is old, measures.

use super::Inner;
use super::codec::{self, Reader};
use super::repository::dead::{self, Arrival};
use super::repository::log::{self, Keep, SLICE};
use super::repository::timers::{self, Due};
use super::repository::topics;
use super::topic::Topic;
use crate::{Error, Record};
use backlot_core::Timestamp;
use backlot_storage::{StoreError, Tx};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The most time that passes between two looks at the wall clock, which may be set.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// The most batches of dead letters that one commit drops: each letter has a row to be removed, too.
const LETTER_SLICE: u32 = 8;
/// The pause after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// When the keeper has something to do.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    due: Mutex<Option<Timestamp>>,
    rings: Notify,
}

impl Alarm {
    /// Something is due then, or before.
    pub(super) fn at_most(&self, due: Timestamp) {
        let mut set = self.due.lock();
        if set.is_none_or(|set| due < set) {
            *set = Some(due);
            drop(set);
            self.ring();
        }
    }

    pub(super) fn ring(&self) {
        self.rings.notify_one();
    }

    fn take(&self, now: Timestamp) -> bool {
        let mut set = self.due.lock();
        let is_due = set.is_some_and(|due| due <= now);
        if is_due {
            *set = None;
        }
        is_due
    }

    fn wait(&self, now: Timestamp) -> Option<Duration> {
        let due = (*self.due.lock())?;
        let millis = due.0.saturating_sub(now.0).max(0).unsigned_abs();
        Some(Duration::from_millis(millis).min(CLOCK_LOOK))
    }
}

/// Runs until the engine is closed.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut closed = inner.closed.subscribe();
    // What was due while nobody ran.
    inner.alarm.at_most(inner.clock.wall());
    let mut tend_at = Instant::now() + inner.options.tend;
    loop {
        let waits = inner.alarm.wait(inner.clock.wall());
        let wake_at = waits.map_or(tend_at, |wait| tend_at.min(Instant::now() + wait));
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return,
            () = inner.alarm.rings.notified() => {}
            () = tokio::time::sleep_until(wake_at) => {}
        }
        let done = work(&inner, &mut tend_at).await;
        if let Err(error) = done {
            tracing::warn!(
                error = backlot_core::error::chain(&error),
                "the log could not be tended"
            );
            tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

async fn work(inner: &Arc<Inner>, tend_at: &mut Instant) -> Result<(), Error> {
    if inner.is_doubted.swap(false, Ordering::SeqCst) {
        look_again(inner).await.inspect_err(|_| inner.doubt())?;
    }
    let now = inner.clock.wall();
    if inner.alarm.take(now) {
        publish_due(inner, now)
            .await
            .inspect_err(|_| inner.alarm.at_most(now))?;
    }
    if Instant::now() >= *tend_at {
        *tend_at = Instant::now() + inner.options.tend;
        tend(inner).await?;
    }
    Ok(())
}

/// Removes what is too old or too much, and measures.
pub(super) async fn tend(inner: &Arc<Inner>) -> Result<(), Error> {
    let now = inner.clock.wall();
    super::ephemeral::sweep(inner).await?;
    for topic in inner.all_topics() {
        trim(inner, &topic, now).await?;
    }
    while inner
        .write(move |tx| Box::pin(timers::forget(tx, now, SLICE)))
        .await
        .map_err(Error::of_write)?
        >= u64::from(SLICE)
    {}
    super::report::measure(inner).await
}

/// How far the log reaches by now.
async fn look_again(inner: &Arc<Inner>) -> Result<(), Error> {
    for topic in inner.all_topics() {
        let id = topic.id;
        // A write: it comes after the one whose end is not known.
        let reading = inner.write(move |tx| Box::pin(topics::ranges(tx, id)));
        let ranges = reading.await.map_err(Error::of_read)?;
        topic.grown((0..).zip(ranges.iter().map(|range| range.head)));
    }
    // A timer may have been set, too.
    inner.alarm.at_most(inner.clock.wall());
    Ok(())
}

async fn trim(inner: &Arc<Inner>, topic: &Arc<Topic>, now: Timestamp) -> Result<(), Error> {
    let mut spec = topic.settings().spec;
    let holds_letters = topic.holds_letters;
    if holds_letters {
        spec.retention = spec.retention.or(Some(inner.options.letters));
    }
    let slice = if holds_letters { LETTER_SLICE } else { SLICE };
    if spec.retention.is_none() && spec.retention_bytes.is_none() {
        return Ok(());
    }
    let keep = Keep {
        since: spec.retention.map(|age| now.minus(age)),
        bytes: spec.retention_bytes,
    };
    let id = topic.id;
    let looking = inner.read(move |tx| Box::pin(log::overdue(tx, id, keep)));
    for part in looking.await.map_err(Error::of_read)? {
        loop {
            let trimming = inner.write(move |tx| {
                Box::pin(async move {
                    let ranges = topics::ranges(tx, id).await?;
                    let held = ranges.get(part as usize).map_or(0, |range| range.bytes);
                    let (dropped, first) = log::trim(tx, id, part, (held, slice), keep).await?;
                    if holds_letters && dropped > 0 {
                        let ranges = topics::ranges(tx, id).await?;
                        let first = ranges.get(part as usize).map_or(0, |range| range.first);
                        dead::remove_below(tx, id, part, first).await?;
                    }
                    Ok::<_, StoreError>((dropped, first))
                })
            });
            let (dropped, first) = trimming.await.map_err(Error::of_write)?;
            if dropped > 0 {
                topic.trimmed(part, first);
            }
            if dropped < u64::from(slice) {
                break;
            }
        }
    }
    Ok(())
}

/// Moves what is due into the log, in slices, each in the commit that takes it off the list.
async fn publish_due(inner: &Arc<Inner>, now: Timestamp) -> Result<(), Error> {
    let topics = inner.all_topics().into_iter();
    let topics: BTreeMap<i64, Arc<Topic>> = topics.map(|topic| (topic.id, topic)).collect();
    let topics = Arc::new(topics);
    loop {
        let moving = inner.write({
            let topics = Arc::clone(&topics);
            move |tx| {
                let topics = Arc::clone(&topics);
                Box::pin(async move { move_due(tx, &topics, now).await })
            }
        });
        let (moved, next) = match moving.await {
            Ok(moved) => moved,
            Err(error) => {
                let error = Error::of_write(error);
                if error.may_have_happened() {
                    inner.doubt();
                }
                return Err(error);
            }
        };
        for Moved {
            topic,
            part,
            head,
            count,
        } in &moved
        {
            if let Some(topic) = topics.get(topic) {
                topic.telemetry.published.add(*count);
                topic.grown([(*part, *head)]);
            }
        }
        match next {
            Some(next) if next <= now => {}
            Some(next) => {
                inner.alarm.at_most(next);
                return Ok(());
            }
            None => return Ok(()),
        }
    }
}

/// What came into a partition.
#[derive(Debug)]
struct Moved {
    topic: i64,
    part: u32,
    head: u64,
    count: u64,
}

async fn move_due(
    tx: &mut Tx,
    topics: &BTreeMap<i64, Arc<Topic>>,
    now: Timestamp,
) -> Result<(Vec<Moved>, Option<Timestamp>), StoreError> {
    let mut by_partition: BTreeMap<(i64, u32), Vec<Record>> = BTreeMap::new();
    for due in timers::take(tx, now).await? {
        let record = Reader::new(due.data.clone().into())
            .filter(|_| due.is_sound)
            .and_then(|mut reader| reader.read());
        match record {
            Some(record) => by_partition
                .entry((due.topic, due.part))
                .or_default()
                .push(record),
            None => put_aside(tx, &due, now).await?,
        }
    }
    let mut moved = Vec::new();
    for ((topic, part), records) in by_partition {
        let (base, _at) = log::append(tx, topic, part, &codec::encode(&records), now).await?;
        let count = records.len() as u64;
        if let Some(named) = topics.get(&topic)
            && named.holds_letters
        {
            let arrival = |(offset, record)| Arrival {
                queue: topic,
                queue_name: &named.name,
                part,
                offset,
                record,
            };
            let arrivals: Vec<Arrival<'_>> = (base..).zip(&records).map(arrival).collect();
            dead::enter(tx, &arrivals, now).await?;
        }
        moved.push(Moved {
            topic,
            part,
            head: base + count,
            count,
        });
    }
    Ok((moved, timers::next(tx).await?))
}

async fn put_aside(tx: &mut Tx, due: &Due, now: Timestamp) -> Result<(), StoreError> {
    tracing::error!(
        topic = due.topic,
        partition = due.part,
        timer = due.id,
        "a message to be published later is damaged and was put aside"
    );
    log::put_aside_timer(tx, due, now).await
}
