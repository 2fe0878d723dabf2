//! `POST /movies/{id}/rating`: rates a film, or takes a rating back. A form gets a page, a script
//! that accepts JSON gets JSON.

use super::name::inside;
use super::{RECORD_TYPE, film};
use crate::address;
use crate::name::{Name, RULE};
use crate::page::Page;
use crate::stars::HalfStars;
use crate::tally::Tally;
use crate::view::film::{Field, Note};
use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::header::{ACCEPT, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use backlot::{Code, Context, Error, Idempotency};
use movies_api::{Aggregate, DeleteRatingRequest, PutRatingRequest};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Filled {
    /// In stars: `0.5` to `5` by halves.
    #[serde(default)]
    value: String,
    /// The page's key: the same click sent twice counts once.
    #[serde(default)]
    key: String,
    /// From a visitor who has picked none yet.
    #[serde(default)]
    name: String,
    /// Where to go from here; the film's page unless set.
    #[serde(default)]
    back: String,
}

/// What a script is told after a change.
#[derive(Serialize)]
struct Changed {
    yours: Option<&'static str>,
    words: Option<String>,
    tally: Tally,
}

/// Why nothing changed, in words for the visitor.
struct Refused {
    status: StatusCode,
    field: Field,
    text: String,
}

/// What a form asks for.
#[derive(Clone, Copy)]
enum Wish {
    Rate(HalfStars),
    TakeBack,
}

pub(crate) async fn put(
    State(page): State<Page>,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Filled>, FormRejection>,
) -> Response {
    let Form(filled) = form.unwrap_or_default();
    let Some(stars) = HalfStars::parse(&filled.value) else {
        let text = match filled.value.as_str() {
            "" => "Choose how many stars: ½ to 5.".to_owned(),
            other => format!("Choose ½ to 5 stars, by halves: {other:?} is not among them."),
        };
        let refused = Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            field: Field::Value,
            text,
        };
        return refuse(
            &page,
            &id,
            &headers,
            &filled,
            Name::of_visitor(&headers),
            refused,
        )
        .await;
    };
    change(page, id, headers, filled, Wish::Rate(stars)).await
}

pub(crate) async fn delete(
    State(page): State<Page>,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Filled>, FormRejection>,
) -> Response {
    let Form(filled) = form.unwrap_or_default();
    change(page, id, headers, filled, Wish::TakeBack).await
}

async fn change(
    page: Page,
    id: String,
    headers: HeaderMap,
    filled: Filled,
    wish: Wish,
) -> Response {
    let known = Name::of_visitor(&headers);
    let Some(name) = known.clone().or_else(|| Name::parse(&filled.name)) else {
        let text = match filled.name.as_str() {
            "" => "Pick a name first: it says whose rating this is.".to_owned(),
            _ => RULE.to_owned(),
        };
        let refused = Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            field: Field::Name,
            text,
        };
        return refuse(&page, &id, &headers, &filled, None, refused).await;
    };
    let aggregate = match write(&page, &headers, &id, &name, &filled.key, wish).await {
        Ok(aggregate) => aggregate,
        Err(error) => {
            return refuse(&page, &id, &headers, &filled, known, Refused::from(&error)).await;
        }
    };
    let yours = match wish {
        Wish::Rate(stars) => Some(stars),
        Wish::TakeBack => None,
    };
    let answer = if wants_json(&headers) {
        let (value, words) = (yours.map(HalfStars::value), yours.map(HalfStars::words));
        Json(Changed {
            yours: value,
            words,
            tally: Tally::of(aggregate.as_ref()),
        })
        .into_response()
    } else {
        let film = address::film(&id);
        let back = if filled.back.is_empty() {
            &film
        } else {
            inside(&filled.back)
        };
        Redirect::to(back).into_response()
    };
    if known.is_some() {
        return answer;
    }
    (
        [(SET_COOKIE, name.cookie(page.config().secure_cookie))],
        answer,
    )
        .into_response()
}

