//! The broker as a service: keeps the log of events, serves it to other processes, and gives it to
//! the services of its own.

use crate::config::BrokerConfig;
use crate::{Service, StartError, Startup};
use backlot_broker::{Access, Options, QueueServer, Server, contract};
use backlot_messaging::caps::Durability;
use backlot_messaging::pull::{Desk, Queues};
use backlot_messaging::{Embedded, Engine, embedded, pull};
use std::sync::Arc;

/// The name under which it is configured and found.
pub const NAME: &str = "broker";

/// The secret that services of one system show to its broker, in the data folder.
pub const KEY: &str = "broker.key";

/// The broker: name, owner, configuration type and `start`.
///
/// It comes before the services of a product that use it: they find it there.
#[must_use]
pub fn service() -> Service {
    Service::new(NAME, crate::owners!("platform-team"), start)
        .port(8085)
        .with_store()
}

async fn start(config: BrokerConfig, cx: &mut Startup) -> Result<(), StartError> {
    let store = cx.store(&config.store, embedded::MIGRATIONS).await?;
    let durability = if config.store.url.is_memory() {
        Durability::Memory
    } else {
        Durability::Disk
    };
    let options = embedded::Options {
        queue: config.queue,
        tend: config.tend,
        ..embedded::Options::default()
    };
    let (env, tasks, metrics) = (cx.env(), cx.tasks(), cx.metrics());
    let log = Embedded::over(store, durability, options, env, tasks, metrics).await;
    let log: Arc<dyn Engine> = Arc::new(log.map_err(backlot_core::Error::from)?);
    let served = Options {
        sessions: config.sessions,
        ..Options::default()
    };
    let access = Access::new(cx.secret(KEY)?);
    let desk = Desk::new(
        &cx.setup_over(Arc::clone(&log)),
        pull::Options::default(),
        cx.tasks(),
    );
    let queues: Arc<dyn Queues> = Arc::new(desk);
    let served_queues = QueueServer::new(
        Arc::clone(&log),
        Arc::clone(&queues),
        access.clone(),
        cx.env(),
    );
    let server = Server::new(Arc::clone(&log), access, served, cx.env(), cx.tasks());
    cx.serve(contract::broker(server));
    cx.serve(contract::queue(served_queues));
    cx.provide(log, queues);
    Ok(())
}
