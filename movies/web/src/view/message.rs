//! A page that only has something to say.

use super::{Frame, html};
use askama::Template;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

/// The page.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message<'a> {
    frame: Frame<'a>,
    code: u16,
    title: &'a str,
    text: &'a str,
    /// Whether looking again may help: then the page does so by itself.
    retry: bool,
    /// Where to go from here, and what that is called.
    way: (&'a str, &'a str),
}

const TO_THE_FILMS: (&str, &str) = ("/", "To the films");

/// There is no such page or film.
pub(crate) fn missing(frame: Frame<'_>, title: &str) -> Response {
    let text = "It may have been taken off the shelf, or the address has a slip in it.";
    html(
        StatusCode::NOT_FOUND,
        &Message {
            frame,
            code: 404,
            title,
            text,
            retry: false,
            way: TO_THE_FILMS,
        },
    )
}

/// The request makes no sense; `start` is where the same begins that does.
pub(crate) fn wrong(frame: Frame<'_>, text: &str, start: &str) -> Response {
    html(
        StatusCode::BAD_REQUEST,
        &Message {
            frame,
            code: 400,
            title: "That did not make sense",
            text,
            retry: false,
            way: (start, "Start afresh"),
        },
    )
}

/// Films cannot be had now.
pub(crate) fn away(frame: Frame<'_>) -> Response {
    later(
        frame,
        "Back in a moment",
        "The catalogue does not answer just now. This page looks again every few seconds, so there is nothing you need to do.",
    )
}

/// What was asked for cannot be had now; the page looks again by itself.
pub(crate) fn later(frame: Frame<'_>, title: &str, text: &str) -> Response {
    let here = frame.here;
    let message = Message {
        frame,
        code: 503,
        title,
        text,
        retry: true,
        way: (here, "Look again now"),
    };
    let mut response = html(StatusCode::SERVICE_UNAVAILABLE, &message);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("2"));
    response
}
