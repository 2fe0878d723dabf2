//! Groups removed: by people, when their last member closes, and when nobody is left of those that
//! are no longer than their members.

use super::Inner;
use super::repository::ephemeral::{self, Ephemeral};
use crate::Error;
use backlot_storage::StoreError;
use std::sync::Arc;

/// How many leases a group without members is kept: its members may be on their way back.
const LEASES: u32 = 3;

/// Removes a group that has no members.
pub(super) async fn forget(inner: &Arc<Inner>, topic: &str, group: &str) -> Result<(), Error> {
    // Nobody attaches in between.
    let _alone = inner.membership.write().await;
    let topic = inner.topic(topic)?;
    let known = inner.known_group(&topic, group);
    if let Some(known) = &known
        && let Err(members) = known.begin_forgetting()
    {
        return Err(Error::Occupied {
            topic: topic.name.clone(),
            group: group.to_owned(),
            members,
        });
    }
    let (id, name) = (topic.id, group.to_owned());
    let removing = inner.write(move |tx| {
        let name = name.clone();
        Box::pin(async move { ephemeral::remove(tx, id, &name).await })
    });
    let removed = removing.await.map_err(Error::of_write);
    if removed
        .as_ref()
        .is_err_and(|error| !error.may_have_happened())
    {
        if let Some(known) = known {
            known.keep();
        }
    } else {
        // Where it is unknown whether it is gone, whoever attaches finds what the store says.
        inner.groups.lock().remove(&(topic.id, group.to_owned()));
    }
    match removed? {
        true => Ok(()),
        false => Err(Error::UnknownGroup {
            topic: topic.name.clone(),
            group: group.to_owned(),
        }),
    }
}

/// Removes the groups whose members are long gone.
pub(super) async fn sweep(inner: &Arc<Inner>) -> Result<(), Error> {
    let reading = inner.read(|tx| Box::pin(ephemeral::all(tx)));
    let now = inner.clock.wall();
    let mut alive = Vec::new();
    for stored in reading.await.map_err(Error::of_read)? {
        let Ephemeral {
            id,
            topic,
            group,
            alive_at,
            lease,
        } = stored;
        let known = inner.topic(&topic).ok();
        let known = known.and_then(|topic| inner.known_group(&topic, &group));
        if known.is_some_and(|known| !known.members().is_empty()) {
            // Said once a lease, not at each look.
            if alive_at.plus(lease) <= now {
                alive.push(id);
            }
            continue;
        }
        if alive_at.plus(lease.saturating_mul(LEASES)) > now {
            continue;
        }
        match forget(inner, &topic, &group).await {
            Ok(()) => tracing::info!(topic, group, "a group whose members are gone was removed"),
            // Somebody came, or was faster.
            Err(Error::Occupied { .. } | Error::UnknownGroup { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if alive.is_empty() {
        return Ok(());
    }
    let saying = inner.write(move |tx| {
        let alive = alive.clone();
        Box::pin(async move {
            ephemeral::say_alive(tx, &alive, now).await?;
            Ok::<_, StoreError>(())
        })
    });
    saying.await.map_err(Error::of_write)
}
