//! The state of topics and groups, exactly: from one snapshot of the store.

use super::Inner;
use super::repository::dead::list;
use super::repository::log;
use super::repository::{cursors, topics};
use crate::Error;
use crate::dead::{Class, Filter};
use crate::engine::{CursorReport, GroupReport, PartitionReport, Report, TopicReport};
use crate::telemetry::{DEAD, LAG, OLDEST, RETRYING};
use backlot_storage::{StoreError, Tx};
use std::sync::Arc;

/// Every topic there is.
pub(super) async fn topics(inner: &Arc<Inner>) -> Result<Vec<TopicReport>, Error> {
    let reading = inner.read(|tx| {
        Box::pin(async move {
            let mut all = Vec::new();
            for stored in topics::all(tx).await? {
                let groups = cursors::groups(tx, stored.id).await?;
                all.push(TopicReport {
                    spec: stored.spec,
                    groups: groups.into_iter().map(|group| group.name).collect(),
                });
            }
            Ok::<_, StoreError>(all)
        })
    });
    let mut all = reading.await.map_err(Error::of_read)?;
    all.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
    Ok(all)
}

pub(super) async fn inspect(
    inner: &Arc<Inner>,
    topic: &str,
    group: Option<&str>,
) -> Result<Report, Error> {
    let topic = inner.topic(topic)?;
    let (id, name) = (topic.id, group.map(str::to_owned));
    let reading = inner.read(move |tx| {
        let name = name.clone();
        Box::pin(async move { read(tx, id, name.as_deref(), false).await })
    });
    let mut report = reading.await.map_err(Error::of_read)?;
    // Never negative: of 63 bits.
    report.incarnation = topic.settings().incarnation.cast_unsigned();
    if let Some(group) = group
        && report.groups.is_empty()
    {
        return Err(Error::UnknownGroup {
            topic: topic.name.clone(),
            group: group.to_owned(),
        });
    }
    for group in &mut report.groups {
        if let Some(known) = inner.known_group(&topic, &group.group) {
            group.members = known.members();
        }
    }
    Ok(report)
}

/// Of one group or of all; `only_lasting` leaves those out that are no longer than their members.
async fn read(
    tx: &mut Tx,
    topic: i64,
    group: Option<&str>,
    only_lasting: bool,
) -> Result<Report, StoreError> {
    let ranges = topics::ranges(tx, topic).await?;
    let mut aside = log::aside(tx, topic).await?;
    let mut report = Report::default();
    for (part, range) in (0..).zip(&ranges) {
        report.partitions.push(PartitionReport {
            start: range.first,
            head: range.head,
            bytes: range.bytes,
            damaged: aside.remove(&part).unwrap_or_default(),
        });
    }
    let groups = match group {
        Some(name) => cursors::group(tx, topic, name).await?.into_iter().collect(),
        None => cursors::groups(tx, topic).await?,
    };
    for stored in groups {
        if only_lasting && stored.is_ephemeral {
            continue;
        }
        let mut group = GroupReport {
            group: stored.name,
            paused: stored.is_paused,
            ..GroupReport::default()
        };
        let retrying = cursors::count_exceptions(tx, stored.id).await?;
        let all = cursors::all(tx, stored.id).await?;
        for ((part, range), cursor) in (0..).zip(&ranges).zip(all) {
            let lag = range
                .head
                .saturating_sub(cursor.acked.max(range.first))
                .saturating_sub(cursor.ahead_count);
            let oldest = if lag == 0 {
                None
            } else {
                log::stored_at(tx, topic, part, cursor.acked.max(range.first)).await?
            };
            group.partitions.push(CursorReport {
                prefix: cursor.acked,
                lag,
                oldest,
                retrying: retrying.get(&part).copied().unwrap_or(0),
                epoch: cursor.epoch,
            });
        }
        report.groups.push(group);
    }
    Ok(report)
}

/// Sets the gauges.
pub(super) async fn measure(inner: &Arc<Inner>) -> Result<(), Error> {
    let now = inner.clock.wall();
    inner.telemetry.queued.set(inner.queue.len() as i64);
    for topic in inner.all_topics() {
        let id = topic.id;
        let reading = inner.read(move |tx| Box::pin(read(tx, id, None, true)));
        let report = reading.await.map_err(Error::of_read)?;
        let held = report.partitions.iter().map(|part| part.head - part.start);
        topic.telemetry.stored.set(gauge(held.sum()));
        for group in report.groups {
            let mut retrying = 0;
            for (part, cursor) in group.partitions.iter().enumerate() {
                let labels = [&*topic.name, &*group.group, &*part.to_string()];
                let age = cursor
                    .oldest
                    .map_or(0, |oldest| now.0.saturating_sub(oldest.0));
                inner.metrics.gauge(&LAG, labels).set(gauge(cursor.lag));
                inner.metrics.gauge(&OLDEST, labels).set(age.max(0) / 1000);
                retrying += cursor.retrying;
            }
            let labels = [&*topic.name, &*group.group];
            inner.metrics.gauge(&RETRYING, labels).set(gauge(retrying));
        }
    }
    measure_letters(inner).await
}

/// Sets the gauges of dead letters, from their counters.
async fn measure_letters(inner: &Arc<Inner>) -> Result<(), Error> {
    let reading =
        inner.read(|tx| Box::pin(async move { list::groups(tx, &Filter::default()).await }));
    for group in reading.await.map_err(Error::of_read)? {
        for class in Class::ALL {
            let labels = [&*group.topic, &*group.group, class.name()];
            let waiting = group.waiting.get(class).copied().unwrap_or(0);
            inner.metrics.gauge(&DEAD, labels).set(gauge(waiting));
        }
    }
    Ok(())
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
