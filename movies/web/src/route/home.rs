//! `GET /`: the top of the chart, what the visitor rated last, and ways into the catalogue.

use super::mine;
use crate::name::Name;
use crate::optional::optional;
use crate::page::Page;
use crate::stars::HalfStars;
use crate::view::card::Card;
use crate::view::home::{Hero, Home, Shelf, shelves};
use crate::view::{Frame, html, message};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use backlot::Context;
use movies_api::metadata::v1::{ListFacetsRequest, ListFacetsResponse};
use movies_api::{GetChartRequest, GetChartResponse, ListMoviesRequest, MovieDetails};
use std::collections::BTreeSet;

/// The first of the chart and those behind it.
const TOP: i32 = 9;
/// Films in one row.
const ROW: usize = 6;
/// How many of the newest decades have a row.
const DECADES: usize = 2;

pub(crate) async fn show(State(page): State<Page>, headers: HeaderMap) -> Response {
    let name = Name::of_visitor(&headers);
    let frame = Frame::new(&page, name.as_ref(), "/").within("home");
    let cx = page.context(&headers);
    let movies = &page.ports().movies;
    let chart = GetChartRequest {
        size: TOP,
        ..Default::default()
    };
    let (chart, facets, yours) = tokio::join!(
        optional(movies.get_chart(&cx, chart)),
        optional(movies.list_facets(&cx, ListFacetsRequest {})),
        yours(&page, &cx, name.as_ref()),
    );
    let mut shown = BTreeSet::new();
    let (hero, top) = best(chart.unwrap_or_default(), &mut shown);
    let rows = match &facets {
        Some(facets) => newest(&page, &cx, facets, &mut shown).await,
        None => any(&page, &cx, &mut shown).await,
    };
    let Some((shelves_of_films, away)) = rows else {
        return message::away(frame);
    };
    let (genres, decades) = facets.as_ref().map(shelves).unwrap_or_default();
    html(
        StatusCode::OK,
        &Home {
            frame,
            hero,
            top,
            yours,
            genres,
            decades,
            shelves: shelves_of_films,
            films: facets.map_or(0, |facets| facets.films),
            away,
        },
    )
}

fn best(chart: GetChartResponse, shown: &mut BTreeSet<String>) -> (Option<Hero>, Vec<Card>) {
    let mut entries = chart.entries.into_iter();
    let hero = entries.next().and_then(|entry| Hero::of(entry.movie?));
    let card = |entry: movies_api::ChartEntry| {
        let rank = Some(entry.rank);
        Some(Card {
            rank,
            ..Card::of(entry.movie?, "")?
        })
    };
    let top: Vec<Card> = entries.filter_map(card).collect();
    shown.extend(hero.iter().map(|hero| hero.card.id.clone()));
    shown.extend(top.iter().map(|card| card.id.clone()));
    (hero, top)
}

/// What the visitor rated last; nothing when it cannot be had.
async fn yours(page: &Page, cx: &Context, name: Option<&Name>) -> Vec<Card> {
    let Some(name) = name else {
        return Vec::new();
    };
    let asked = async {
        let answer = mine::ratings(page, cx, name, ROW as i32, "").await?;
        let mut films = mine::films(page, cx, &answer.ratings).await;
        let card = |rating: movies_api::UserRating| {
            let yours = HalfStars::new(rating.half_stars);
            Some(Card {
                yours,
                ..films.remove(&rating.record_id)?
            })
        };
        Ok(answer.ratings.into_iter().filter_map(card).collect())
    };
    optional(asked).await.unwrap_or_default()
}

/// Rows of the newest decades, and whether ratings were away; none when no films can be had.
async fn newest(
    page: &Page,
    cx: &Context,
    facets: &ListFacetsResponse,
    shown: &mut BTreeSet<String>,
) -> Option<(Vec<Shelf>, bool)> {
    let mut decades: Vec<i32> = facets.decades.iter().map(|decade| decade.decade).collect();
    decades.retain(|decade| *decade > 0);
    decades.sort_unstable();
    let newest: Vec<i32> = decades.into_iter().rev().take(DECADES).collect();
    if newest.is_empty() {
        return any(page, cx, shown).await;
    }
    let answers = newest.iter().map(|decade| films(page, cx, *decade));
    let answers = futures_util::future::join_all(answers).await;
    let (mut rows, mut away, mut failed) = (Vec::new(), false, false);
    for (decade, answer) in newest.into_iter().zip(answers) {
        match answer {
            Some((films, without_ratings)) => {
                away |= without_ratings;
                let cards = unseen(films, shown);
                if !cards.is_empty() {
                    rows.push(Shelf::of_decade(decade, cards));
                }
            }
            None => failed = true,
        }
    }
    (!failed || !shown.is_empty()).then_some((rows, away))
}

/// A row of films in order of title.
async fn any(
    page: &Page,
    cx: &Context,
    shown: &mut BTreeSet<String>,
) -> Option<(Vec<Shelf>, bool)> {
    let (films, away) = films(page, cx, 0).await?;
    let cards = unseen(films, shown);
    let shelf = Shelf {
        title: "From the shelves".to_owned(),
        href: "/browse".to_owned(),
        cards,
    };
    let rows = if shelf.cards.is_empty() {
        Vec::new()
    } else {
        vec![shelf]
    };
    Some((rows, away))
}

/// Films of a decade, and whether their ratings were away.
async fn films(page: &Page, cx: &Context, decade: i32) -> Option<(Vec<MovieDetails>, bool)> {
    let request = ListMoviesRequest {
        // Some of them are on the page already.
        page_size: ROW as i32 + TOP,
        decade,
        ..Default::default()
    };
    let answer = page.ports().movies.list_movies(cx, request).await.ok()?;
    Some((answer.movies, !answer.degraded.is_empty()))
}

/// A row of those that are not on the page yet.
fn unseen(films: Vec<MovieDetails>, shown: &mut BTreeSet<String>) -> Vec<Card> {
    let cards = films.into_iter().filter_map(|film| Card::of(film, ""));
    cards
        .filter(|card| shown.insert(card.id.clone()))
        .take(ROW)
        .collect()
}
