//! What pages show, and what they show when something is away.

use super::{ALIEN, Site};
use axum::http::StatusCode;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_films_page_shows_facts_mean_and_ten_cells() {
    let answer = Site::new().get("/movies/alien-1979").await;
    assert_eq!(answer.status, StatusCode::OK);
    for part in [
        "<h1>Alien</h1>",
        "directed by <b><a href=\"/browse?person=Ridley%20Scott\">Ridley Scott</a></b>",
        "href=\"/browse?person=Sigourney%20Weaver\">Sigourney Weaver</a></li>",
        "href=\"/browse?genre=Sci-Fi\">Sci-Fi</a>",
        "href=\"/browse?decade=1970\">1979</a>",
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
    let list = site.get("/browse").await;
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
async fn without_the_catalogue_a_film_that_is_known_is_shown_with_its_age() {
    let site = Site::new();
    for (ago, said) in [
        (999, "what it said a moment ago."),
        (60_000, "what it said a minute ago."),
        (1_800_000, "what it said 30 minutes ago."),
        (3_600_000, "what it said an hour ago."),
        (80_000_000, "what it said 22 hours ago."),
    ] {
        site.house.films_known.store(ago, Ordering::SeqCst);
        let answer = site.get("/movies/alien-1979").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.text.contains(said), "{ago}");
        // Its ratings are there.
        assert!(answer.text.contains("<h1>Alien</h1>") && answer.text.contains("data-away hidden"));
    }
    site.house.films_known.store(0, Ordering::SeqCst);
    let text = site.get("/movies/alien-1979").await.text;
    assert!(!text.contains("The catalogue is away"));
}

#[tokio::test]
async fn without_films_the_page_asks_to_look_again() {
    let site = Site::new();
    site.house.movies_away.store(true, Ordering::SeqCst);
    for path in [
        "/",
        "/movies/alien-1979",
        "/browse",
        "/search?q=alien",
        "/charts",
    ] {
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
        site.get("/browse")
            .await
            .text
            .contains(&format!("href=\"{path}\""))
    );
    for path in ["/browse", "/charts", path] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(
            !answer.text.contains("<script>") && !answer.text.contains("alert(1)</script>"),
            "{path}"
        );
        assert!(answer.text.contains("&#60;script&#62;"), "{path}");
    }
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_it_may() {
    let site = Site::new();
    for path in [
        "/",
        "/movies/alien-1979",
        "/name",
        "/browse",
        "/charts",
        "/ratings",
        "/search?q=alien",
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
async fn a_visitor_is_greeted_by_name() {
    let site = Site::new();
    assert!(site.get("/").await.text.contains("Pick a name"));
    let text = site.get_as("ann", "/movies/alien-1979").await.text;
    assert!(
        text.contains("You are </span><b>ann</b>") && text.contains("back=%2Fmovies%2Falien-1979")
    );
    site.house.rate(ALIEN, "ann", 9);
    let text = site.get_as("ann", "/movies/alien-1979").await.text;
    assert!(text.contains("value=\"4.5\" required checked") && text.contains(">4½ stars</output>"));
}

#[tokio::test]
async fn a_film_of_the_chart_tells_its_place() {
    let site = Site::new();
    let text = site.get("/movies/alien-1979").await.text;
    assert!(
        text.contains("href=\"/charts#film-alien-1979\">No. 1 "),
        "{text}"
    );
    let text = site.get("/movies/unrated-2024").await.text;
    assert!(!text.contains("class=\"medal\""));
}

#[tokio::test]
async fn what_others_publish_stands_apart() {
    let site = Site::new();
    let other = (ALIEN.to_owned(), "imdb".to_owned(), 4.25, 981_020);
    site.house.outside.lock().unwrap().push(other);
    let text = site.get("/movies/alien-1979").await.text;
    let (ours, others) = text.split_once("class=\"outside\"").unwrap();
    assert!(ours.contains("40 ratings") && !ours.contains("IMDb"));
    assert!(others.contains("<b>IMDb</b>") && others.contains("981,020 votes"));
    let text = site.get("/movies/metropolis-1927").await.text;
    assert!(!text.contains("class=\"outside\""));
}
