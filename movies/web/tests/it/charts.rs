//! The chart, and how it sorts without script.

use super::{Site, film};
use crate::fakes::House;
use std::sync::atomic::Ordering;

fn site() -> Site {
    Site::of(House::new([
        (film("good-1950", "The Good", 1950, &["War"]), 300, 4.5),
        (film("few-2001", "Few", 2001, &["War"]), 2, 5.0),
        (film("bad-1999", "A Bad One", 1999, &["Comedy"]), 100, 1.5),
        (
            film("unrated-2024", "Nobody Saw It", 2024, &["War"]),
            0,
            3.0,
        ),
    ]))
}

/// Films in the order of the table.
fn order(text: &str) -> Vec<&str> {
    text.split("<tr id=\"film-")
        .skip(1)
        .map(|row| row.split('"').next().unwrap())
        .collect()
}

#[tokio::test]
async fn a_few_high_ratings_do_not_beat_many_good_ones() {
    let text = site().get("/charts").await.text;
    assert_eq!(order(&text), ["good-1950", "few-2001", "bad-1999"]);
    assert!(text.contains("<h1>The chart</h1>") && text.contains("m = 20"));
}

#[tokio::test]
async fn heads_of_columns_sort_by_links() {
    let site = site();
    let text = site.get("/charts").await.text;
    assert!(text.contains("class=\"of-rank\" aria-sort=\"ascending\""));
    assert_eq!(text.matches("aria-sort=").count(), 1);
    let to = "href=\"/charts?sort=title&#38;dir=asc\"";
    assert!(text.contains(to), "{text}");
    let text = site.get("/charts?sort=title&dir=asc").await.text;
    assert_eq!(order(&text), ["bad-1999", "few-2001", "good-1950"]);
    assert!(text.contains("class=\"of-title\" aria-sort=\"ascending\""));
    assert!(
        text.contains("href=\"/charts?sort=title&#38;dir=desc\""),
        "and the other way next"
    );
    let text = site.get("/charts?sort=year&dir=desc").await.text;
    assert_eq!(order(&text), ["few-2001", "bad-1999", "good-1950"]);
}

#[tokio::test]
async fn a_genre_and_a_decade_have_charts_of_their_own() {
    let site = site();
    let text = site.get("/charts?genre=War").await.text;
    assert!(text.contains("<h1>Best of War</h1>"));
    assert_eq!(order(&text), ["good-1950", "few-2001"]);
    assert!(text.contains("href=\"/charts?genre=War&#38;sort=year&#38;dir=desc\""));
    let text = site.get("/charts?decade=1990").await.text;
    assert_eq!(order(&text), ["bad-1999"]);
    let text = site.get("/charts?genre=Polka").await.text;
    assert!(text.contains("Nothing rated goes by that"));
}

#[tokio::test]
async fn without_ratings_places_are_still_told() {
    let site = site();
    site.house.ratings_away.store(true, Ordering::SeqCst);
    let text = site.get("/charts").await.text;
    assert_eq!(order(&text).len(), 3);
    assert!(text.contains("Ratings are away for a moment"));
}
