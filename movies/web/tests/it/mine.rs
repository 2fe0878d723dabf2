//! The visitor's own ratings.

use super::{ALIEN, Site, film};
use crate::fakes::House;
use axum::http::StatusCode;
use std::sync::atomic::Ordering;

const ANN: (&str, &str) = ("cookie", "movies_name=ann");

#[tokio::test]
async fn the_latest_rating_comes_first() {
    let site = Site::new();
    site.house.rate(ALIEN, "ann", 9);
    site.house.rate("metropolis-1927", "ann", 7);
    site.house.rate("unrated-2024", "bob", 2);
    let text = site.get_as("ann", "/ratings").await.text;
    let place = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("{words}: {text}"))
    };
    assert!(place("<b>Metropolis</b>") < place("<b>Alien</b>"));
    assert!(text.contains(">3½ stars</output>") && text.contains("datetime=\"2026-11-02\""));
    assert!(!text.contains("Nobody Saw It"), "somebody else's");
    assert_eq!(text.matches("<form class=\"mine-row ").count(), 2);
}

#[tokio::test]
async fn a_rating_is_changed_and_taken_back_where_it_stands() {
    let site = Site::new();
    site.house.rate(ALIEN, "ann", 9);
    let page = site.get_as("ann", "/ratings").await;
    let form = format!("key={}&back=%2Fratings&value=2", page.input("key"));
    let changed = site.post(&[ANN], "/movies/alien-1979/rating", &form).await;
    assert_eq!(
        (changed.status, changed.header("location")),
        (StatusCode::SEE_OTHER, "/ratings")
    );
    let page = site.get_as("ann", "/ratings").await;
    assert!(page.text.contains(">2 stars</output>"));
    let form = format!("key={}&back=https%3A%2F%2Fevil.example", page.input("key"));
    let gone = site
        .post(&[ANN], "/movies/alien-1979/rating/delete", &form)
        .await;
    assert_eq!(gone.header("location"), "/", "and nobody is led elsewhere");
    let text = site.get_as("ann", "/ratings").await.text;
    assert!(text.contains("Nothing here yet"));
}

#[tokio::test]
async fn many_ratings_come_a_page_at_a_time() {
    let films = (0..30).map(|index| (film(&format!("film-{index:02}"), "Film", 1990, &[]), 0, 3.0));
    let site = Site::of(House::new(films));
    for index in 0..30 {
        site.house.rate(&format!("film-{index:02}"), "ann", 4);
    }
    let first = site.get_as("ann", "/ratings").await.text;
    assert_eq!(first.matches("<form class=\"mine-row ").count(), 20);
    assert!(
        first.contains("rel=\"next\" href=\"/ratings?page=20&#38;n=2\""),
        "{first}"
    );
    let second = site.get_as("ann", "/ratings?page=20&n=2").await.text;
    assert_eq!(second.matches("<form class=\"mine-row ").count(), 10);
    assert!(second.contains("rel=\"prev\" href=\"/ratings\""));
}

#[tokio::test]
async fn who_has_no_name_is_asked_for_one() {
    let answer = Site::new().get("/ratings").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer
            .text
            .contains("href=\"/name?back=%2Fratings\">Pick a name</a></p>\n")
    );
}

#[tokio::test]
async fn ratings_that_are_away_are_not_called_none() {
    let site = Site::new();
    site.house.ratings_away.store(true, Ordering::SeqCst);
    let answer = site.get_as("ann", "/ratings").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains("They are safe") && !answer.text.contains("Nothing here yet"));
}

#[tokio::test]
async fn without_the_catalogue_ratings_are_shown_by_their_ids() {
    let site = Site::new();
    site.house.rate(ALIEN, "ann", 9);
    site.house.movies_away.store(true, Ordering::SeqCst);
    let text = site.get_as("ann", "/ratings").await.text;
    assert!(text.contains("<b>alien-1979</b>") && text.contains(">4½ stars</output>"));
}
