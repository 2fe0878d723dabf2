//! Lists of films: browsed, narrowed down, searched.

use super::{Site, film};
use crate::fakes::House;
use axum::http::StatusCode;
use std::sync::atomic::Ordering;

/// Sixty films, an even number of them comedies, all of the nineties.
fn sixty() -> Site {
    Site::of(House::new((0..60).map(|index| {
        let genres: &[&str] = if index % 2 == 0 {
            &["Comedy"]
        } else {
            &["War"]
        };
        let film = film(
            &format!("film-{index:02}"),
            &format!("Film {index:02}"),
            1990 + index % 10,
            genres,
        );
        (film, 1, 3.0)
    })))
}

/// The address a link of this kind leads to.
fn link(text: &str, rel: &str) -> Option<String> {
    let from = text.split(&format!("rel=\"{rel}\" href=\"")).nth(1)?;
    Some(from.split('"').next()?.replace("&#38;", "&"))
}

fn cards(text: &str) -> usize {
    text.matches("class=\"card\"").count()
}

#[tokio::test]
async fn films_are_listed_with_their_ratings() {
    let answer = Site::new().get("/browse").await;
    assert_eq!(answer.status, StatusCode::OK);
    for part in [
        "href=\"/movies/alien-1979\"",
        "1979 · Ridley Scott",
        "(40<span",
    ] {
        assert!(answer.text.contains(part), "{part}");
    }
    assert!(
        answer.text.contains("Not rated yet"),
        "nobody is not zero stars"
    );
    assert_eq!(link(&answer.text, "next"), None);
}

#[tokio::test]
async fn a_long_list_is_walked_to_its_end_and_back() {
    let site = sixty();
    let first = site.get("/browse").await.text;
    let second = site.get(&link(&first, "next").unwrap()).await.text;
    let third = site.get(&link(&second, "next").unwrap()).await.text;
    assert_eq!((cards(&first), cards(&second), cards(&third)), (24, 24, 12));
    assert!(third.contains("Page 3") && link(&third, "next").is_none());
    let back = site.get(&link(&third, "prev").unwrap()).await.text;
    assert!(back.contains("Film 24") && back.contains("Page 2"));
    assert_eq!(link(&back, "prev").as_deref(), Some("/browse"));
}

#[tokio::test]
async fn a_filter_is_kept_from_page_to_page() {
    let site = sixty();
    let first = site.get("/browse?genre=comedy&decade=1990").await.text;
    assert!(first.contains("<h1>Comedy of the 1990s</h1>"));
    let next = link(&first, "next").unwrap();
    assert!(
        next.starts_with("/browse?genre=comedy&decade=1990&page="),
        "{next}"
    );
    let second = site.get(&next).await.text;
    assert_eq!((cards(&first), cards(&second)), (24, 6));
    assert!(!second.contains("Film 01"), "a war film");
}

#[tokio::test]
async fn a_person_has_a_page_of_their_own() {
    let text = Site::new()
        .get("/browse?person=Sigourney%20Weaver")
        .await
        .text;
    assert!(text.contains("<h1>Sigourney Weaver</h1>") && cards(&text) == 4);
}

#[tokio::test]
async fn the_chosen_genre_leads_back_to_all() {
    let text = sixty().get("/browse?genre=War").await.text;
    assert!(
        text.contains("href=\"/browse\" aria-current=\"true\">War"),
        "{text}"
    );
    assert!(text.contains("href=\"/browse?genre=Comedy\">Comedy <span"));
    assert!(text.contains("href=\"/browse?genre=War&#38;decade=1990\">1990s"));
}

#[tokio::test]
async fn a_genre_that_nothing_has_is_said_kindly() {
    let answer = Site::new().get("/browse?genre=Polka").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.contains("Nothing here goes by that") && answer.text.contains("Sci-Fi"));
}

#[tokio::test]
async fn nonsense_in_an_address_is_the_callers_fault_and_told_with_a_way_out() {
    let site = Site::new();
    for (path, words) in [
        ("/browse?page=nonsense", "not there any more"),
        ("/browse?decade=soon", "like 1990"),
        ("/charts?decade=-3", "like 1990"),
        ("/search?q=a&page=x", "not there any more"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(
            answer.text.contains(words) && answer.text.contains("Start afresh"),
            "{path}"
        );
    }
    for path in [
        "/browse?%ff=%zz&&=",
        "/browse?genre=a&genre=b",
        "/search?q",
        "/charts?sort=%00",
    ] {
        assert_eq!(site.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn words_find_films() {
    let site = Site::new();
    let answer = site.get("/search?q=%20met%20").await;
    assert!(answer.text.contains("<h1>“met”</h1>") && cards(&answer.text) == 1);
    assert!(
        answer.text.contains("name=\"q\" value=\"met\""),
        "the box keeps what was asked"
    );
    let none = site.get("/search?q=xyzzy").await;
    assert_eq!(none.status, StatusCode::OK);
    assert!(none.text.contains("Nothing matches “xyzzy”") && none.text.contains("genre=Sci-Fi"));
    let empty = site.get("/search").await;
    assert!(empty.text.contains("<h1>Search</h1>") && empty.text.contains("genre=Sci-Fi"));
    let long = site
        .get(&format!("/search?q={}", "%C3%A9".repeat(300)))
        .await;
    assert_eq!(long.status, StatusCode::OK);
    let markup = site.get("/search?q=%3Cb%3E").await.text;
    assert!(!markup.contains("<b>”") && markup.contains("“&#60;b&#62;”"));
}

#[tokio::test]
async fn a_box_is_offered_films_while_one_types() {
    let site = Site::new();
    let answer = site.get("/search/suggest?q=al").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text.matches("role=\"option\"").count(), 1);
    assert!(
        answer.text.contains("data-href=\"/movies/alien-1979\"") && !answer.text.contains("<html")
    );
    assert_eq!(site.get("/search/suggest?q=%20").await.text.trim(), "");
    assert_eq!(site.get("/search/suggest?q=xyzzy").await.text.trim(), "");
    site.house.movies_away.store(true, Ordering::SeqCst);
    assert_eq!(
        site.get("/search/suggest?q=al").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}
