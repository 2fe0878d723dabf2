//! `GET /movies/{id}/live`: the film's ratings as they change, as server-sent events.
//!
//! While ratings cannot be had, the stream says `away` and ends; browsers come back after a second,
//! so that the page mends itself. Changes that come faster than anybody can see are joined.

use super::RECORD_TYPE;
use crate::page::Page;
use crate::tally::Tally;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use backlot::core::env::Phase;
use movies_api::WatchRatingsRequest;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// After how long browsers come back.
const RETRY: &str = "retry: 1000\n\n";
/// The same when the house is full.
const RETRY_LATER: &str = "retry: 15000\n\n";
const AWAY: &str = "event: away\ndata: {}\n\n";
/// Says that the connection lives, to proxies that close silent ones.
const STILL_HERE: &str = ": still here\n\n";
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The least time between two changes.
const PACE: Duration = Duration::from_millis(100);
/// How long a stream runs before the browser opens the next.
const LIFE: Duration = Duration::from_secs(30 * 60);
/// In characters, as the contract has it.
const LONGEST_ID: usize = 64;
/// How long the first answer may take before ratings count as away.
const OPENING: Duration = Duration::from_secs(2);

pub(crate) async fn watch(
    State(page): State<Page>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    // No film has such an id; this answer tells browsers not to come back.
    if id.chars().count() > LONGEST_ID {
        return StatusCode::NO_CONTENT.into_response();
    }
    let Ok(seat) = Arc::clone(page.viewers()).try_acquire_owned() else {
        return events(Body::from(RETRY_LATER));
    };
    let cx = page.context(&headers).with_timeout(LIFE);
    let request = WatchRatingsRequest {
        record_type: RECORD_TYPE.into(),
        record_id: id,
    };
    let stream = async_stream::stream! {
        let _seat = seat;
        yield RETRY.to_owned();
        let opened = tokio::time::timeout(OPENING, page.ports().ratings.watch_ratings(&cx, request)).await;
        let mut ratings = match opened {
            Ok(Ok(ratings)) => ratings,
            Ok(Err(_)) | Err(_) => {
                yield AWAY.to_owned();
                return;
            }
        };
        let draining = page.shutdown().reached(Phase::Draining);
        tokio::pin!(draining);
        let mut waiting: Option<Tally> = None;
        let mut next = Instant::now();
        let mut silent = next + HEARTBEAT;
        loop {
            let due = if waiting.is_some() { next } else { silent };
            let text = tokio::select! {
                biased;
                // The browser comes back by itself, to an instance that stays.
                () = &mut draining => return,
                () = tokio::time::sleep_until(due) => match waiting.take() {
                    Some(tally) => event(&tally),
                    None => STILL_HERE.to_owned(),
                },
                change = ratings.next() => match change {
                    Some(Ok(change)) => {
                        waiting = Some(Tally::of(change.aggregate.as_ref()));
                        continue;
                    }
                    // The other side asks to reconnect; what it cannot do now it says when asked again.
                    None => return,
                    Some(Err(_)) => {
                        yield AWAY.to_owned();
                        return;
                    }
                },
            };
            yield text;
            next = Instant::now() + PACE;
            silent = Instant::now() + HEARTBEAT;
        }
    };
    events(Body::from_stream(futures_util::StreamExt::map(
        stream,
        Ok::<_, Infallible>,
    )))
}

fn events(body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE.as_str(), "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ];
    (headers, body).into_response()
}

fn event(tally: &Tally) -> String {
    // A tally is plain data: it always has a JSON form.
    format!(
        "data: {}\n\n",
        serde_json::to_string(tally).unwrap_or_default()
    )
}
