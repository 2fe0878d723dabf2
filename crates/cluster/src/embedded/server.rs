//! Serves a registry on a listener.

mod connections;
mod routes;

use super::table::Table;
use backlot_core::Env;
use backlot_core::env::{Phase, Shutdown};
use backlot_core::net::Listener;
use backlot_service::tasks::Tasks;
use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A pause this long between two looks at the clock means that the process stood still.
const STANDSTILL: Duration = Duration::from_millis(500);
/// The longest time between two looks at the table.
const LOOK: Duration = Duration::from_millis(250);

/// A registry that is being served. Dropping this leaves it running.
#[derive(Clone, Debug)]
pub struct Server {
    address: SocketAddr,
    epoch: Arc<str>,
    stop: Shutdown,
}

/// What the routes work on.
#[derive(Debug)]
struct Shared {
    epoch: Arc<str>,
    table: Mutex<Table>,
    /// Moves on with every change of the table.
    changes: watch::Sender<u64>,
    /// There may be an earlier expiry than the one waited for.
    sooner: Notify,
}

impl Server {
    /// Serves an empty registry on `listener` until the process has stopped, [`Server::stop`] is
    /// called or `tasks` end.
    ///
    /// # Errors
    /// When the listener cannot tell its address.
    pub fn serve(listener: Box<dyn Listener>, env: &Env, tasks: &Tasks) -> io::Result<Server> {
        let address = listener.local_addr()?;
        let epoch: Arc<str> = draw_epoch(env).into();
        let stop = Shutdown::new();
        let shared = Arc::new(Shared::new(Arc::clone(&epoch)));
        tasks.spawn("registry expiry", {
            let (shared, ends) = (Arc::clone(&shared), ends(env, &stop));
            async move {
                tokio::select! {
                    biased;
                    () = ends => {}
                    () = shared.keep_expiring() => {}
                }
            }
        });
        let router = routes::router(shared);
        tasks.spawn(
            "registry",
            connections::accept(
                listener,
                router,
                ends(env, &stop),
                stop.clone(),
                env.clone(),
                tasks.clone(),
            ),
        );
        tracing::debug!(%address, epoch = %epoch, "registry listens on {address}");
        Ok(Server {
            address,
            epoch,
            stop,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name of this run of the registry.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Closes the listener and every connection.
    pub fn stop(&self) {
        self.stop.advance(Phase::Stopped);
    }
}

/// Resolves when the process or this server has stopped.
fn ends(env: &Env, stop: &Shutdown) -> impl Future<Output = ()> + Send + 'static {
    let (process, stop) = (env.shutdown.clone(), stop.clone());
    async move {
        tokio::select! {
            biased;
            () = stop.reached(Phase::Stopped) => {}
            () = process.reached(Phase::Stopped) => {}
        }
    }
}

/// The wall clock tells a run from an earlier one that rolled the same (a simulated host that is
/// started again), the dice from another of the same moment.
fn draw_epoch(env: &Env) -> String {
    format!("{:x}-{:016x}", env.clock.wall().0, env.dice.next_u64())
}

impl Shared {
    fn new(epoch: Arc<str>) -> Self {
        Shared {
            epoch,
            table: Mutex::new(Table::new()),
            changes: watch::Sender::new(0),
            sooner: Notify::new(),
        }
    }

    /// Wakes whoever watches.
    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Takes out what has expired, as it expires.
    async fn keep_expiring(&self) {
        let mut looked = Instant::now();
        loop {
            let next = self.table.lock().next_expiry();
            let until = next.map(|next| next.min(looked + LOOK));
            tokio::select! {
                biased;
                () = sleep_until(until) => {}
                // Nobody is here: time without a look means nothing.
                () = self.sooner.notified() => {
                    looked = Instant::now();
                    continue;
                }
            }
            let now = Instant::now();
            let pause = now.saturating_duration_since(until.unwrap_or(now));
            looked = now;
            let expired = {
                let mut table = self.table.lock();
                if pause >= STANDSTILL {
                    tracing::warn!(
                        ?pause,
                        "registry stood still and gives every instance that much longer"
                    );
                    table.forgive(pause);
                }
                table.expire(now)
            };
            for instance in &expired {
                tracing::debug!(
                    service = instance.service,
                    instance = instance.id,
                    "instance {} of {} has expired",
                    instance.id,
                    instance.service
                );
            }
            if !expired.is_empty() {
                self.changed();
            }
        }
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_core::discovery::Instance;
    use std::collections::BTreeMap;

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_stood_still_lets_nobody_expire_for_it() {
        let shared = Shared::new("epoch".into());
        let instance = Instance {
            id: "a".into(),
            service: "s".into(),
            address: "a:1".into(),
            version: String::new(),
            metadata: BTreeMap::new(),
        };
        shared
            .table
            .lock()
            .put(instance, Duration::from_secs(3), Instant::now())
            .unwrap();
        let mut expiring = std::pin::pin!(shared.keep_expiring());
        // The first poll begins the wait; then a minute passes in which nothing runs.
        tokio::select! {
            biased;
            () = &mut expiring => {}
            () = tokio::time::advance(Duration::from_secs(60)) => {}
        }
        let second = Duration::from_secs(1);
        assert!(tokio::time::timeout(second, &mut expiring).await.is_err());
        assert_eq!(shared.table.lock().len(), 1);
        // Afterwards time counts as always.
        assert!(
            tokio::time::timeout(3 * second, &mut expiring)
                .await
                .is_err()
        );
        assert!(shared.table.lock().is_empty());
    }
}
