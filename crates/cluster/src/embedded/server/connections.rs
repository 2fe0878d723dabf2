//! Accepts connections, so many at once, and speaks HTTP/1.1 on each.

use axum::Router;
use backlot_core::Env;
use backlot_core::env::Shutdown;
use backlot_core::net::{Listener, Stream};
use backlot_service::tasks::Tasks;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections at once. A caller beyond them waits until one is free.
const MAX_CONNECTIONS: usize = 4_096;
/// How long a connection may take to send the head of a request, or be idle.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait after the system refused to accept (no more files, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `ends`.
pub(super) async fn accept(
    mut listener: Box<dyn Listener>,
    router: Router,
    ends: impl Future<Output = ()>,
    stop: Shutdown,
    env: Env,
    tasks: Tasks,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut ends = std::pin::pin!(ends);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut ends => return,
            accepted = next(listener.as_mut(), &room) => accepted,
        };
        if let Some((stream, permit)) = accepted {
            let ends = super::ends(&env, &stop);
            let service = TowerToHyperService::new(router.clone());
            tasks.spawn("registry connection", async move {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_LIMIT)
                    .max_buf_size(64 * 1024)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    biased;
                    () = ends => {}
                    outcome = connection => if let Err(error) = outcome {
                        tracing::debug!(%error, "a connection to the registry broke");
                    }
                }
                drop(permit);
            });
        }
    }
}

async fn next(
    listener: &mut dyn Listener,
    room: &Arc<Semaphore>,
) -> Option<(Stream, OwnedSemaphorePermit)> {
    // The semaphore is never closed.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _peer)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "registry cannot accept a connection now");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
