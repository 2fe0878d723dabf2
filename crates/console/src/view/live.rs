//! Server-sent events: parts of a page, by name.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// After how long browsers come back.
pub(crate) const RETRY: &str = "retry: 1000\n\n";

/// An event that brings a part of a page anew.
pub(crate) fn event(name: &str, html: &str) -> String {
    let mut text = format!("event: {name}\n");
    // A carriage return alone ends a line of an event as well.
    for line in html.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    if html.is_empty() {
        text.push_str("data: \n");
    }
    text.push('\n');
    text
}

pub(crate) fn stream(body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE.as_str(), "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ];
    (headers, body).into_response()
}
