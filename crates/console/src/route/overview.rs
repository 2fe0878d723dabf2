//! `/`: everything at a glance; and `/events`, the same as it changes.

use crate::page::Page;
use crate::snapshot::Snapshot;
use crate::view::overview::{Overview, Panels};
use crate::view::{html, live};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use backlot_core::env::Phase;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a stream runs before the browser opens the next.
const LIFE: Duration = Duration::from_secs(30 * 60);

pub(crate) async fn show(State(page): State<Page>) -> Response {
    // The one who comes sees the present, whenever the last sample was.
    let snapshot = page.sampler().sample().await;
    let panels = Panels::of(&snapshot);
    html(StatusCode::OK, &Overview { panels })
}

/// Panels whose words changed, by their names.
pub(crate) async fn events(State(page): State<Page>) -> Response {
    let stream = async_stream::stream! {
        yield live::RETRY.to_owned();
        let mut viewer = page.sampler().look();
        let mut shown = Panels::default();
        let end = Instant::now() + LIFE;
        loop {
            let now: Arc<Snapshot> = Arc::clone(&viewer.1.borrow_and_update());
            let panels = Panels::of(&now);
            for event in panels.changed(&shown) {
                yield event;
            }
            shown = panels;
            tokio::select! {
                biased;
                // The browser comes back by itself.
                () = page.shutdown().reached(Phase::Draining) => return,
                () = tokio::time::sleep_until(end) => return,
                changed = viewer.1.changed() => if changed.is_err() { return },
            }
        }
    };
    live::stream(Body::from_stream(futures_util::StreamExt::map(
        stream,
        Ok::<_, Infallible>,
    )))
}
