//! `GET /ratings`: what the visitor rated, the latest first, to be changed where it stands.

use super::RECORD_TYPE;
use crate::address;
use crate::name::Name;
use crate::page::Page;
use crate::query::Asked;
use crate::stars::HalfStars;
use crate::trail::{Trail, Ways};
use crate::view::card::Card;
use crate::view::mine::{Mine, Row};
use crate::view::picker::Picker;
use crate::view::{Frame, here, html, message};
use crate::when::Day;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use backlot::{Code, Context, Error};
use movies_api::{
    BatchGetMoviesRequest, ListUserRatingsRequest, ListUserRatingsResponse, UserRating,
};
use std::collections::BTreeMap;

const PATH: &str = "/ratings";
/// Each row is a form of its own.
const ROWS: i32 = 20;

pub(crate) async fn show(
    State(page): State<Page>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let name = Name::of_visitor(&headers);
    let frame = Frame::new(&page, name.as_ref(), here(&uri)).within("mine");
    let mut view = Mine {
        frame,
        rows: Vec::new(),
        ways: Ways::default(),
        away: false,
    };
    let Some(name) = &name else {
        return html(StatusCode::OK, &view);
    };
    let cx = page.context(&headers);
    let trail = Trail::of(&asked);
    let answer = match ratings(&page, &cx, name, ROWS, trail.token()).await {
        Ok(answer) => answer,
        Err(error) if error.code() == Code::InvalidArgument => {
            let text = "This page of your ratings is not there any more. Start from the first one.";
            return message::wrong(view.frame, text, PATH);
        }
        Err(_) => {
            view.away = true;
            return html(StatusCode::SERVICE_UNAVAILABLE, &view);
        }
    };
    view.ways = trail.ways(PATH, &[], &answer.next_page_token);
    let mut films = films(&page, &cx, &answer.ratings).await;
    let row = |rating: UserRating| Row {
        path: address::film(&rating.record_id),
        card: films.remove(&rating.record_id),
        picker: Picker {
            chosen: HalfStars::new(rating.half_stars),
        },
        day: Day::of(rating.rated_at),
        key: page.key(),
        id: rating.record_id,
    };
    view.rows = answer.ratings.into_iter().map(row).collect();
    html(StatusCode::OK, &view)
}

/// What somebody rated, films alone.
///
/// # Errors
/// As the issuer of tokens and the rating service answer.
pub(crate) async fn ratings(
    page: &Page,
    cx: &Context,
    name: &Name,
    page_size: i32,
    token: &str,
) -> Result<ListUserRatingsResponse, Error> {
    let request = ListUserRatingsRequest {
        user_id: name.to_string(),
        page_size,
        page_token: token.to_owned(),
    };
    let once = async || {
        let principal = page.names().principal(cx, name).await?;
        let cx = cx.clone().with_principal(principal);
        page.ports()
            .ratings
            .list_user_ratings(&cx, request.clone())
            .await
    };
    let answer = match once().await {
        // The issuer may have changed its keys since the token was made.
        Err(error) if error.code() == Code::Unauthenticated => {
            page.names().forget(name);
            once().await
        }
        answer => answer,
    };
    answer.map(|mut answer| {
        answer
            .ratings
            .retain(|rating| rating.record_type == RECORD_TYPE);
        answer
    })
}

/// The films that were rated, by their ids; those that cannot be had are left out.
pub(crate) async fn films(
    page: &Page,
    cx: &Context,
    ratings: &[UserRating],
) -> BTreeMap<String, Card> {
    if ratings.is_empty() {
        return BTreeMap::new();
    }
    let request = BatchGetMoviesRequest {
        movie_ids: ratings
            .iter()
            .map(|rating| rating.record_id.clone())
            .collect(),
    };
    let answer = page.ports().movies.batch_get_movies(cx, request).await;
    let films = answer.unwrap_or_default().movies.into_iter();
    let cards = films.filter_map(|film| Card::small(film, "y"));
    cards.map(|card| (card.id.clone(), card)).collect()
}
