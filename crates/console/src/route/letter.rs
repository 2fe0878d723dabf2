//! `/letters/{queue}/{partition}/{offset}`: all of a dead letter; mended, sent again, removed.

use super::refused;
use crate::access::Operator;
use crate::page::Page;
use crate::runs::What;
use crate::snapshot::{cx, told};
use crate::view::letter::Letter;
use crate::view::{html, message};
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use backlot_messaging::Error;
use backlot_messaging::dead::{Id, Letters, Redrive};
use backlot_messaging::engine::Position;
use serde::Deserialize;

type Place = (String, u32, u64);

fn id((queue, partition, offset): Place) -> Id {
    Id {
        queue,
        position: Position { partition, offset },
    }
}

pub(crate) async fn show(State(page): State<Page>, Path(place): Path<Place>) -> Response {
    draw(&page, &id(place), StatusCode::OK, None, "").await
}

/// Draws a letter; with what was typed, and what is wrong with it.
async fn draw(
    page: &Page,
    id: &Id,
    status: StatusCode,
    typed: Option<String>,
    problem: &str,
) -> Response {
    let found = async { Letters::of(&**page.engine())?.show(&cx(), id).await };
    match found.await {
        Ok(letter) => html(
            status,
            &Letter::new(letter, typed, problem, page.clock().wall()),
        ),
        Err(error) => refused(error),
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Mended {
    #[serde(default)]
    payload: String,
}

pub(crate) async fn edit(
    State(page): State<Page>,
    Path(place): Path<Place>,
    Extension(operator): Extension<Operator>,
    form: Result<Form<Mended>, FormRejection>,
) -> Response {
    let id = id(place);
    let Ok(Form(Mended { payload })) = form else {
        return html(
            StatusCode::UNPROCESSABLE_ENTITY,
            &message(
                "That cannot be",
                "The form is too large, or cannot be read.",
            ),
        );
    };
    // Browsers end lines of forms with two characters; whoever wrote the message with one.
    let payload = payload.replace("\r\n", "\n");
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&payload) {
        let problem = format!("this is no JSON: {error}");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return draw(&page, &id, status, Some(payload), &problem).await;
    }
    let edited = async {
        let letters = Letters::of(&**page.engine())?;
        letters.edit(&cx(), &id, payload.clone()).await
    };
    match edited.await {
        Ok(()) => {
            page.audit().note(&operator, "edit", id.to_string(), "done");
            Redirect::to(&format!("/letters/{id}")).into_response()
        }
        Err(error) => {
            let problem = told(error);
            page.audit()
                .note(&operator, "edit", id.to_string(), &*problem);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            draw(&page, &id, status, Some(payload), &problem).await
        }
    }
}

pub(crate) async fn redrive(
    State(page): State<Page>,
    Path(place): Path<Place>,
    Extension(operator): Extension<Operator>,
) -> Response {
    one(
        &page,
        id(place),
        &operator,
        What::Redrive(Redrive::default()),
    )
}

pub(crate) async fn purge(
    State(page): State<Page>,
    Path(place): Path<Place>,
    Extension(operator): Extension<Operator>,
) -> Response {
    one(&page, id(place), &operator, What::Purge)
}

fn one(page: &Page, id: Id, operator: &Operator, what: What) -> Response {
    let words = id.to_string();
    match page.runs().begin(operator, what, vec![id], words) {
        Some(run) => Redirect::to(&format!("/runs/{}", run.number)).into_response(),
        None => refused(Error::Crowded {
            what: "runs under way",
            most: 8,
        }),
    }
}
