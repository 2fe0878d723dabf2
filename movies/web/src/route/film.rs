//! `GET /movies/{id}`: a film with its ratings and the visitor's own.

use super::RECORD_TYPE;
use crate::address;
use crate::name::Name;
use crate::optional::optional;
use crate::page::Page;
use crate::stars::HalfStars;
use crate::tally::Tally;
use crate::view::film::{Film, Note, Outside, Yours};
use crate::view::{Frame, html, message};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use backlot::{Code, Context};
use movies_api::{GetMovieDetailsRequest, GetRatingRequest, ListOutsideRatingsRequest};
use std::time::Duration;

/// How long the page waits for the visitor's own rating before it does without.
const YOURS: Duration = Duration::from_millis(800);

pub(crate) async fn show(
    State(page): State<Page>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let name = Name::of_visitor(&headers);
    draw(
        &page,
        &page.context(&headers),
        &id,
        name.as_ref(),
        StatusCode::OK,
        None,
    )
    .await
}

/// Draws a film's page, with something to say near the rating control where there is.
pub(crate) async fn draw(
    page: &Page,
    cx: &Context,
    id: &str,
    name: Option<&Name>,
    status: StatusCode,
    note: Option<Note>,
) -> Response {
    let here = address::film(id);
    let frame = Frame::new(page, name, &here);
    let details = page.ports().movies.get_movie_details(
        cx,
        GetMovieDetailsRequest {
            movie_id: id.to_owned(),
        },
    );
    let (details, yours, rank, outside) = tokio::join!(
        details,
        yours(page, cx, id, name),
        page.ranks().of(cx, id),
        outside(page, cx, id),
    );
    let answer = match details {
        Ok(answer) => answer,
        Err(error) if matches!(error.code(), Code::NotFound | Code::InvalidArgument) => {
            return message::missing(frame, "This film is not in the catalogue");
        }
        Err(_) => return message::away(frame),
    };
    let lacks = |part: &str| answer.degraded.iter().any(|lacking| lacking == part);
    let (away, is_old) = (lacks("rating"), lacks("metadata"));
    let Some((Some(facts), rating)) = answer.movie.map(|movie| (movie.metadata, movie.rating))
    else {
        return message::missing(frame, "This film is not in the catalogue");
    };
    let film = Film {
        yours,
        key: page.key(),
        note,
        rank,
        outside,
        as_of: is_old.then(|| as_of(answer.metadata_age_ms)),
        ..Film::new(frame, &facts, Tally::of(rating.as_ref()), away)
    };
    html(status, &film)
}

/// How old something is, in words.
fn as_of(age_ms: i64) -> String {
    let minutes = age_ms / 60_000;
    match (minutes / 60, minutes) {
        (0, 0) => "a moment ago".to_owned(),
        (0, 1) => "a minute ago".to_owned(),
        (0, minutes) => format!("{minutes} minutes ago"),
        (1, _) => "an hour ago".to_owned(),
        (hours, _) => format!("{hours} hours ago"),
    }
}

async fn yours(page: &Page, cx: &Context, id: &str, name: Option<&Name>) -> Yours {
    let Some(name) = name else {
        return Yours::Nothing;
    };
    let request = GetRatingRequest {
        record_type: RECORD_TYPE.into(),
        record_id: id.to_owned(),
        user_id: name.to_string(),
    };
    let asked = async {
        let principal = page.names().principal(cx, name).await?;
        page.ports()
            .ratings
            .get_rating(&cx.clone().with_principal(principal), request)
            .await
    };
    match tokio::time::timeout(YOURS, asked).await {
        Ok(Ok(rating)) => HalfStars::new(rating.half_stars).map_or(Yours::Nothing, Yours::Rated),
        Ok(Err(error)) if error.code() == Code::NotFound => Yours::Nothing,
        Ok(Err(_)) | Err(_) => Yours::Unknown,
    }
}

/// What others publish of the film; nothing when it cannot be had.
async fn outside(page: &Page, cx: &Context, id: &str) -> Vec<Outside> {
    let request = ListOutsideRatingsRequest {
        record_type: RECORD_TYPE.into(),
        record_id: id.to_owned(),
    };
    let answer = optional(page.ports().ratings.list_outside_ratings(cx, request)).await;
    let ratings = answer.unwrap_or_default().ratings;
    ratings.iter().map(Outside::of).collect()
}
