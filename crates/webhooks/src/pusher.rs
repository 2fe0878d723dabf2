//! Keeps a reader for every endpoint that is enabled.

use crate::client::Client;
use crate::controller::Controller;
use crate::deliverer::{Deliverer, Over};
use crate::model::Endpoint;
use crate::telemetry::ENDPOINTS;
use crate::transport::Transport;
use backlot_core::{Context, Error};
use backlot_messaging::consume::{Consumer, Group, Order, Setup};
use backlot_messaging::engine::Begin;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How often is looked what other instances changed.
const LOOK: Duration = Duration::from_secs(5);
/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pauses between attempts.
const BASE: Duration = Duration::from_secs(30);
const CAP: Duration = Duration::from_secs(2 * 3600);
/// How long a message may go on failing.
const AGE: Duration = Duration::from_secs(3 * 24 * 3600);

pub(crate) struct Pusher {
    controller: Arc<Controller>,
    setup: Setup,
    transport: Transport,
}

/// A reader at work.
struct Running {
    endpoint: Endpoint,
    /// Dropped when it has to stop.
    _stop: oneshot::Sender<()>,
    /// Told at once, also to what is on its way to be pushed.
    over: Over,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.over.tell();
    }
}

impl Pusher {
    pub(crate) fn new(controller: Arc<Controller>, setup: Setup, transport: Transport) -> Self {
        Pusher {
            controller,
            setup,
            transport,
        }
    }

    /// Pushes until it is told to stop.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        let (mut running, mut readers) = (BTreeMap::new(), JoinSet::new());
        let mut changes = self.controller.changes();
        let pushed = self.setup.metrics.gauge(&ENDPOINTS, []);
        let mut stop = std::pin::pin!(stop);
        loop {
            let change = *changes.borrow_and_update();
            if let Err(error) = self.adjust(&mut running, &mut readers).await {
                tracing::warn!(
                    error = backlot_core::error::chain(&error),
                    "endpoints cannot be read now, and stay as they were"
                );
            }
            self.controller.notice(change);
            pushed.set(i64::try_from(running.len()).unwrap_or(i64::MAX));
            tokio::select! {
                biased;
                () = &mut stop => break,
                changed = changes.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(LOOK) => {}
                Some(_ended) = readers.join_next(), if !readers.is_empty() => {}
            }
        }
        drop(running);
        while readers.join_next().await.is_some() {}
    }

    /// Ends readers of endpoints that are gone, disabled or changed, and begins those that lack one.
    async fn adjust(
        &self,
        running: &mut BTreeMap<String, Running>,
        readers: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        let cx = Context::system(crate::NAME).with_timeout(PATIENCE);
        let endpoints = self.controller.all(&cx).await?;
        let enabled: BTreeMap<String, Endpoint> = endpoints
            .into_iter()
            .filter(|endpoint| endpoint.disabled.is_none())
            .map(|endpoint| (endpoint.name.clone(), endpoint))
            .collect();
        running.retain(|name, running| {
            let now = enabled.get(name);
            // Whole: one that was deleted and made again is another.
            now.is_some_and(|now| *now == running.endpoint)
        });
        for (name, endpoint) in enabled {
            if running.contains_key(&name) {
                continue;
            }
            let over = Over::default();
            match self.reader(&cx, endpoint.clone(), over.clone()).await {
                Ok(reader) => {
                    let (stop, stopped) = oneshot::channel::<()>();
                    readers.spawn(reader.run(async move {
                        // Nothing is ever sent: it ends when the other side is dropped.
                        drop(stopped.await);
                    }));
                    running.insert(
                        name,
                        Running {
                            endpoint,
                            _stop: stop,
                            over,
                        },
                    );
                }
                Err(error) => tracing::warn!(
                    error = backlot_core::error::chain(&error),
                    endpoint = name,
                    "nothing can be pushed to this endpoint now, which is tried again"
                ),
            }
        }
        Ok(())
    }

    async fn reader(
        &self,
        cx: &Context,
        endpoint: Endpoint,
        over: Over,
    ) -> Result<Consumer, Error> {
        let target = &endpoint.target;
        let url = self.controller.url(&target.url)?;
        let engine = &self.setup.engine;
        let report = engine.inspect(cx, &target.topic, None).await?;
        let partitions = u32::try_from(report.partitions.len()).unwrap_or(1);
        let order = if target.ordered {
            Order::Key
        } else {
            Order::None
        };
        let concurrency = target.concurrency as usize;
        let group = Group::new(endpoint.group())
            .order(order)
            .from(Begin::Newest)
            .concurrency(concurrency)
            .attempts(target.attempts)
            .backoff(BASE, CAP)
            .give_up_after(AGE)
            // The delivery's own comes first.
            .deadline(target.timeout + PATIENCE);
        let topic = target.topic.clone();
        let client = Client::new(self.transport.clone(), url, concurrency);
        let controller = Arc::clone(&self.controller);
        let with = (client, controller, over);
        let deliverer = Deliverer::new(endpoint, with, &self.setup.metrics);
        Ok(Consumer::delivering(
            &self.setup,
            group,
            (&topic, partitions),
            deliverer,
        )?)
    }
}
