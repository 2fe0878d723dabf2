//! The best films.

use crate::Clients;
use backlot::{Code, Error};
use movies_api::metadata::v1::Metadata;
use movies_api::{ChartEntry, GetChartRequest, GetChartResponse, PutMetadataRequest};

/// Puts a film of a genre that no other scenario has.
async fn film(world: &Clients, id: &str, year: i32, genre: &str) {
    let film = Metadata {
        id: id.to_owned(),
        title: format!("The film {id}"),
        year,
        genres: vec![genre.to_owned()],
        ..Metadata::default()
    };
    let request = PutMetadataRequest {
        metadata: Some(film),
    };
    let outcome = world.metadata.put_metadata(&world.editor(), request).await;
    world.worked("a film is put", outcome);
}

async fn chart(world: &Clients, genre: &str, decade: i32) -> Result<GetChartResponse, Error> {
    let request = GetChartRequest {
        genre: genre.to_owned(),
        decade,
        size: 0,
    };
    world.movie.get_chart(&world.nobody(), request).await
}

fn ids(entries: &[ChartEntry]) -> Vec<&str> {
    let films = entries.iter().filter_map(|entry| entry.movie.as_ref());
    films
        .filter_map(|movie| Some(movie.metadata.as_ref()?.id.as_str()))
        .collect()
}

/// Waits until a chart shows these films in this order.
async fn shows(world: &Clients, genre: &str, decade: i32, films: &[&str]) -> GetChartResponse {
    let shown = async || {
        let chart = chart(world, genre, decade).await?;
        if ids(&chart.entries) == films {
            return Ok(chart);
        }
        Err(Error::unavailable(format!(
            "it shows {:?}",
            ids(&chart.entries)
        )))
    };
    world.eventually("the chart", shown).await
}

pub(super) async fn a_chart_follows_new_ratings(world: &Clients) {
    film(world, "chart-a", 1999, "Charted").await;
    film(world, "chart-b", 1999, "Charted").await;
    film(world, "chart-unrated", 1999, "Charted").await;
    world.rate("ann", "chart-a", 8).await;
    world.rate("ann", "chart-b", 6).await;
    let shown = shows(world, "charted", 0, &["chart-a", "chart-b"]).await;
    let ranks: Vec<_> = shown.entries.iter().map(|entry| entry.rank).collect();
    assert_eq!(ranks, [1, 2]);
    assert!(shown.entries[0].score > shown.entries[1].score, "{shown:?}");
    assert!(
        shown.as_of > 0 && shown.weight > 0.0 && shown.mean > 0.0,
        "{shown:?}"
    );
    let rating = world.some("a film", shown.entries[0].movie.clone()).rating;
    assert_eq!(world.some("its rating", rating).count, 1);
    world.rate("ann", "chart-b", 10).await;
    shows(world, "charted", 0, &["chart-b", "chart-a"]).await;
}

pub(super) async fn charts_are_of_a_genre_a_decade_or_both(world: &Clients) {
    film(world, "chart-old", 1951, "Genre of charts").await;
    film(world, "chart-new", 1961, "Genre of charts").await;
    film(world, "chart-other", 1951, "Other genre of charts").await;
    for (film, half_stars) in [("chart-old", 7), ("chart-new", 9), ("chart-other", 8)] {
        world.rate("ann", film, half_stars).await;
    }
    shows(world, "genre of charts", 0, &["chart-new", "chart-old"]).await;
    shows(world, "GENRE OF CHARTS", 1950, &["chart-old"]).await;
    shows(world, "Other genre of charts", 1950, &["chart-other"]).await;
    shows(world, "genre nobody has", 0, &[]).await;
    shows(world, "genre of charts", 1970, &[]).await;
    let error = world.refused(
        "no decade",
        chart(world, "", 1951).await,
        Code::InvalidArgument,
    );
    assert_eq!(error.violations()[0].field, "decade", "{error:?}");
}

pub(super) async fn a_chart_outlives_the_ratings_it_comes_from(world: &Clients) {
    film(world, "chart-kept", 1999, "Kept in charts").await;
    world.rate("ann", "chart-kept", 9).await;
    let before = shows(world, "kept in charts", 0, &["chart-kept"]).await;
    world.power().stop("rating").await;
    let outcome = chart(world, "kept in charts", 0).await;
    let without = world.worked("without ratings", outcome);
    assert_eq!(ids(&without.entries), ["chart-kept"]);
    assert!(without.as_of >= before.as_of, "{without:?}");
    let rating = world
        .some("the film", without.entries[0].movie.clone())
        .rating;
    assert_eq!(world.some("its rating", rating).count, 1);
    world.power().start("rating").await;
    let put = async || {
        let request = crate::clients::rating("bob", "chart-kept", 10);
        world.rating.put_rating(&world.user("bob"), request).await
    };
    world.eventually("it takes ratings", put).await;
    let followed = async || {
        let chart = chart(world, "kept in charts", 0).await?;
        let movie = chart
            .entries
            .into_iter()
            .next()
            .and_then(|entry| entry.movie);
        match movie.and_then(|movie| movie.rating) {
            Some(rating) if rating.count == 2 => Ok(()),
            other => Err(Error::unavailable(format!("it shows {other:?}"))),
        }
    };
    world.eventually("the chart follows again", followed).await;
}
