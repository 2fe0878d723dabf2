//! A registry somewhere else: heartbeats for what this process announces, a watch for each service
//! it asks about.

use super::view::View;
use super::wire::{self, Announcement, Answer, Problem};
use crate::config::Config;
use crate::http1::{Http, HttpError, Reply, segment};
use crate::registry::{Membership, Registration, Registry, Status};
use backlot_core::backoff::Backoff;
use backlot_core::discovery::{Instance, InstanceSet, Resolver};
use backlot_core::env::Phase;
use backlot_core::error::chain;
use backlot_core::{Dice, Env};
use backlot_service::tasks::Tasks;
use bytes::Bytes;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a heartbeat may take.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(1);
/// How long taking an announcement back may take, with a second try.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// How much longer than the registry's wait an answer may take.
const POLL_MARGIN: Duration = Duration::from_secs(2);
/// Between tries while the registry cannot be reached: short, so that a takeover is found soon.
const RETRY: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_millis(800),
};
/// After a refusal: somebody has to change something first.
const REFUSED_WAIT: Duration = Duration::from_secs(10);

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
        self.0
            .tasks
            .spawn(name, announce(Arc::clone(&self.0), instance, membership));
        registration
    }

    fn resolver(&self) -> Arc<dyn Resolver> {
        Arc::new(self.clone())
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
        self.0.tasks.spawn(
            format!("watch of {service}"),
            follow(Arc::clone(&self.0), service.to_owned(), set),
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

/// Keeps an instance announced until its registration ends.
async fn announce(client: Arc<Inner>, instance: Instance, membership: Membership) {
    let Membership { mut leave, status } = membership;
    let path = format!(
        "/v1/services/{}/instances/{}",
        segment(&instance.service),
        segment(&instance.id)
    );
    let body = serde_json::to_vec(&Announcement {
        address: &instance.address,
        version: &instance.version,
        ttl_ms: wire::millis(client.config.ttl),
        metadata: &instance.metadata,
    });
    let body = match body {
        Ok(body) => Bytes::from(body),
        Err(error) => {
            tracing::error!(%error, instance = instance.id, "instance {} cannot be announced", instance.id);
            return;
        }
    };
    let mut http = client.http();
    let mut failures = 0;
    loop {
        // Never cut short by the end of the registration: a heartbeat still on its way could
        // arrive after the deregistration and undo it.
        let outcome = heartbeat(&client, &mut http, &path, &body).await;
        let wait = match outcome {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(
                        instance = instance.id,
                        "instance {} is announced again",
                        instance.id
                    );
                }
                failures = 0;
                set_status(&status, Status::Registered);
                client.around(client.config.heartbeat)
            }
            Err(failure) => {
                failures += 1;
                let (next, wait) = match &failure {
                    Failure::Unreachable(_) => {
                        (Status::Unreachable, RETRY.wait(failures, &client.dice))
                    }
                    Failure::Refused(why) => (Status::Refused(why.clone()), REFUSED_WAIT),
                    // Whoever takes over the address may be ours again.
                    Failure::Foreign { .. } => (
                        Status::Refused(failure.to_string()),
                        client.config.heartbeat,
                    ),
                };
                if set_status(&status, next) {
                    let why = chain(&failure);
                    tracing::warn!(
                        instance = instance.id,
                        why,
                        "instance {} is not announced now: {why}",
                        instance.id
                    );
                }
                wait
            }
        };
        tokio::select! {
            biased;
            _ended = &mut leave => break,
            () = client.env.shutdown.reached(Phase::Stopped) => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    take_back(&mut http, &path, &instance).await;
    set_status(&status, Status::Left);
}

async fn heartbeat(
    client: &Inner,
    http: &mut Http,
    path: &str,
    body: &Bytes,
) -> Result<(), Failure> {
    let reply = http
        .exchange(Method::PUT, path, body.clone(), HEARTBEAT_LIMIT)
        .await?;
    client.read::<serde::de::IgnoredAny>(reply)?;
    Ok(())
}

async fn take_back(http: &mut Http, path: &str, instance: &Instance) {
    let give_up = Instant::now() + LEAVE_LIMIT;
    for _attempt in 0..2 {
        let left = give_up
            .saturating_duration_since(Instant::now())
            .min(HEARTBEAT_LIMIT);
        match http
            .exchange(Method::DELETE, path, Bytes::new(), left)
            .await
        {
            Ok(reply) if reply.status == StatusCode::NO_CONTENT => return,
            Ok(reply) => {
                tracing::debug!(status = reply.status.as_u16(), "deregistration was refused")
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "deregistration found no registry")
            }
        }
    }
    tracing::warn!(
        instance = instance.id,
        "instance {} could not be taken back and goes when its time to live has passed",
        instance.id
    );
}

/// Sets the status, and tells whether it is another.
fn set_status(status: &watch::Sender<Status>, next: Status) -> bool {
    status.send_if_modified(|current| {
        let differs = *current != next;
        *current = next;
        differs
    })
}

/// Follows the instances of one service until the process has stopped.
async fn follow(client: Arc<Inner>, service: String, set: watch::Sender<InstanceSet>) {
    let stopped = client.env.shutdown.clone();
    tokio::select! {
        biased;
        () = stopped.reached(Phase::Stopped) => {}
        () = follow_for_ever(&client, &service, &set) => {}
    }
}

async fn follow_for_ever(client: &Inner, service: &str, set: &watch::Sender<InstanceSet>) {
    let mut http = client.http();
    let mut view = View::default();
    let mut failures = 0;
    loop {
        let path = question(service, &view, client.config.poll);
        let outcome = {
            let asking = ask(client, &mut http, &path);
            let mut asking = std::pin::pin!(asking);
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut asking => break outcome,
                    () = sleep_until(view.next_expiry()) => {
                        view.expire(Instant::now());
                        publish(set, &view);
                    }
                }
            }
        };
        match outcome {
            Ok(answer) => {
                if failures > 0 {
                    tracing::info!(service, "the registry answers again about {service}");
                }
                failures = 0;
                view.apply(answer, Instant::now());
                publish(set, &view);
            }
            Err(failure) => {
                failures += 1;
                if failures == 1 {
                    let why = chain(&failure);
                    tracing::warn!(
                        service,
                        why,
                        "the last known instances of {service} are kept: {why}"
                    );
                }
                view.unreachable();
                publish(set, &view);
                let wait = match failure {
                    Failure::Unreachable(_) => RETRY.wait(failures, &client.dice),
                    Failure::Refused(_) | Failure::Foreign { .. } => client.config.heartbeat,
                };
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// The path that asks for the next change; for the whole set at once when nothing is known or the
/// registry did not answer last time.
fn question(service: &str, view: &View, wait: Duration) -> String {
    let path = format!("/v1/services/{}", segment(service));
    match &view.seen {
        Some((epoch, index)) if !view.is_stale() => {
            format!(
                "{path}?epoch={}&index={index}&wait={}ms",
                segment(epoch),
                wait.as_millis()
            )
        }
        _ => path,
    }
}

async fn ask(client: &Inner, http: &mut Http, path: &str) -> Result<Answer, Failure> {
    let reply = http
        .exchange(
            Method::GET,
            path,
            Bytes::new(),
            client.config.poll + POLL_MARGIN,
        )
        .await?;
    client.read(reply)
}

fn publish(set: &watch::Sender<InstanceSet>, view: &View) {
    let next = view.set();
    set.send_if_modified(|current| {
        let differs = *current != next;
        *current = next;
        differs
    });
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
