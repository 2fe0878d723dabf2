//! What pages show, and what they show when something is away.

use super::{ALIEN, Site, film};
use crate::fakes::House;
use axum::http::StatusCode;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn the_list_shows_films_with_their_ratings() {
    let answer = Site::new().get("/").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.contains("href=\"/movies/alien-1979\""));
    assert!(answer.text.contains("1979 · Ridley Scott"));
    assert!(answer.text.contains("(40<span"));
    assert!(
        answer.text.contains("Not rated yet"),
        "nobody is not zero stars"
    );
    assert!(!answer.text.contains("rel=\"next\""));
}

#[tokio::test]
async fn a_long_list_comes_a_page_at_a_time() {
    let films = (0..30).map(|index| {
        (
            film(
                &format!("film-{index:02}"),
                &format!("Film {index:02}"),
                1990,
                &[],
            ),
            1,
            3.0,
        )
    });
    let site = Site::of(House::new(films));
    let first = site.get("/").await.text;
    assert_eq!(first.matches("class=\"card\"").count(), 24);
    assert!(first.contains("rel=\"next\" href=\"/?page=24\""));
    let second = site.get("/?page=24").await.text;
    assert_eq!(second.matches("class=\"card\"").count(), 6);
    assert!(second.contains("To the first page") && !second.contains("rel=\"next\""));
}

#[tokio::test]
async fn a_damaged_page_token_is_the_callers_fault() {
    let answer = Site::new().get("/?page=nonsense").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("Start from the first one"));
}

#[tokio::test]
async fn a_films_page_shows_facts_mean_and_ten_cells() {
    let answer = Site::new().get("/movies/alien-1979").await;
    assert_eq!(answer.status, StatusCode::OK);
    for part in [
        "<h1>Alien</h1>",
        "directed by <b>Ridley Scott</b>",
        "<li>Sigourney Weaver</li>",
        "40 ratings",
    ] {
        assert!(answer.text.contains(part), "{part}");
    }
    let histogram = answer
        .text
        .split("class=\"histogram\"")
        .nth(1)
        .unwrap()
        .split("</svg>")
        .next()
        .unwrap();
    assert_eq!(histogram.matches("<rect").count(), 10);
    assert_eq!(answer.text.matches("<th scope=\"row\">").count(), 10);
    assert_eq!(answer.text.matches("type=\"radio\"").count(), 10);
}

#[tokio::test]
async fn a_film_nobody_rated_says_so() {
    let text = Site::new().get("/movies/unrated-2024").await.text;
    assert!(text.contains("no ratings yet") && text.contains("<b data-mean>–</b>"));
}

#[tokio::test]
async fn without_ratings_the_film_is_still_there() {
    let site = Site::new();
    site.house.ratings_away.store(true, Ordering::SeqCst);
    let answer = site.get_as("ann", "/movies/alien-1979").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer
            .text
            .contains("data-away>Ratings are away for a moment; the film is not.")
    );
    assert!(answer.text.contains("<h1>Alien</h1>") && answer.text.contains("data-unknown"));
    let list = site.get("/").await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(list.text.contains("Ratings are away") && !list.text.contains("Not rated yet"));
    site.house.ratings_away.store(false, Ordering::SeqCst);
    assert!(
        site.get("/movies/alien-1979")
            .await
            .text
            .contains("data-away hidden")
    );
}

#[tokio::test]
async fn without_films_the_page_asks_to_look_again() {
    let site = Site::new();
    site.house.movies_away.store(true, Ordering::SeqCst);
    for path in ["/", "/movies/alien-1979"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "2");
        assert!(answer.text.contains("Back in a moment") && answer.text.contains("data-retry"));
        assert!(
            answer.text.contains(&format!("href=\"{path}\"")),
            "look again"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_page_that_says_so() {
    let site = Site::new();
    for (path, words) in [
        ("/movies/heaven-1", "not in the catalogue"),
        ("/nowhere", "nothing here"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(
            answer.text.contains(words) && answer.text.contains("<html"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn titles_are_text_and_never_markup() {
    let site = Site::new();
    let path = "/movies/odd%2F%3Cid%3E%3F";
    assert!(
        site.get("/")
            .await
            .text
            .contains(&format!("href=\"{path}\""))
    );
    for path in ["/", path] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(
            !answer.text.contains("<script>") && !answer.text.contains("alert(1)</script>"),
            "{path}"
        );
        assert!(
            !answer.text.contains("<b>,") && answer.text.contains("&#60;script&#62;"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_it_may() {
    let site = Site::new();
    for path in [
        "/",
        "/movies/alien-1979",
        "/name",
        "/nowhere",
        "/assets/none.css",
    ] {
        let answer = site.get(path).await;
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'self'"),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cache-control"), "no-store");
        // The policy forbids both.
        assert!(
            !answer.text.contains(" style=") && !answer.text.contains("<script>"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_change_their_address() {
    let site = Site::new();
    let page = site.get("/").await.text;
    let url = page
        .split('"')
        .find(|part| part.starts_with("/assets/app-") && part.ends_with(".css"))
        .unwrap();
    let style = site.get(url).await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(
        style.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    let other = site.get("/assets/app-0000000000000000.css").await;
    assert_eq!(
        (other.status, other.header("cache-control")),
        (StatusCode::OK, "no-store")
    );
    assert_eq!(other.text, style.text);
}

#[tokio::test]
async fn a_whole_list_with_its_assets_stays_under_100_kilobytes() {
    let films = (0..24).map(|index| {
        (
            film(
                &format!("film-{index}"),
                "A Title of Ordinary Length",
                1920 + 4 * index,
                &["Sci-Fi", "Crime"],
            ),
            9,
            3.0,
        )
    });
    let site = Site::of(House::new(films));
    let page = site.get("/").await.text;
    let mut bytes = page.len();
    for url in page.split('"').filter(|part| part.starts_with("/assets/")) {
        bytes += site.get(url).await.text.len();
    }
    assert!(bytes < 100_000, "{bytes}");
}

#[tokio::test]
async fn a_visitor_is_greeted_by_name() {
    let site = Site::new();
    assert!(site.get("/").await.text.contains("Pick a name"));
    let text = site.get_as("ann", "/movies/alien-1979").await.text;
    assert!(text.contains("You are <b>ann</b>") && text.contains("back=%2Fmovies%2Falien-1979"));
    site.house.rate(ALIEN, "ann", 9);
    let text = site.get_as("ann", "/movies/alien-1979").await.text;
    assert!(text.contains("value=\"4.5\" required checked") && text.contains(">4½ stars</output>"));
}
