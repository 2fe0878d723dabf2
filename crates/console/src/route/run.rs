//! `/runs`: letters on their way, how far, and the stop button.

use super::missing;
use crate::access::Operator;
use crate::page::Page;
use crate::view::run::{Runs, Shown};
use crate::view::{html, live};
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use backlot_core::env::Phase;
use std::convert::Infallible;
use std::time::Duration;

/// The least time between two words about a run.
const PACE: Duration = Duration::from_millis(100);

pub(crate) async fn list(State(page): State<Page>) -> Response {
    let runs = page.runs().all();
    let rows = runs.iter().map(|run| Shown::of(run)).collect();
    html(StatusCode::OK, &Runs { rows })
}

pub(crate) async fn show(State(page): State<Page>, Path(number): Path<u64>) -> Response {
    match page.runs().find(number) {
        Some(run) => html(StatusCode::OK, &Shown::of(&run)),
        None => missing().await,
    }
}

pub(crate) async fn events(State(page): State<Page>, Path(number): Path<u64>) -> Response {
    let Some(run) = page.runs().find(number) else {
        // Tells browsers not to come back.
        return StatusCode::NO_CONTENT.into_response();
    };
    let stream = async_stream::stream! {
        yield live::RETRY.to_owned();
        let mut progress = run.watch();
        loop {
            let ended = progress.borrow_and_update().ended.is_some();
            yield live::event("run", &Shown::of(&run).inner());
            if ended {
                yield live::event("end", "");
                return;
            }
            tokio::select! {
                biased;
                () = page.shutdown().reached(Phase::Draining) => return,
                changed = progress.changed() => if changed.is_err() { return },
            }
            tokio::time::sleep(PACE).await;
        }
    };
    live::stream(Body::from_stream(futures_util::StreamExt::map(
        stream,
        Ok::<_, Infallible>,
    )))
}

pub(crate) async fn stop(
    State(page): State<Page>,
    Path(number): Path<u64>,
    Extension(operator): Extension<Operator>,
) -> Response {
    match page.runs().find(number) {
        Some(run) => {
            run.stop();
            page.audit()
                .note(&operator, "stop", format!("run {number}"), "told");
            Redirect::to(&format!("/runs/{number}")).into_response()
        }
        None => missing().await,
    }
}
