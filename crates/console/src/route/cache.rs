//! `/caches/{service}/{name}`: how a cache does; and that it forgets.

use super::missing;
use crate::access::Operator;
use crate::page::Page;
use crate::sampler::Answered;
use crate::view::cache::Cache;
use crate::view::{Note, html};
use axum::Form;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

type Names = (String, String);

#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    key: String,
    /// Whether it is about all keys.
    #[serde(default)]
    all: bool,
}

pub(crate) async fn show(State(page): State<Page>, Path(names): Path<Names>) -> Response {
    shown(&page, names, None).await
}

pub(crate) async fn purge(
    State(page): State<Page>,
    Path((service, name)): Path<Names>,
    Extension(operator): Extension<Operator>,
    Form(which): Form<Which>,
) -> Response {
    let key = match (which.key.trim(), which.all) {
        ("", true) => None,
        ("", false) => {
            let text = "Name the key to forget.".to_owned();
            let note = Some(Note { text, failed: true });
            return shown(&page, (service, name), note).await;
        }
        (key, _) => Some(key),
    };
    let forgotten = page.sampler().forget(&service, &name, key).await;
    let note = told(key, &forgotten);
    let to = match key {
        Some(key) => format!("{service} {name} {key}"),
        None => format!("{service} {name}, all of it"),
    };
    page.audit().note(&operator, "purge cache", to, &note.text);
    shown(&page, (service, name), Some(note)).await
}

async fn shown(page: &Page, (service, name): Names, note: Option<Note>) -> Response {
    let sample = page.sampler().sample().await;
    let row = sample
        .caches
        .iter()
        .find(|row| row.service == service && row.name == name);
    match row {
        Some(row) => {
            let row = row.clone();
            html(StatusCode::OK, &Cache { row, note })
        }
        None => missing().await,
    }
}

/// What came of it, at all instances.
fn told(key: Option<&str>, forgotten: &[Answered<u64>]) -> Note {
    let failed: Vec<_> = forgotten.iter().filter_map(Answered::failure).collect();
    let done = forgotten.len() - failed.len();
    let values: u64 = forgotten
        .iter()
        .filter_map(|one| one.outcome.as_ref().ok())
        .sum();
    let what = match (key, values) {
        _ if done == 0 => "Nothing was forgotten".to_owned(),
        (Some(key), 0) => format!("There was nothing of {key}"),
        (Some(key), _) => format!("{key} is forgotten"),
        (None, values) => format!("{values} values are forgotten"),
    };
    let mut text = format!("{what}, at {done} of {} instances.", forgotten.len());
    for one in &failed {
        text.push_str(&format!(" {one}."));
    }
    Note {
        text,
        failed: !failed.is_empty() || forgotten.is_empty(),
    }
}
