//! A bounded number of connections. One that was used well goes back; one that was left in the
//! middle of anything is closed, which undoes its transaction on the other side.

use super::{Address, Engine, Wire};
use crate::StoreError;
use crate::backend::Mode;
use backlot_core::Deadline;
use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::{Connection, Pool};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A connection that rested longer is not trusted: what lies between may have forgotten it.
const FRESH: Duration = Duration::from_secs(240);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

pub(crate) struct Connections<E: Engine> {
    engine: E,
    source: Source<E>,
    slots: Arc<Semaphore>,
    size: u32,
    waiting: AtomicUsize,
    queue: usize,
    closed: AtomicBool,
}

enum Source<E: Engine> {
    /// Connections of our own.
    Own {
        address: Address<E>,
        idle: Mutex<Vec<Idle<E>>>,
    },
    /// Those of a pool that somebody else has.
    Borrowed(Pool<E::Db>),
}

struct Idle<E: Engine> {
    wire: Wire<E>,
    since: Instant,
}

impl<E: Engine> Connections<E> {
    pub(crate) fn own(engine: E, address: Address<E>, connections: u32, queue: usize) -> Self {
        let idle = Mutex::new(Vec::new());
        Connections::over(engine, Source::Own { address, idle }, connections, queue)
    }

    pub(crate) fn borrowed(engine: E, pool: Pool<E::Db>, queue: usize) -> Self {
        let connections = pool.options().get_max_connections();
        Connections::over(engine, Source::Borrowed(pool), connections, queue)
    }

    fn over(engine: E, source: Source<E>, connections: u32, queue: usize) -> Self {
        let size = connections.max(1);
        Connections {
            engine,
            source,
            slots: Arc::new(Semaphore::new(size as usize)),
            size,
            waiting: AtomicUsize::new(0),
            queue,
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn engine(&self) -> &E {
        &self.engine
    }

    /// A connection for one transaction, and whether it was used before.
    pub(super) async fn take(
        self: &Arc<Self>,
        mode: Mode,
        deadline: Deadline,
    ) -> Result<(Lease<E>, bool), StoreError> {
        let slot = self.slot(deadline).await?;
        let (held, used) = match &self.source {
            Source::Own { idle, .. } => {
                let rested = idle.lock().pop();
                match rested
                    .filter(|rested| Instant::now().saturating_duration_since(rested.since) < FRESH)
                {
                    Some(rested) => (Held::Own(rested.wire), true),
                    None => (Held::Own(self.alone(deadline).await?), false),
                }
            }
            Source::Borrowed(pool) => {
                let borrowed = tokio::time::timeout_at(deadline.instant(), pool.acquire()).await;
                let borrowed = match borrowed {
                    Ok(borrowed) => {
                        borrowed.map_err(|error| self.engine.failure(mode, &error, ""))?
                    }
                    Err(_elapsed) => return Err(self.full()),
                };
                (Held::Borrowed(borrowed), true)
            }
        };
        let lease = Lease {
            held: Some(held),
            home: Arc::clone(self),
            _slot: slot,
        };
        Ok((lease, used))
    }

    /// Waits for one of the connections to be free: no longer than the call may take, and not
    /// behind a queue without end.
    async fn slot(&self, deadline: Deadline) -> Result<OwnedSemaphorePermit, StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_none_free) => {
                let _waiting = Waiting::queue(&self.waiting, self.queue)?;
                let free = Arc::clone(&self.slots).acquire_owned();
                match tokio::time::timeout_at(deadline.instant(), free).await {
                    Ok(slot) => slot.map_err(|_closed| StoreError::Closed)?,
                    Err(_elapsed) => return Err(self.full()),
                }
            }
        };
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        Ok(slot)
    }

    fn full(&self) -> StoreError {
        StoreError::Full {
            waiting: self.waiting.load(Ordering::SeqCst),
        }
    }

    /// A connection of its own, beside the bounded number.
    pub(crate) async fn alone(&self, deadline: Deadline) -> Result<Wire<E>, StoreError> {
        self.dial(deadline).await.map_err(|error| match error {
            Some(error) => self.engine.failure(Mode::Write, &error, ""),
            None => silence(),
        })
    }

    /// As [`alone`](Self::alone), with the client's own words, or none at the deadline.
    pub(super) async fn dial(&self, deadline: Deadline) -> Result<Wire<E>, Option<sqlx::Error>> {
        let connecting = async {
            match &self.source {
                Source::Own { address, .. } => {
                    let mut wire = Wire::<E>::connect_with(address).await?;
                    self.engine.prepare(&mut wire).await?;
                    Ok(wire)
                }
                Source::Borrowed(pool) => pool.acquire().await.map(PoolConnection::detach),
            }
        };
        match tokio::time::timeout_at(deadline.instant(), connecting).await {
            Ok(connected) => connected.map_err(Some),
            Err(_elapsed) => Err(None),
        }
    }

    /// Forgets the connections that rest: the database was started anew behind their backs.
    pub(super) fn forget(&self) {
        if let Source::Own { idle, .. } = &self.source {
            drop(std::mem::take(&mut *idle.lock()));
        }
    }

    fn put_back(&self, held: Held<E>) {
        match (held, &self.source) {
            (Held::Own(wire), Source::Own { idle, .. }) => {
                let since = Instant::now();
                idle.lock().push(Idle { wire, since });
            }
            // The pool takes it back by itself.
            (held, _) => drop(held),
        }
    }

    /// Waits for what runs, refuses the rest.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // Never closed, so this cannot fail; whoever waits before us is refused in passing.
        let all = self.slots.acquire_many(self.size).await;
        if let Source::Own { idle, .. } = &self.source {
            let resting = std::mem::take(&mut *idle.lock());
            for idle in resting {
                // The other side notices either way.
                drop(tokio::time::timeout(GOODBYE, idle.wire.close()).await);
            }
        }
        drop(all);
    }
}

