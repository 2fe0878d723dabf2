//! A registry somewhere else: heartbeats for what this process announces, a watch for each service
//! it asks about.

mod announce;
mod follow;

use super::wire::{Problem, Services};
use crate::config::Config;
use crate::http1::{Http, HttpError, Reply};
use crate::registry::{Registration, Registry};
use backlot_core::backoff::Backoff;
use backlot_core::discovery::{Instance, InstanceSet, Resolver};
use backlot_core::{BoxFuture, Dice, Env, Error};
use backlot_service::tasks::Tasks;
use bytes::Bytes;
use http::Method;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a list of services may take.
const LIST: Duration = Duration::from_secs(2);

/// Between tries while the registry cannot be reached: short, so that a takeover is found soon.
const RETRY: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_millis(800),
};

/// A client of an embedded registry. Clones share it. Its tasks end with the process.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: Config,
    env: Env,
    dice: Dice,
    tasks: Tasks,
    watches: Mutex<BTreeMap<String, watch::Sender<InstanceSet>>>,
}

/// Why a registry gave no useful answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the registry cannot be reached")]
    Unreachable(#[from] HttpError),
    #[error("the registry refuses: {0}")]
    Refused(String),
    #[error("BL0020: the program listening on {address} is not a Backlot registry ({found})")]
    Foreign { address: String, found: String },
}

impl Client {
    /// A client of the registry at `config.address`. Nothing is asked before somebody registers or
    /// watches.
    #[must_use]
    pub fn new(config: Config, env: &Env, tasks: &Tasks) -> Self {
        Client(Arc::new(Inner {
            dice: env.dice.branch("registry client"),
            config,
            env: env.clone(),
            tasks: tasks.clone(),
            watches: Mutex::default(),
        }))
    }

    /// Where the registry is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.config.address
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Registry for Client {
    fn register(&self, instance: Instance) -> Registration {
        let (registration, membership) = Registration::kept();
        let name = format!("heartbeat of {}", instance.id);
        self.0.tasks.spawn(
            name,
            announce::announce(Arc::clone(&self.0), instance, membership),
        );
        registration
    }

    fn resolver(&self) -> Arc<dyn Resolver> {
        Arc::new(self.clone())
    }

    fn services(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let mut http = self.0.http();
            let asked = http.exchange(Method::GET, "/v1/services", Bytes::new(), LIST);
            let read = match asked.await {
                Ok(reply) => self.0.read::<Services>(reply),
                Err(error) => Err(error.into()),
            };
            let listed = read.map_err(|failure| {
                Error::unavailable("the registry does not say who is there").with_source(failure)
            });
            Ok(listed?.services)
        })
    }
}

impl Resolver for Client {
    fn watch(&self, service: &str) -> watch::Receiver<InstanceSet> {
        let mut watches = self.0.watches.lock();
        if let Some(set) = watches.get(service) {
            return set.subscribe();
        }
        let set = watch::Sender::new(InstanceSet::default());
        let receiver = set.subscribe();
        watches.insert(service.to_owned(), set.clone());
        drop(watches);
        self.0.tasks.spawn_endless(
            format!("watch of {service}"),
            follow::follow(Arc::clone(&self.0), service.to_owned(), set),
        );
        receiver
    }
}

impl Inner {
    fn http(&self) -> Http {
        Http::new(Arc::clone(&self.env.net), &self.config.address)
    }

    /// Up to a tenth more or less, so that heartbeats of many do not fall on one moment.
    fn around(&self, duration: Duration) -> Duration {
        duration.mul_f64(0.9 + 0.2 * self.dice.unit())
    }

    /// The body of a success; anything else is a failure.
    fn read<T: serde::de::DeserializeOwned>(&self, reply: Reply) -> Result<T, Failure> {
        if reply.status.is_success() {
            return serde_json::from_slice(&reply.body).map_err(|_| self.foreign(&reply));
        }
        match serde_json::from_slice::<Problem>(&reply.body) {
            Ok(problem) => Err(Failure::Refused(problem.detail)),
            Err(_) => Err(self.foreign(&reply)),
        }
    }

    fn foreign(&self, reply: &Reply) -> Failure {
        Failure::Foreign {
            address: self.config.address.clone(),
            found: found(reply),
        }
    }
}

/// What a program that is not a registry said, in short.
pub(crate) fn found(reply: &Reply) -> String {
    let text: String = String::from_utf8_lossy(&reply.body)
        .chars()
        .filter(|one| !one.is_control())
        .take(60)
        .collect();
    format!("it answered {} {text:?}", reply.status.as_u16())
}
