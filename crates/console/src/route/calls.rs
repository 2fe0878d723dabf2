//! `/calls/{service}`: whom a service calls and by which policy; and that knobs are turned.

use super::missing;
use crate::access::Operator;
use crate::page::Page;
use crate::sampler::Answered;
use crate::view::{Note, calls, html};
use axum::Form;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use backlot_app::admin::Turned;
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    knob: String,
    #[serde(default)]
    value: String,
    /// Towards which service; empty for all.
    #[serde(default)]
    to: String,
    /// Whether it is set back to what the configuration says.
    #[serde(default)]
    reset: bool,
}

pub(crate) async fn show(State(page): State<Page>, Path(service): Path<String>) -> Response {
    shown(&page, &service, None).await
}

pub(crate) async fn turn(
    State(page): State<Page>,
    Path(service): Path<String>,
    Extension(operator): Extension<Operator>,
    Form(asked): Form<Asked>,
) -> Response {
    let (knob, value, to) = (asked.knob.trim(), asked.value.trim(), asked.to.trim());
    let text = match (knob, value, asked.reset) {
        ("", _, _) => Some("Name the knob."),
        (_, "", false) => Some("Say what to set it to."),
        _ => None,
    };
    if let Some(text) = text {
        let text = text.to_owned();
        return shown(&page, &service, Some(Note { text, failed: true })).await;
    }
    let to = Some(to).filter(|to| !to.is_empty());
    let value = Some(value).filter(|_| !asked.reset);
    let turned = page.sampler().turn(&service, (knob, to), value).await;
    let note = told(&turned);
    let what = format!("{service} {knob} {}", to.unwrap_or("all"));
    page.audit().note(&operator, "set calls", what, &note.text);
    shown(&page, &service, Some(note)).await
}

async fn shown(page: &Page, service: &str, note: Option<Note>) -> Response {
    let sample = page.sampler().sample().await;
    match sample.calls.iter().find(|row| row.service == service) {
        Some(row) => {
            let row = row.clone();
            html(StatusCode::OK, &calls::Page { row, note })
        }
        None => missing().await,
    }
}

/// What came of it, at all instances.
fn told(turned: &[Answered<Turned>]) -> Note {
    let failed: Vec<_> = turned.iter().filter_map(Answered::failure).collect();
    let done = turned.iter().find_map(|one| one.outcome.as_ref().ok());
    let what = match done {
        Some(Turned { knob, to, is, .. }) => {
            let to = to.iter().map(|to| format!(" towards {to}"));
            format!("{knob}{} is {}", to.collect::<String>(), calls::value(is))
        }
        None => "Nothing was set".to_owned(),
    };
    let mut text = format!(
        "{what}, at {} of {} instances.",
        turned.len() - failed.len(),
        turned.len()
    );
    for one in &failed {
        text.push_str(&format!(" {one}."));
    }
    Note {
        text,
        failed: !failed.is_empty() || turned.is_empty(),
    }
}
