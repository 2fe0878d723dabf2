//! Who may send: one at a time, told apart by a number that rises.

use super::queue::Queue;
use crate::{Sql, StoreError, Tx, names, params, sql};
use backlot_core::{Context, Timestamp};
use std::time::Duration;

const NAME: &str = "outbox";
/// The most bytes of an owner's name.
pub const MAX_OWNER: usize = 255;

const HOLDER: Sql = sql!("SELECT owner, fence, held_until FROM backlot_lease WHERE name = ?");
const TAKE: Sql =
    sql!("UPDATE backlot_lease SET owner = ?, fence = ?, held_until = ? WHERE name = ?");
const EXTEND: Sql =
    sql!("UPDATE backlot_lease SET held_until = ? WHERE name = ? AND owner = ? AND fence = ?");
#[cfg(test)]
pub(super) const STATEMENTS: [Sql; 3] = [HOLDER, TAKE, EXTEND];

/// The right to send, until somebody else takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    owner: String,
    fence: u64,
    until: Timestamp,
}

impl Lease {
    /// The fencing number: higher than that of everyone who held the lease before.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Until when nobody else takes it, by its owner's clock.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }

    pub(super) fn kept(self, until: Timestamp) -> Self {
        Lease { until, ..self }
    }
}

/// Who holds the lease, and until when by that one's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its name.
    pub owner: String,
    /// Its fencing number.
    pub fence: u64,
    /// Until when.
    pub until: Timestamp,
}

/// What came of asking for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours.
    Held(Lease),
    /// Somebody else has it.
    Busy(Holder),
}

impl Queue {
    /// Takes the lease for `time`, if it is free, expired, or last held under the same name: then
    /// its holder was this one before it was started anew. Whoever takes it gets a higher fencing
    /// number, and who had it before is refused from then on.
    ///
    /// `gone` is a holder that has not stirred for longer than a lease takes, as the caller has
    /// seen: the lease is taken from it if it still has not, whatever the clocks say.
    ///
    /// # Errors
    /// [`StoreError::Field`] for a name that is empty or longer than [`MAX_OWNER`] bytes, and what
    /// else a write fails with.
    pub async fn acquire(
        &self,
        cx: &Context,
        owner: &str,
        time: Duration,
        gone: Option<&Holder>,
    ) -> Result<Acquired, StoreError> {
        names::check("the name of the lease's owner", owner, MAX_OWNER)?;
        // A look costs nobody anything: who waits for the lease looks often.
        let read = self.store().read(cx, |tx| Box::pin(holder(tx)));
        let found = read.await?;
        let now = self.store().clock().wall();
        if is_busy(&found, owner, now, gone) {
            return Ok(Acquired::Busy(found));
        }
        let (owner, gone) = (owner.to_owned(), gone.cloned());
        let clock = self.store().clock().clone();
        let taking = self.store().write(cx, move |tx| {
            let (owner, gone, now) = (owner.clone(), gone.clone(), clock.wall());
            Box::pin(async move {
                let found = holder(tx).await?;
                if is_busy(&found, &owner, now, gone.as_ref()) {
                    return Ok(Acquired::Busy(found));
                }
                let (fence, until) = (found.fence + 1, now.plus(time));
                let row = params![&owner, fence.cast_signed(), until, NAME];
                tx.execute(TAKE, row).await?;
                Ok(Acquired::Held(Lease {
                    owner,
                    fence,
                    until,
                }))
            })
        });
        taking.await
    }

    /// Keeps the lease for `time` from now on.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else has taken it, and what else a write fails with.
    pub async fn extend(
        &self,
        cx: &Context,
        lease: &Lease,
        time: Duration,
    ) -> Result<Lease, StoreError> {
        let until = self.store().clock().wall().plus(time);
        let (owned, asked) = (lease.clone(), until);
        let extending = self.store().write(cx, move |tx| {
            let lease = owned.clone();
            Box::pin(async move { hold(tx, &lease, asked).await })
        });
        extending.await?;
        Ok(lease.clone().kept(until))
    }

    /// Gives the lease back, if it is still held: the next one need not wait until it expires.
    ///
    /// # Errors
    /// What a write fails with.
    pub async fn release(&self, cx: &Context, lease: Lease) -> Result<(), StoreError> {
        let releasing = self.store().write(cx, move |tx| {
            let lease = lease.clone();
            Box::pin(async move {
                let row = params![0, NAME, &lease.owner, lease.fence.cast_signed()];
                tx.execute(EXTEND, row).await.map(drop)
            })
        });
        releasing.await
    }
}

/// Whether the lease is somebody else's, and will be for a while.
fn is_busy(found: &Holder, owner: &str, now: Timestamp, gone: Option<&Holder>) -> bool {
    found.owner != owner && now < found.until && gone != Some(found)
}

async fn holder(tx: &mut Tx) -> Result<Holder, StoreError> {
    let row = tx.query_one(HOLDER, params![NAME]).await?;
    Ok(Holder {
        owner: row.get(0)?,
        fence: row.get(1)?,
        until: row.get(2)?,
    })
}

/// Refuses whoever does not hold the lease any more, and keeps it until then for who does: others
/// that want it wait for this transaction.
pub(super) async fn hold(tx: &mut Tx, lease: &Lease, until: Timestamp) -> Result<(), StoreError> {
    let fence = lease.fence.cast_signed();
    let row = params![until, NAME, &lease.owner, fence];
    if tx.execute(EXTEND, row).await? > 0 {
        return Ok(());
    }
    Err(StoreError::Fenced {
        fence: lease.fence,
        newest: holder(tx).await?.fence,
    })
}
