//! `/dead/{queue}`: the dead letters of a group, by what they died of; sent again, or removed.

use super::refused;
use crate::access::Operator;
use crate::page::Page;
use crate::runs::What;
use crate::snapshot::cx;
use crate::view::dead::{Asked, Dead, Really};
use crate::view::{html, message};
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use backlot_core::Timestamp;
use backlot_messaging::Error;
use backlot_messaging::dead::{
    After, Class, Filter, Letters, OfGroup, Page as Places, Redrive, Status,
};
use serde::Deserialize;

/// How many letters one page shows.
const SHOWN: u32 = 200;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    class: String,
    #[serde(default)]
    after: String,
}

/// The group whose letters lie in a topic.
async fn group(letters: &Letters, queue: &str) -> Result<OfGroup, Error> {
    let groups = letters.groups(&cx()).await?;
    let found = groups.into_iter().find(|group| group.queue == queue);
    found.ok_or_else(|| Error::UnknownTopic {
        topic: queue.to_owned(),
    })
}

fn class(text: &str) -> Result<Option<Class>, Error> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some),
    }
}

fn of(group: &OfGroup, class: Option<Class>) -> Filter {
    Filter {
        group: Some(group.group.clone()),
        topic: Some(group.topic.clone()),
        class,
        status: Some(Status::Waiting),
        ..Filter::default()
    }
}

pub(crate) async fn show(
    State(page): State<Page>,
    Path(queue): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let shown = async {
        let letters = Letters::of(&**page.engine())?;
        let group = group(&letters, &queue).await?;
        let class = class(&wanted.class)?;
        let after = match wanted.after.as_str() {
            "" => None,
            text => Some(text.parse::<After>()?),
        };
        let places = Places { after, size: SHOWN };
        let listed = letters.list(&cx(), &of(&group, class), &places).await?;
        Ok::<_, Error>(Dead::new(group, class, listed, page.clock().wall()))
    };
    match shown.await {
        Ok(dead) => html(StatusCode::OK, &dead),
        Err(error) => refused(error),
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Chosen {
    #[serde(default)]
    class: String,
    #[serde(default)]
    per_second: String,
    #[serde(default)]
    limit: String,
    /// Set by whoever saw what would be done: when that was.
    #[serde(default)]
    until: String,
    #[serde(default)]
    really: String,
}

/// A number of a form; none when the field is empty.
fn number<N: std::str::FromStr>(field: &'static str, text: &str) -> Result<Option<N>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.parse().map_err(|_| Error::Invalid {
        field,
        value: text.to_owned(),
        cure: "write a whole number, or leave it empty",
    });
    parsed.map(Some)
}

pub(crate) async fn redrive(
    State(page): State<Page>,
    Path(queue): Path<String>,
    Extension(operator): Extension<Operator>,
    form: Result<Form<Chosen>, FormRejection>,
) -> Response {
    moved(&page, &queue, &operator, form, true).await
}

pub(crate) async fn purge(
    State(page): State<Page>,
    Path(queue): Path<String>,
    Extension(operator): Extension<Operator>,
    form: Result<Form<Chosen>, FormRejection>,
) -> Response {
    moved(&page, &queue, &operator, form, false).await
}

/// First says what would be done; does it when that was seen.
async fn moved(
    page: &Page,
    queue: &str,
    operator: &Operator,
    form: Result<Form<Chosen>, FormRejection>,
    again: bool,
) -> Response {
    let Form(form) = form.unwrap_or_default();
    let begun = async {
        let letters = Letters::of(&**page.engine())?;
        let group = group(&letters, queue).await?;
        let class = class(&form.class)?;
        let mut filter = of(&group, class);
        // What died since nobody looked at.
        let until = number("until", &form.until)?.map(Timestamp);
        filter.until = Some(until.unwrap_or_else(|| page.clock().wall()));
        let redrive = Redrive {
            dry_run: false,
            per_second: number("per_second", &form.per_second)?,
            limit: number("limit", &form.limit)?,
        };
        let filter_until = filter.until.map_or(0, |until| until.0);
        if form.really.is_empty() {
            let report = match again {
                true => {
                    let look = Redrive {
                        dry_run: true,
                        ..redrive
                    };
                    let on = |_: &_| std::ops::ControlFlow::Continue(());
                    letters.redrive(&cx(), filter, &look, on).await?
                }
                false => letters.purge(&cx(), filter, true).await?,
            };
            let asked = Asked {
                until: filter_until,
                class: form.class,
                per_second: form.per_second,
                limit: form.limit,
            };
            let really = Really::new(group, report, asked, again, page.clock().wall());
            return Ok(html(StatusCode::OK, &really));
        }
        let words = match class {
            Some(class) => format!("{queue}, {class}"),
            None => queue.to_owned(),
        };
        let what = match again {
            true => What::Redrive(redrive),
            false => What::Purge,
        };
        Ok::<_, Error>(match page.runs().begin(operator, what, filter, words) {
            Some(run) => Redirect::to(&format!("/runs/{}", run.number)).into_response(),
            None => html(
                StatusCode::TOO_MANY_REQUESTS,
                &message(
                    "Too many at once",
                    "Other runs are under way: wait for one to end, or stop it.",
                ),
            ),
        })
    };
    begun.await.unwrap_or_else(refused)
}
