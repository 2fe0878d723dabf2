//! `GET /browse`: films in order of title, a page at a time; all, or those of a genre, decade or
//! person.

use crate::address;
use crate::filter::Filter;
use crate::name::Name;
use crate::optional::optional;
use crate::page::Page;
use crate::query::Asked;
use crate::trail::Trail;
use crate::view::browse::Browse;
use crate::view::card::Card;
use crate::view::facets::Facets;
use crate::view::{Frame, here, html, message};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use backlot::Code;
use movies_api::ListMoviesRequest;
use movies_api::metadata::v1::ListFacetsRequest;

const PATH: &str = "/browse";

pub(crate) async fn show(
    State(page): State<Page>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let name = Name::of_visitor(&headers);
    let frame = Frame::new(&page, name.as_ref(), here(&uri)).within("browse");
    let filter = match Filter::of(&asked) {
        Ok(filter) => filter,
        Err(problem) => return message::wrong(frame, &problem, PATH),
    };
    let trail = Trail::of(&asked);
    let request = ListMoviesRequest {
        page_size: page.config().films_per_page.into(),
        page_token: trail.token().to_owned(),
        genre: filter.genre.clone(),
        decade: filter.decade,
        person: filter.person.clone(),
    };
    let cx = page.context(&headers);
    let movies = &page.ports().movies;
    let (answer, facets) = tokio::join!(
        movies.list_movies(&cx, request),
        optional(movies.list_facets(&cx, ListFacetsRequest {})),
    );
    let decade = filter.decade_text();
    let pairs = filter.pairs(&decade);
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.code() == Code::InvalidArgument => {
            return message::wrong(
                frame,
                "This page of the list is not there any more. Start from the first one.",
                &address::with_query(PATH, &pairs),
            );
        }
        Err(_) => return message::away(frame),
    };
    let cards = answer.movies.into_iter();
    html(
        StatusCode::OK,
        &Browse {
            frame,
            cards: cards.filter_map(|movie| Card::of(movie, "")).collect(),
            facets: Facets::of(facets.as_ref(), &filter, PATH),
            ways: trail.ways(PATH, &pairs, &answer.next_page_token),
            away: !answer.degraded.is_empty(),
            filter: &filter,
        },
    )
}
