//! `GET /`: films in order of title, a page at a time.

use crate::name::Name;
use crate::page::Page;
use crate::percent;
use crate::view::list::{Card, List};
use crate::view::{Frame, here, html, message};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use backlot::Code;
use movies_api::ListMoviesRequest;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Place {
    /// From the page before; empty for the first.
    #[serde(default)]
    page: String,
}

pub(crate) async fn show(
    State(page): State<Page>,
    Query(place): Query<Place>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let name = Name::of_visitor(&headers);
    let frame = Frame::new(&page, name.as_ref(), here(&uri));
    let later = !place.page.is_empty();
    let request = ListMoviesRequest {
        page_size: i32::from(page.config().films_per_page),
        page_token: place.page,
        ..Default::default()
    };
    let answer = match page
        .ports()
        .movies
        .list_movies(&page.context(&headers), request)
        .await
    {
        Ok(answer) => answer,
        Err(error) if error.code() == Code::InvalidArgument => {
            return message::wrong(
                frame,
                "This page of the list is not there any more. Start from the first one.",
            );
        }
        Err(_) => return message::away(frame),
    };
    let next = if answer.next_page_token.is_empty() {
        String::new()
    } else {
        format!("/?page={}", percent::encoded(&answer.next_page_token))
    };
    let away = !answer.degraded.is_empty();
    let cards = answer.movies.into_iter().filter_map(Card::of).collect();
    html(
        StatusCode::OK,
        &List {
            frame,
            cards,
            next,
            later,
            away,
        },
    )
}
