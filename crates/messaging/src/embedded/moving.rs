//! Groups moved by people: to another place, or stopped; and topics emptied.

use super::Inner;
use super::repository::log;
use super::repository::{cursors, topics};
use super::topic::Topic;
use crate::Error;
use crate::engine::Seek;
use backlot_storage::{StoreError, Tx};
use std::sync::Arc;

/// Why a group is not moved.
enum Refused {
    Unknown,
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Store(error)
    }
}

fn refused(topic: &Topic, group: &str, refused: Refused) -> Error {
    match refused {
        Refused::Unknown => Error::UnknownGroup {
            topic: topic.name.clone(),
            group: group.to_owned(),
        },
        Refused::Store(error) => Error::of_write(error),
    }
}

pub(super) async fn seek(
    inner: &Arc<Inner>,
    topic: &str,
    group: &str,
    to: Seek,
) -> Result<(), Error> {
    let topic = inner.topic(topic)?;
    let parts: Vec<u32> = match to {
        Seek::Offset(position) if position.partition >= topic.partitions => {
            return Err(Error::Invalid {
                field: "partition",
                value: position.partition.to_string(),
                cure: "they are counted from 0 to below the topic's number of partitions",
            });
        }
        Seek::Offset(position) => vec![position.partition],
        Seek::Oldest | Seek::Newest | Seek::Time(_) => (0..topic.partitions).collect(),
    };
    let (id, incarnation) = (topic.id, topic.settings().incarnation);
    let writing = inner.write({
        let (parts, name) = (parts.clone(), group.to_owned());
        move |tx| {
            let (parts, name) = (parts.clone(), name.clone());
            Box::pin(async move {
                let group = cursors::group(tx, id, &name).await?;
                let group = group.ok_or(Refused::Unknown)?;
                for part in parts {
                    let offset = offset(tx, id, part, to).await?;
                    cursors::move_to(tx, group.id, part, offset, incarnation).await?;
                }
                Ok(())
            })
        }
    });
    let moved = writing.await.map_err(|error| refused(&topic, group, error));
    // Also when it is unknown whether it happened: a new epoch reads what the store says.
    if let Some(group) = inner.known_group(&topic, group)
        && moved.as_ref().err().is_none_or(Error::may_have_happened)
    {
        group.moved(parts);
    }
    moved
}

async fn offset(tx: &mut Tx, topic: i64, part: u32, to: Seek) -> Result<u64, StoreError> {
    let ranges = topics::ranges(tx, topic).await?;
    let range = ranges.get(part as usize);
    let range = range.copied().ok_or(StoreError::Rows { found: 0 })?;
    Ok(match to {
        Seek::Oldest => range.first,
        Seek::Newest => range.head,
        Seek::Offset(position) => position.offset.clamp(range.first, range.head),
        Seek::Time(time) => log::since(tx, topic, part, time).await?,
    })
}

pub(super) async fn pause(
    inner: &Arc<Inner>,
    topic: &str,
    group: &str,
    paused: bool,
) -> Result<(), Error> {
    // Whoever attaches meanwhile would begin with what was stored before; and of two that say
    // different things the last one stored is the last one heard.
    let _nobody_attaches = inner.membership.write().await;
    let topic = inner.topic(topic)?;
    let (id, name) = (topic.id, group.to_owned());
    let writing = inner.write({
        let name = name.clone();
        move |tx| {
            let name = name.clone();
            Box::pin(async move {
                let group = cursors::group(tx, id, &name).await?;
                let group = group.ok_or(Refused::Unknown)?;
                cursors::pause(tx, group.id, paused).await?;
                Ok(())
            })
        }
    });
    let told = writing.await.map_err(|error| refused(&topic, group, error));
    let paused = match &told {
        Ok(()) => paused,
        Err(error) if error.may_have_happened() => {
            let reading = inner.read(move |tx| {
                let name = name.clone();
                Box::pin(async move { cursors::group(tx, id, &name).await })
            });
            match reading.await {
                Ok(Some(stored)) => stored.is_paused,
                // It is told as unknown, and may be told again.
                _ => return told,
            }
        }
        Err(_) => return told,
    };
    if let Some(group) = inner.known_group(&topic, group) {
        group.state.lock().is_paused = paused;
        group.wake();
    }
    told
}

pub(super) async fn purge(inner: &Arc<Inner>, topic: &str) -> Result<(), Error> {
    let topic = inner.topic(topic)?;
    let id = topic.id;
    let incarnation = inner.incarnation(topic.settings().incarnation);
    let writing = inner.write(move |tx| Box::pin(topics::purge(tx, id, incarnation)));
    writing.await.map_err(Error::of_write)?;
    topic.emptied(incarnation);
    let groups = inner.groups.lock();
    for group in groups.values().filter(|group| group.topic.id == id) {
        group.moved(0..topic.partitions);
    }
    Ok(())
}
