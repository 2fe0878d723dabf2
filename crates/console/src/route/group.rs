//! `/groups/{topic}/{group}`: where a group stands; stopped and resumed.

use super::refused;
use crate::access::Operator;
use crate::page::Page;
use crate::snapshot::cx;
use crate::view::group::Group;
use crate::view::html;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use backlot_messaging::Error;

type Names = (String, String);

pub(crate) async fn show(State(page): State<Page>, Path((topic, group)): Path<Names>) -> Response {
    match page.engine().inspect(&cx(), &topic, Some(&group)).await {
        Ok(report) => {
            let shown = Group::new(topic, &group, report, page.clock().wall());
            match shown {
                Some(shown) => html(StatusCode::OK, &shown),
                None => refused(Error::UnknownGroup {
                    topic: String::new(),
                    group,
                }),
            }
        }
        Err(error) => refused(error),
    }
}

pub(crate) async fn pause(
    State(page): State<Page>,
    Path(names): Path<Names>,
    Extension(operator): Extension<Operator>,
) -> Response {
    paused(&page, names, &operator, true).await
}

pub(crate) async fn resume(
    State(page): State<Page>,
    Path(names): Path<Names>,
    Extension(operator): Extension<Operator>,
) -> Response {
    paused(&page, names, &operator, false).await
}

async fn paused(page: &Page, (topic, group): Names, operator: &Operator, paused: bool) -> Response {
    let what = if paused { "pause" } else { "resume" };
    let done = page.engine().pause(&cx(), &topic, &group, paused).await;
    let outcome = match &done {
        Ok(()) => "done".to_owned(),
        Err(error) => error.to_string(),
    };
    page.audit()
        .note(operator, what, format!("{topic} {group}"), outcome);
    match done {
        Ok(()) => Redirect::to(&format!("/groups/{topic}/{group}")).into_response(),
        Err(error) => refused(error),
    }
}
