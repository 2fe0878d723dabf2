//! `GET /search/suggest?q=`: a few films for a search box, as a piece of a page.

use super::search::words;
use crate::page::Page;
use crate::query::Asked;
use crate::view::card::Card;
use crate::view::html;
use crate::view::suggest::Suggest;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use backlot::Code;
use movies_api::SearchMoviesRequest;

/// So many are taken in at a glance.
const MOST: i32 = 7;

pub(crate) async fn show(State(page): State<Page>, asked: Asked, headers: HeaderMap) -> Response {
    let query = words(&asked);
    if query.is_empty() {
        return html(StatusCode::OK, &Suggest { cards: Vec::new() });
    }
    let request = SearchMoviesRequest {
        query,
        page_size: MOST,
        page_token: String::new(),
    };
    match page
        .ports()
        .movies
        .search_movies(&page.context(&headers), request)
        .await
    {
        Ok(found) => {
            let cards = found.movies.into_iter();
            let cards = cards.filter_map(|movie| Card::small(movie, "s")).collect();
            html(StatusCode::OK, &Suggest { cards })
        }
        Err(error) if error.code() == Code::InvalidArgument => {
            html(StatusCode::OK, &Suggest { cards: Vec::new() })
        }
        // The box then offers nothing; its form still works.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