async fn write(
    page: &Page,
    headers: &HeaderMap,
    id: &str,
    name: &Name,
    key: &str,
    wish: Wish,
) -> Result<Option<Aggregate>, Error> {
    // Without a key of the page, a client draws one: a write is then done once per click.
    let key = if key.is_empty() {
        None
    } else {
        Some(Arc::new(Idempotency::parse(key)?))
    };
    let cx = page.context(headers).with_idempotency(key);
    match once(page, &cx, id, name, wish).await {
        // The issuer may have changed its keys since the token was made. The key of the write makes
        // a second attempt safe.
        Err(error) if error.code() == Code::Unauthenticated => {
            page.names().forget(name);
            once(page, &cx, id, name, wish).await
        }
        outcome => outcome,
    }
}

async fn once(
    page: &Page,
    cx: &Context,
    id: &str,
    name: &Name,
    wish: Wish,
) -> Result<Option<Aggregate>, Error> {
    let principal = page.names().principal(cx, name).await?;
    let cx = cx.clone().with_principal(principal);
    let (record_type, record_id, user_id) =
        (RECORD_TYPE.to_owned(), id.to_owned(), name.to_string());
    let ratings = &page.ports().ratings;
    match wish {
        Wish::Rate(stars) => {
            let half_stars = i32::from(stars.get());
            let request = PutRatingRequest {
                record_type,
                record_id,
                user_id,
                half_stars,
            };
            Ok(ratings.put_rating(&cx, request).await?.aggregate)
        }
        Wish::TakeBack => {
            let request = DeleteRatingRequest {
                record_type,
                record_id,
                user_id,
            };
            Ok(ratings.delete_rating(&cx, request).await?.aggregate)
        }
    }
}

impl From<&Error> for Refused {
    fn from(error: &Error) -> Self {
        let is_name = error
            .violations()
            .iter()
            .any(|violation| violation.field == "name");
        let (status, text) = match error.code() {
            Code::InvalidArgument | Code::OutOfRange => {
                (StatusCode::UNPROCESSABLE_ENTITY, error.message())
            }
            Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => (
                StatusCode::CONFLICT,
                "This form had been used before. It is fresh now: please choose again.",
            ),
            Code::NotFound => (
                StatusCode::NOT_FOUND,
                "This film cannot be rated: it is not in the catalogue.",
            ),
            Code::Unauthenticated | Code::PermissionDenied => (
                StatusCode::FORBIDDEN,
                "Your name could not be confirmed. Please pick it again.",
            ),
            Code::ResourceExhausted => (
                StatusCode::TOO_MANY_REQUESTS,
                "That was a little fast. Please try again in a moment.",
            ),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Your rating could not be kept just now. Please try again in a moment.",
            ),
            Code::Internal | Code::Unknown | Code::DataLoss | Code::Unimplemented => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something broke on our side; your rating was not kept.",
            ),
        };
        Refused {
            status,
            field: if is_name { Field::Name } else { Field::Value },
            text: text.to_owned(),
        }
    }
}

/// Says near the control why nothing changed.
async fn refuse(
    page: &Page,
    id: &str,
    headers: &HeaderMap,
    filled: &Filled,
    name: Option<Name>,
    refused: Refused,
) -> Response {
    #[derive(Serialize)]
    struct Said<'a> {
        field: &'a str,
        message: &'a str,
    }
    let Refused {
        status,
        field,
        text,
    } = refused;
    if wants_json(headers) {
        return (
            status,
            Json(Said {
                field: field.as_str(),
                message: &text,
            }),
        )
            .into_response();
    }
    let note = Note {
        text,
        field,
        chosen: HalfStars::parse(&filled.value),
        typed: filled.name.clone(),
    };
    film::draw(
        page,
        &page.context(headers),
        id,
        name.as_ref(),
        status,
        Some(note),
    )
    .await
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"))
}
