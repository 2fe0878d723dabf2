//! The mailbox as a page, for people who try the system out: on loopback alone, where whoever can
//! look could read the file as well.

use crate::model::Message;
use crate::post::mailbox::Mailbox;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use backlot::axum;
use backlot::rpc::own_name::is_own;
use backlot::{Code, Context, Error, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many messages the page shows.
const SHOWN: i64 = 100;
const PATIENCE: Duration = Duration::from_secs(5);
const STYLE: &str = include_str!("../../assets/mailbox.css");
/// The page itself: nothing from elsewhere, no script at all.
const POLICY: &str = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A message: whatever is in it, it runs nothing and fetches nothing. Its links open elsewhere.
const MESSAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups allow-popups-to-escape-sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

#[derive(Template)]
#[template(path = "mailbox.html")]
struct List {
    messages: Vec<Row>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct One {
    message: Row,
    text: String,
}

struct Row {
    id: String,
    to: String,
    subject: String,
    at: String,
}

impl Row {
    fn of(message: &Message) -> Self {
        Row {
            id: message.id.clone(),
            to: message.to.clone(),
            subject: message.subject.clone(),
            at: time(message.at),
        }
    }
}

/// The routes, at `/mailbox`.
pub(crate) fn router(mailbox: Mailbox) -> Router {
    Router::new()
        .route("/", get(async || Redirect::temporary("/mailbox")))
        .route("/mailbox", get(list))
        .route("/mailbox/style.css", get(style))
        .route("/mailbox/{id}", get(one))
        .route("/mailbox/{id}/html", get(html))
        .layer(from_fn(own_name))
        .layer(map_response(guarded))
        .with_state(mailbox)
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn list(State(mailbox): State<Mailbox>) -> Response {
    let first = (Timestamp(i64::MAX), String::new());
    match mailbox.latest(&cx(), first, SHOWN).await {
        Ok(messages) => drawn(&List {
            messages: messages.iter().map(Row::of).collect(),
        }),
        Err(error) => refused(&error),
    }
}

async fn one(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Response {
    match mailbox.get(&cx(), &id).await {
        Ok(message) => drawn(&One {
            text: message.text.clone(),
            message: Row::of(&message),
        }),
        Err(error) => refused(&error),
    }
}

async fn html(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Response {
    match mailbox.get(&cx(), &id).await {
        Ok(message) => {
            let policy = HeaderValue::from_static(MESSAGE_POLICY);
            // Links leave the frame that the message is shown in.
            let html = message
                .html
                .replacen("<head>", "<head><base target=\"_blank\">", 1);
            ([(CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
        }
        Err(error) => refused(&error),
    }
}

fn cx() -> Context {
    Context::system("mailbox").with_timeout(PATIENCE)
}

fn drawn(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        // Writing to a string does not fail.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refused(error: &Error) -> Response {
    let status = match error.code() {
        Code::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("{}\n", error.message())).into_response()
}

/// A page of somebody else, under a name that leads here, sees nothing.
async fn own_name(request: Request, next: Next) -> Response {
    match is_own(request.uri(), request.headers(), &BTreeSet::new()) {
        true => next.run(request).await,
        false => StatusCode::MISDIRECTED_REQUEST.into_response(),
    }
}

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// As `2026-11-22 07:00` in UTC.
pub(super) fn time(at: Timestamp) -> String {
    let time = std::time::UNIX_EPOCH + Duration::from_millis(at.0.max(0).unsigned_abs());
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('T', " ")
        .get(..16)
        .unwrap_or_default()
        .to_owned()
}
