//! The instances of one service, kept up to date for whoever watches.

use super::{Failure, Inner, RETRY};
use crate::embedded::view::View;
use crate::embedded::wire::Answer;
use crate::http1::{Http, segment};
use backlot_core::discovery::InstanceSet;
use backlot_core::env::Phase;
use backlot_core::error::chain;
use bytes::Bytes;
use http::Method;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How much longer than the registry's wait an answer may take.
const POLL_MARGIN: Duration = Duration::from_secs(2);

/// Follows the instances of one service until the process has stopped.
pub(super) async fn follow(client: Arc<Inner>, service: String, set: watch::Sender<InstanceSet>) {
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