impl<E: Engine> fmt::Debug for Connections<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("engine", &self.engine)
            .field("size", &self.size)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

/// Nobody answered while connecting.
pub(super) fn silence() -> StoreError {
    StoreError::unavailable("the database did not answer in time while connecting")
}

/// One that waits, counted.
struct Waiting<'c>(&'c AtomicUsize);

impl<'c> Waiting<'c> {
    fn queue(count: &'c AtomicUsize, most: usize) -> Result<Self, StoreError> {
        let before = count.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(count);
        if before >= most {
            return Err(StoreError::Full { waiting: before });
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

enum Held<E: Engine> {
    Own(Wire<E>),
    Borrowed(PoolConnection<E::Db>),
}

/// A connection in use. Dropping it closes it.
pub(super) struct Lease<E: Engine> {
    held: Option<Held<E>>,
    home: Arc<Connections<E>>,
    /// After the connection, so that there are never more of them than slots.
    _slot: OwnedSemaphorePermit,
}

impl<E: Engine> Lease<E> {
    pub(super) fn engine(&self) -> &E {
        &self.home.engine
    }

    /// Gives it back: it is as it was.
    pub(super) fn put_back(mut self) {
        if let Some(held) = self.held.take() {
            self.home.put_back(held);
        }
    }
}

const HELD: &str = "a lease has its connection until it is given back";

impl<E: Engine> Deref for Lease<E> {
    type Target = Wire<E>;

    fn deref(&self) -> &Wire<E> {
        match self.held.as_ref().expect(HELD) {
            Held::Own(wire) => wire,
            Held::Borrowed(wire) => wire,
        }
    }
}

impl<E: Engine> DerefMut for Lease<E> {
    fn deref_mut(&mut self) -> &mut Wire<E> {
        match self.held.as_mut().expect(HELD) {
            Held::Own(wire) => wire,
            Held::Borrowed(wire) => wire,
        }
    }
}

impl<E: Engine> Drop for Lease<E> {
    fn drop(&mut self) {
        // Its pool would take it back and first finish what it was in the middle of.
        if let Some(Held::Borrowed(wire)) = self.held.take() {
            drop(wire.detach());
        }
    }
}
