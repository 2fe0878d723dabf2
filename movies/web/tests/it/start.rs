//! Where one starts.

use super::{ALIEN, Site};
use crate::fakes::House;
use axum::http::StatusCode;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn it_shows_the_top_of_the_chart_and_ways_into_the_catalogue() {
    let answer = Site::new().get("/").await;
    assert_eq!(answer.status, StatusCode::OK);
    for part in [
        "<h1 id=\"first\"><a href=\"/movies/alien-1979\">Alien</a></h1>",
        "Top of the chart",
        "href=\"/browse?genre=Horror\"",
        "href=\"/browse?decade=1920\"",
        "All 4 films",
        "From the 2020s",
    ] {
        assert!(answer.text.contains(part), "{part}");
    }
    assert!(!answer.text.contains("Your latest ratings"));
}

#[tokio::test]
async fn no_film_hangs_there_twice() {
    let text = Site::new().get("/").await.text;
    assert_eq!(
        text.matches("class=\"card\" href=\"/movies/metropolis-1927\"")
            .count(),
        1
    );
}

#[tokio::test]
async fn it_goes_on_with_what_the_visitor_rated() {
    let site = Site::new();
    site.house.rate(ALIEN, "ann", 9);
    let text = site.get_as("ann", "/").await.text;
    assert!(
        text.contains("Your latest ratings") && text.contains("you gave it "),
        "{text}"
    );
    site.house.ratings_away.store(true, Ordering::SeqCst);
    let answer = site.get_as("ann", "/").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        !answer.text.contains("Your latest ratings") && answer.text.contains("Ratings are away")
    );
}

#[tokio::test]
async fn an_empty_catalogue_is_said_to_be_empty() {
    let answer = Site::of(House::new([])).get("/").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.contains("No films yet"));
}
