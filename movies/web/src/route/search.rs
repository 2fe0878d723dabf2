//! `GET /search?q=`: films that match words, the best match first.

use crate::address;
use crate::filter::Filter;
use crate::name::Name;
use crate::optional::optional;
use crate::page::Page;
use crate::query::Asked;
use crate::trail::{Trail, Ways};
use crate::view::card::Card;
use crate::view::facets::Facets;
use crate::view::search::Search;
use crate::view::{Frame, here, html, message};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use backlot::{Code, Context};
use movies_api::metadata::v1::ListFacetsRequest;
use movies_api::{SearchMoviesRequest, SearchMoviesResponse};

const PATH: &str = "/search";
/// As the contract has it, in characters: what is longer is searched for by its beginning.
const LONGEST: usize = 200;

pub(crate) async fn show(
    State(page): State<Page>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let name = Name::of_visitor(&headers);
    let query = words(&asked);
    let frame = Frame::new(&page, name.as_ref(), here(&uri)).asking(&query);
    let cx = page.context(&headers);
    let trail = Trail::of(&asked);
    let found = if query.is_empty() {
        SearchMoviesResponse::default()
    } else {
        let request = SearchMoviesRequest {
            query: query.clone(),
            page_size: page.config().films_per_page.into(),
            page_token: trail.token().to_owned(),
        };
        match page.ports().movies.search_movies(&cx, request).await {
            Ok(found) => found,
            Err(error) if error.code() == Code::InvalidArgument => {
                let start = address::with_query(PATH, &[("q", &query)]);
                let text =
                    "This page of what was found is not there any more. Start from the first one.";
                return message::wrong(frame, text, &start);
            }
            Err(_) => return message::away(frame),
        }
    };
    let facets = if found.movies.is_empty() {
        other_ways(&page, &cx).await
    } else {
        Facets::default()
    };
    let ways: Ways = trail.ways(PATH, &[("q", &query)], &found.next_page_token);
    let cards = found.movies.into_iter();
    html(
        StatusCode::OK,
        &Search {
            cards: cards.filter_map(|movie| Card::of(movie, "")).collect(),
            facets,
            ways,
            away: !found.degraded.is_empty(),
            frame,
        },
    )
}

/// What is searched for, without blanks around it and no longer than can be asked.
pub(crate) fn words(asked: &Asked) -> String {
    let words: String = asked.get("q").chars().take(LONGEST).collect();
    words.trim_end().to_owned()
}

async fn other_ways(page: &Page, cx: &Context) -> Facets {
    let facets = optional(page.ports().movies.list_facets(cx, ListFacetsRequest {})).await;
    Facets::of(facets.as_ref(), &Filter::default(), "/browse")
}
