//! `/mail`: whether a visitor gets mail, and where; and where links in messages lead.

use crate::name::Name;
use crate::page::Page;
use crate::view::mail::{Link, Mail, State as Shown};
use crate::view::{Frame, html, message};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use backlot::{Context, Error};
use movies_api::GetSubscriptionRequest;
use movies_api::events::{MailAnswered, MailWished, address};
use serde::Deserialize;
use std::time::Duration;

const HERE: &str = "/mail";
/// How long the page waits to be told before it does without.
const STATE: Duration = Duration::from_millis(800);

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// What was just asked for: `mail` or `none`.
    #[serde(default)]
    asked: String,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    address: String,
}

pub(crate) async fn show(
    State(page): State<Page>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let name = Name::of_visitor(&headers);
    let cx = page.context(&headers);
    let state = match &name {
        None => Shown::Nobody,
        Some(name) => match tokio::time::timeout(STATE, known(&page, &cx, name)).await {
            Ok(Ok(state)) => state,
            Ok(Err(_)) | Err(_) => Shown::Away,
        },
    };
    let mail = Mail {
        frame: Frame::new(&page, name.as_ref(), HERE),
        state,
        asked: &asked.asked,
        typed: "",
        problem: "",
    };
    html(StatusCode::OK, &mail)
}

async fn known(page: &Page, cx: &Context, name: &Name) -> Result<Shown, Error> {
    let principal = page.names().principal(cx, name).await?;
    let request = GetSubscriptionRequest {
        user_id: name.to_string(),
    };
    let cx = cx.clone().with_principal(principal);
    let known = page.ports().mail.get_subscription(&cx, request).await?;
    Ok(Shown::Known {
        gets: known.address,
        asked: known.asked,
        note: known.note,
    })
}

pub(crate) async fn want(
    State(page): State<Page>,
    headers: HeaderMap,
    form: Result<Form<Wanted>, FormRejection>,
) -> Response {
    let Form(wanted) = form.unwrap_or_default();
    let Some(name) = Name::of_visitor(&headers) else {
        return Redirect::to("/name?back=%2Fmail").into_response();
    };
    let frame = Frame::new(&page, Some(&name), HERE);
    let address = match address(&wanted.address) {
        Ok(address) => address,
        Err(error) => {
            let problem = error.violations().first().map(|it| it.description.as_str());
            let mail = Mail {
                frame,
                state: Shown::default(),
                asked: "",
                typed: &wanted.address,
                problem: problem.unwrap_or(error.message()),
            };
            return html(StatusCode::UNPROCESSABLE_ENTITY, &mail);
        }
    };
    wish(&page, &headers, &name, Some(address)).await
}

pub(crate) async fn stop(State(page): State<Page>, headers: HeaderMap) -> Response {
    match Name::of_visitor(&headers) {
        Some(name) => wish(&page, &headers, &name, None).await,
        None => Redirect::to(HERE).into_response(),
    }
}

async fn wish(page: &Page, headers: &HeaderMap, name: &Name, address: Option<String>) -> Response {
    let cx = page.context(headers);
    let asked = if address.is_some() { "mail" } else { "none" };
    let wish = MailWished {
        user_id: name.to_string(),
        address,
    };
    match page.ports().wishes.wished(&cx, wish).await {
        Ok(()) => Redirect::to(&format!("{HERE}?asked={asked}")).into_response(),
        Err(_) => away(page, Some(name)),
    }
}

/// Links are looked at by programs before people follow them: they lead to a button.
pub(crate) async fn confirm(
    State(page): State<Page>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    link(&page, &headers, token, true)
}

pub(crate) async fn leave(
    State(page): State<Page>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    link(&page, &headers, token, false)
}

fn link(page: &Page, headers: &HeaderMap, token: String, wanted: bool) -> Response {
    let name = Name::of_visitor(headers);
    let frame = Frame::new(page, name.as_ref(), HERE);
    if !is_token(&token) {
        return message::missing(frame, "This link is broken");
    }
    let link = Link {
        frame,
        token,
        wanted,
        done: false,
    };
    html(StatusCode::OK, &link)
}

pub(crate) async fn confirmed(
    State(page): State<Page>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(&page, &headers, token, true).await
}

/// Also what mail programs do by themselves when somebody wants no more (RFC 8058): the token is
/// all it needs.
pub(crate) async fn left(
    State(page): State<Page>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(&page, &headers, token, false).await
}

async fn answer(page: &Page, headers: &HeaderMap, token: String, wanted: bool) -> Response {
    let name = Name::of_visitor(headers);
    let frame = Frame::new(page, name.as_ref(), HERE);
    if !is_token(&token) {
        return message::missing(frame, "This link is broken");
    }
    let answer = MailAnswered {
        token: token.clone(),
        wanted,
    };
    let cx = page.context(headers);
    match page.ports().wishes.answered(&cx, answer).await {
        Ok(()) => {
            let link = Link {
                frame,
                token,
                wanted,
                done: true,
            };
            html(StatusCode::OK, &link)
        }
        Err(_) => away(page, name.as_ref()),
    }
}

fn away(page: &Page, name: Option<&Name>) -> Response {
    message::later(
        Frame::new(page, name, HERE),
        "Not just now",
        "What you asked for could not be kept. Nothing is lost but this one click: please try it again in a moment.",
    )
}

/// As links have them.
fn is_token(token: &str) -> bool {
    token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit())
}
