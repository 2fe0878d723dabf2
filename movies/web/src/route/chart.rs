//! `GET /charts`: the best films, of all, of a genre, of a decade or of both.

use crate::filter::Filter;
use crate::name::Name;
use crate::optional::optional;
use crate::page::Page;
use crate::query::Asked;
use crate::ranks::PLACES;
use crate::view::chart::{Chart, Order, Row};
use crate::view::facets::Facets;
use crate::view::{Frame, here, html, message};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use backlot::Code;
use movies_api::GetChartRequest;
use movies_api::metadata::v1::ListFacetsRequest;

const PATH: &str = "/charts";

pub(crate) async fn show(
    State(page): State<Page>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let name = Name::of_visitor(&headers);
    let frame = Frame::new(&page, name.as_ref(), here(&uri)).within("charts");
    let filter = match Filter::of(&asked) {
        // There are no charts of people.
        Ok(filter) => Filter {
            person: String::new(),
            ..filter
        },
        Err(problem) => return message::wrong(frame, &problem, PATH),
    };
    let request = GetChartRequest {
        genre: filter.genre.clone(),
        decade: filter.decade,
        size: PLACES.into(),
    };
    let cx = page.context(&headers);
    let movies = &page.ports().movies;
    let (answer, facets) = tokio::join!(
        movies.get_chart(&cx, request),
        optional(movies.list_facets(&cx, ListFacetsRequest {})),
    );
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.code() == Code::InvalidArgument => {
            return message::wrong(frame, "There is no such chart.", PATH);
        }
        Err(_) => {
            let text = "The chart is not to be had just now; it may still be drawn up. This page looks again every few seconds, so there is nothing you need to do.";
            return message::later(frame, "Back in a moment", text);
        }
    };
    let order = Order::of(asked.get("sort"), asked.get("dir"));
    let mut rows: Vec<Row> = answer.entries.into_iter().filter_map(Row::of).collect();
    // Every film of a chart has ratings: where none are told, they could not be had.
    let away = rows.iter().any(Row::is_bare);
    order.sort(&mut rows);
    html(
        StatusCode::OK,
        &Chart {
            frame,
            filter: &filter,
            rows,
            order,
            facets: Facets::of(facets.as_ref(), &filter, PATH),
            mean: answer.mean,
            weight: answer.weight,
            away,
        },
    )
}
