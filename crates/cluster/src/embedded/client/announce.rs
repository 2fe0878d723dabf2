//! Heartbeats of one announced instance, until its registration ends.

use super::{Failure, Inner, RETRY};
use crate::embedded::wire::{self, Announcement};
use crate::http1::{Http, segment};
use crate::registry::{Membership, Status};
use backlot_core::discovery::Instance;
use backlot_core::env::Phase;
use backlot_core::error::chain;
use bytes::Bytes;
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a heartbeat may take.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(1);
/// How long taking an announcement back may take, with a second try.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// After a refusal: somebody has to change something first.
const REFUSED_WAIT: Duration = Duration::from_secs(10);

/// Keeps an instance announced until its registration ends.
pub(super) async fn announce(client: Arc<Inner>, instance: Instance, membership: Membership) {
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
