//! Whoever binds the fixed loopback port hosts the registry of this machine.
//!
//! The first process to come binds and hosts; the others follow. When the host dies, whoever binds
//! first takes over: every instance registers again on its next heartbeat, watchers keep what they
//! knew meanwhile, and all agree within three seconds.

use crate::config::Config;
use crate::embedded::{Client, Server};
use crate::error::Error;
use crate::http1::{Http, HttpError};
use backlot_core::env::Phase;
use backlot_core::net::Listener;
use backlot_core::{Dice, Env};
use backlot_service::tasks::Tasks;
use http::Method;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long somebody who holds the port may take to prove to be a registry.
const PROOF_WITHIN: Duration = Duration::from_secs(3);
/// How long one question for that proof may take.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
/// Between a follower's tries to take over: this, and up to as much again.
const RETRY: Duration = Duration::from_millis(200);

/// What a process is to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves the registry.
    Host,
    /// Another process does; this one takes over when that one dies.
    Follower,
}

/// This process's part in hosting the registry. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct Hosting {
    client: Client,
    role: watch::Receiver<Role>,
}

/// What holds the port.
enum Holder {
    Registry,
    /// Nobody any more.
    Gone,
    Foreign(String),
    /// It listens and says nothing.
    Silent,
}

impl Hosting {
    /// Hosts the registry at `config.address`, or follows whoever does.
    ///
    /// # Errors
    /// When another program holds the address, or it cannot be listened on at all.
    pub async fn join(config: Config, env: &Env, tasks: &Tasks) -> Result<Hosting, Error> {
        let address = config.address.clone();
        let dice = env.dice.branch("registry hosting");
        let (role, watch) = watch::channel(Role::Follower);
        let hosting = Hosting {
            client: Client::new(config, env, tasks),
            role: watch,
        };
        let give_up = Instant::now() + PROOF_WITHIN;
        loop {
            match bind(env, &address).await? {
                Some(listener) => {
                    host(listener, &address, env, tasks)?;
                    role.send_replace(Role::Host);
                    return Ok(hosting);
                }
                None => match probe(env, &address).await {
                    Holder::Registry => break,
                    Holder::Foreign(found) => return Err(Error::Foreign { address, found }),
                    Holder::Silent if Instant::now() >= give_up => {
                        let found = "it does not answer HTTP".to_owned();
                        return Err(Error::Foreign { address, found });
                    }
                    // It dies just now, or starts just now.
                    Holder::Gone | Holder::Silent => pause(&dice).await,
                },
            }
        }
        tracing::debug!(
            address,
            "registry is hosted by another process on {address}"
        );
        tasks.spawn_endless(
            "registry standby",
            stand_by(address, role, dice, env.clone(), tasks.clone()),
        );
        Ok(hosting)
    }

    /// The registry, wherever it is hosted.
    #[must_use]
    pub fn registry(&self) -> Client {
        self.client.clone()
    }

    /// What this process is now.
    #[must_use]
    pub fn role(&self) -> Role {
        *self.role.borrow()
    }

    /// What this process is, now and later.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Role> {
        self.role.clone()
    }
}

/// Tries to take over until that works or the process leaves.
async fn stand_by(address: String, role: watch::Sender<Role>, dice: Dice, env: Env, tasks: Tasks) {
    loop {
        tokio::select! {
            biased;
            // A process that leaves must not become what the others depend on.
            () = env.shutdown.reached(Phase::Leaving) => return,
            () = pause(&dice) => {}
        }
        let hosted = match bind(&env, &address).await {
            Ok(Some(listener)) => host(listener, &address, &env, &tasks),
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        match hosted {
            Ok(()) => {
                tracing::debug!(
                    address,
                    "registry on {address} is taken over by this process"
                );
                role.send_replace(Role::Host);
                return;
            }
            Err(error) => tracing::debug!(
                error = backlot_core::error::chain(&error),
                "registry cannot be taken over"
            ),
        }
    }
}

/// A listener, or nothing when somebody else has the address.
async fn bind(env: &Env, address: &str) -> Result<Option<Box<dyn Listener>>, Error> {
    match env.net.bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(source) => Err(Error::Bind {
            address: address.to_owned(),
            source,
        }),
    }
}

fn host(listener: Box<dyn Listener>, address: &str, env: &Env, tasks: &Tasks) -> Result<(), Error> {
    match Server::serve(listener, env, tasks) {
        Ok(_server) => Ok(()),
        Err(source) => Err(Error::Bind {
            address: address.to_owned(),
            source,
        }),
    }
}

/// Asks whoever holds the address what it is.
async fn probe(env: &Env, address: &str) -> Holder {
    let mut http = Http::new(Arc::clone(&env.net), address);
    match http
        .exchange(
            Method::GET,
            "/v1/registry",
            bytes::Bytes::new(),
            PROBE_LIMIT,
        )
        .await
    {
        Ok(reply) => {
            let mark = serde_json::from_slice::<serde_json::Value>(&reply.body)
                .ok()
                .and_then(|body| body.get(crate::embedded::MARK)?.as_u64());
            match mark {
                Some(crate::embedded::VERSION) => Holder::Registry,
                Some(version) => {
                    Holder::Foreign(format!("it is a registry of another version, {version}"))
                }
                None => Holder::Foreign(crate::embedded::found(&reply)),
            }
        }
        Err(HttpError::Connect(..)) => Holder::Gone,
        Err(_) => Holder::Silent,
    }
}

async fn pause(dice: &Dice) {
    tokio::time::sleep(RETRY + RETRY.mul_f64(dice.unit())).await;
}
